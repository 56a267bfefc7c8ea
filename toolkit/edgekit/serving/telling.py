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
_WARNS = 60.0
"""Seconds between two warnings of a model: what wavers about a limit is told once."""


@dataclass(slots=True)
class Telling:
    """Looks now and then at what the workers have written."""

    folder: Path
    tell: Callable[[str], object]
    log: bool
    """Whether standard error gets lines of JSON too."""
    _warned: dict[Key, tuple[float, frozenset[str]]] = field(default_factory=dict)
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
            new = self._is_news(report, now)
            for statement in report.statements if new else ():
                self.tell(f"warning: {report.model} {report.version}: {statement}")
            if last and report.shadow is not None:
                self.tell(f"{report.model} {report.version}: {report.shadow}")
            if self.log and self._is_due(report, now, at_once=new or last):
                _write(report)

    def _is_news(self, report: Report, now: float) -> bool:
        """Whether something has changed of which nothing was told of late."""
        changed = frozenset(tensor.name for tensor in report.tensors if tensor.alarm)
        time, told = self._warned.get(report.key, (0.0, frozenset[str]()))
        if not changed or changed <= told or (told and now - time < _WARNS):
            if not changed and now - time >= _WARNS:
                self._warned.pop(report.key, None)
            return False
        self._warned[report.key] = now, told | changed
        return True

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
    line = {"time": time, "event": "monitor", **to_plain(report.to_dict(whole=False))}
    sys.stderr.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stderr.flush()
