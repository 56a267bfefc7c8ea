"""What the supervisor tells of what is watched: a warning when something begins to look otherwise, lines for the log."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from edgekit.bundle.plain import to_plain
from edgekit.serving.watching import Key, Report, written

_LOOKS = 2.0
_LOGS = 10.0
"""Seconds between two lines of the log on a model."""


@dataclass(slots=True)
class Telling:
    """Looks now and then at what the workers have written."""

    folder: Path
    tell: Callable[[str], object]
    log: bool
    """Whether standard error gets lines of JSON too."""
    _warned: dict[Key, frozenset[str]] = field(default_factory=dict)
    _logged: dict[Key, tuple[float, Report]] = field(default_factory=dict)
    _next: float = 0.0

    def look(self, *, last: bool = False) -> None:
        """Tell what is new.

        Args:
            last: whether the workers have ended: then what was seen of shadows is told too.
        """
        now = monotonic()
        if now < self._next and not last:
            return
        self._next = now + _LOOKS
        for report in written(self.folder):
            alarms = {tensor.name: tensor.statement for tensor in report.alarms}
            new = set(alarms) - self._warned.get(report.key, frozenset())
            self._warned[report.key] = frozenset(alarms)
            for name in sorted(new):
                self.tell(f"{report.model} {report.version}: {alarms[name]}")
            if last and report.shadow is not None:
                self.tell(f"{report.model} {report.version}: {report.shadow}")
            if self.log and self._is_due(report, now, at_once=bool(new) or last):
                _write(report)

    def _is_due(self, report: Report, now: float, *, at_once: bool) -> bool:
        """Whether a line is written: of what has changed, and not too often."""
        before = self._logged.get(report.key)
        if before is not None:
            time, told = before
            if told == report or (now - time < _LOGS and not at_once):
                return False
        self._logged[report.key] = now, report
        return True


def _write(report: Report) -> None:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "event": "monitor", **to_plain(report.to_dict())}
    sys.stderr.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stderr.flush()
