"""What a run found out: rows of figures, a verdict, and the evidence."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

from edgekit.scoring import Score
from edgekit.statistics import Verdict

_SLOWER = 1.1  # below it, a busy machine's noise


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file that was written or judged, and how it did."""

    name: str
    bytes: int
    scores: tuple[Score, ...]
    format: str = ""
    precision: str = ""
    latency_ms: float | None = None
    """The median of one call on one thread of this machine; None where it was not measured."""
    latency_ratio: float | None = None
    """Against the float32 file of the same format: 2 is twice as slow."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its outputs' verdicts."""
        return worst(score.verdict for score in self.scores)

    @property
    def worst_score(self) -> Score:
        """The output that strayed farthest."""
        return min(self.scores, key=lambda s: (s.verdict == "holds", s.sqnr_db))


@dataclass(frozen=True, slots=True)
class Report:
    """A run's result; true where no limit is broken."""

    model: str
    model_bytes: int
    files: tuple[FileResult, ...]
    data: str
    calibrated_on: int
    judged_on: int
    shippable: bool = True
    """False where the samples were random: then no figure says anything of real accuracy."""
    twins: dict[str, tuple[Score, ...]] = field(default_factory=dict)
    """By precision: how far the ONNX file is from the TFLite file, where both were written."""
    output: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of its files' verdicts."""
        return worst(file.verdict for file in self.files)

    def __bool__(self) -> bool:
        return self.verdict != "fails"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite SQNR (no difference at all) becomes None."""
        plain = asdict(self)
        plain["verdict"] = self.verdict
        for file, result in zip(plain["files"], self.files, strict=True):
            file["verdict"] = result.verdict
        return _finite(plain)  # type: ignore[no-any-return]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """``fails`` before ``not proven`` before ``holds``."""
    found = set(verdicts)
    return "fails" if "fails" in found else "not proven" if "not proven" in found else "holds"


def slower_in_words(files: Iterable[FileResult]) -> list[str]:
    """A sentence on the files that this machine runs slower than their float32 twins, if any."""
    slower = [
        f"{file.name} {file.latency_ratio:.1f}x"
        for file in files
        if file.latency_ratio is not None and file.latency_ratio > _SLOWER
    ]
    if not slower:
        return []
    return [
        f"slower than float32 on this machine: {', '.join(slower)}. Integers win where the processor "
        "has instructions for them (dot products on ARM, VNNI on x86) and the model is large enough: "
        "measure on the device"
    ]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and (not isfinite(value) or value == inf) else value
