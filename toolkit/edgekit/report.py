"""What a run found out: rows of figures, a verdict, and the evidence."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

from edgekit.scoring import Score
from edgekit.statistics import Verdict


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
    """A sentence for each quantized file that this machine runs slower than its float twin."""
    return [
        f"{file.name} is {file.latency_ratio:.1f} times as slow as the float32 file on this machine: "
        + (
            "float models store it half as large, and the processor computes in float anyway"
            if file.precision == "float16"
            else "this processor has no fast int8 instructions for these operators, or the model is too "
            "small to gain; measure on the device before you choose"
        )
        for file in files
        if file.latency_ratio is not None
        and file.latency_ratio > 1.1
        and file.precision != "float32"
    ]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and (not isfinite(value) or value == inf) else value
