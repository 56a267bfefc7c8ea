"""A log of ``edgekit serve --log``, or of a script's monitor: a line of JSON for each request, and for what is monitored."""

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edgekit.watch.documents import shadow_of, tensors_of
from edgekit.watch.state import STAGES, ModelState, StageTime, State, WatchError

LATE = timedelta(seconds=60)
"""What is of late."""
_MOST_KEPT = 20_000
"""Requests of late, of which times are kept."""
_MOST_READ = 8 << 20
"""Bytes of a log that was there before: its end says what is of late."""

_Named = tuple[str, str]
"""A model and its version."""


@dataclass(slots=True)
class _Model:
    told: Mapping[str, Any] = field(default_factory=dict)
    """The last line on what is monitored."""
    statuses: dict[int, int] = field(default_factory=dict)
    late: deque[tuple[datetime, Mapping[str, float], int]] = field(
        default_factory=lambda: deque(maxlen=_MOST_KEPT)
    )
    """When, the milliseconds of each stage, and how many samples were in its call."""


@dataclass(slots=True)
class Log:
    """A log, read on as it grows."""

    path: Path
    _models: dict[_Named, _Model] = field(default_factory=dict)
    _at: int = 0
    _inode: int | None = None
    _rest: bytes = b""
    _last: datetime | None = None
    _lines: int = 0
    """That were understood."""
    _others: int = 0

    def state(self, *, now: datetime | None = None) -> State:
        """What its lines say.

        Args:
            now: what "of late" counts back from; by default the time of the last line.

        Raises:
            WatchError: it cannot be read, or none of its lines is one of edgekit's.
        """
        for line in self._new():
            self._read(line)
        if self._others and not self._lines:
            raise WatchError(
                f"{self.path}: none of its lines is what `edgekit serve --log` writes, or a monitor: JSON with "
                "time, and path or event."
            )
        last = self._last or datetime.now(UTC)
        upto = now or last
        return State(
            str(self.path),
            last.isoformat(timespec="seconds"),
            LATE.total_seconds(),
            tuple(_state(named, model, upto) for named, model in self._models.items()),
        )

    def _new(self) -> Iterator[bytes]:
        """Whole lines that were not read before; of a file that another took the place of, from its beginning."""
        try:
            with open(self.path, "rb") as file:
                is_now = os.fstat(file.fileno())
                if is_now.st_ino != self._inode or is_now.st_size < self._at:
                    skipped = self._inode is None and is_now.st_size > _MOST_READ
                    self._inode, self._rest = is_now.st_ino, b""
                    self._at = is_now.st_size - _MOST_READ if skipped else 0
                    if skipped:
                        file.seek(self._at)
                        self._at += len(file.readline())
                file.seek(self._at)
                content = file.read()
        except OSError as error:
            raise WatchError(f"{self.path}: {error.strerror or error}.") from error
        self._at += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        yield from lines

    def _read(self, line: bytes) -> None:
        """Take in a line; others, which a server prints among them, are passed over."""
        try:
            content = json.loads(line)
            time = datetime.fromisoformat(content["time"])
            if time.tzinfo is None:
                time = time.replace(tzinfo=UTC)
            if content.get("event") == "monitor":
                self._monitored(content)
            else:
                self._asked(content, time)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._others += bool(line.strip())
            return
        self._lines += 1
        self._last = time if self._last is None else max(time, self._last)

    def _monitored(self, content: Mapping[str, Any]) -> None:
        tensors_of(content)
        shadow_of(content)
        self._model(content).told = content

    def _asked(self, content: Mapping[str, Any], time: datetime) -> None:
        status, all_ms = int(content["status"]), float(content["ms"])
        if "model" not in content:  # metrics, health and the like
            return
        model = self._model(content)
        model.statuses[status] = model.statuses.get(status, 0) + 1
        stages = {str(k): float(v) for k, v in (content.get("stages") or {}).items()}
        model.late.append((time, {**stages, "all": all_ms}, int(content.get("samples", 0))))

    def _model(self, content: Mapping[str, Any]) -> _Model:
        named = str(content["model"]), str(content.get("version", ""))
        return self._models.setdefault(named, _Model())


def _state(named: _Named, model: _Model, upto: datetime) -> ModelState:
    late = [entry for entry in model.late if entry[0] > upto - LATE]
    times = [stages for _, stages, _ in late]
    batches = [samples for _, _, samples in late if samples]
    first = min((time for time, _, _ in late), default=upto)
    full = len(model.late) == _MOST_KEPT
    seconds = max((upto - first).total_seconds(), 1.0) if full else LATE.total_seconds()
    return ModelState(
        *named,
        file=str(model.told.get("file", "")),
        device=str(model.told.get("device", "")),
        sha256=str(model.told.get("sha256", "")),
        requests=sum(model.statuses.values()),
        errors=sum(n for status, n in model.statuses.items() if status >= 500),
        refused=sum(n for status, n in model.statuses.items() if 400 <= status < 500),
        per_second=len(late) / seconds,
        stages=tuple(_stages(times)),
        waiting=None,
        batch=sum(batches) / len(batches) if batches else None,
        restarts=0,
        bytes=None,
        tensors=tensors_of(model.told),
        statements=tuple(map(str, model.told.get("statements") or ())),
        shadow=shadow_of(model.told),
    )


def _stages(times: Sequence[Mapping[str, float]]) -> Iterator[StageTime]:
    for stage in STAGES:
        found = sorted(each[stage] for each in times if stage in each)
        if found:
            yield StageTime(stage, _share(found, 0.5), _share(found, 0.99))


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
