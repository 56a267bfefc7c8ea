"""``State``: what a server, or a log, says of the models that answer."""

from dataclasses import dataclass
from typing import Any

from edgekit.bundle.plain import to_plain
from edgekit.bundle.schema import WATCH
from edgekit.errors import EdgekitError

STAGES = ("read", "queue", "infer", "write", "all")
"""Of a request, in their order."""


class WatchError(EdgekitError):
    """What cannot be watched, and why."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long one stage of a request takes."""

    stage: str
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class TensorState:
    """One input or output against the distribution that the manifest has of it."""

    name: str
    samples: int
    outside: float | None
    """The share of its values outside the calibrated range."""
    psi: float | None
    """The population stability index."""
    ks: float | None
    """The Kolmogorov distance."""
    not_finite: float
    """The share of its values that are NaN or infinite."""
    alarm: bool


@dataclass(frozen=True, slots=True)
class ShadowState:
    """What a second model answers to the same inputs."""

    file: str
    compared: int
    dropped: int
    failed: int
    agreements: tuple[str, ...]
    """Of each output, in words, with the 95% interval."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model."""

    model: str
    version: str
    file: str
    device: str
    sha256: str
    requests: int
    """Since the server began."""
    errors: int
    """Of them, those that failed by the server: status 500 and above."""
    refused: int
    """Of them, those that the client must change or send later: status 400 to 499."""
    per_second: float | None
    """Requests of late; None where that is not known yet."""
    stages: tuple[StageTime, ...]
    """Of late; where nothing came, since the server began."""
    waiting: int | None
    """Requests; None where a log does not say."""
    batch: float | None
    """Samples in a call, the mean."""
    restarts: int
    bytes: int | None
    """Resident memory of its processes."""
    tensors: tuple[TensorState, ...] = ()
    statements: tuple[str, ...] = ()
    """What no longer looks as it did at calibration, in words."""
    shadow: ShadowState | None = None


@dataclass(frozen=True, slots=True)
class State:
    """All of it."""

    source: str
    """The server's address, or the log's name."""
    time: str
    """UTC, as ISO 8601 has it."""
    seconds: float | None
    """That "of late" is; None where there was one look only."""
    models: tuple[ModelState, ...]
    bytes: int | None = None
    """Resident memory of the server's workers."""

    @property
    def alarmed(self) -> bool:
        """Whether anything no longer looks as it did at calibration."""
        return any(model.statements for model in self.models)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema": WATCH, **to_plain(self)}
