"""``Postprocessing``: what an output means, and what makes an answer of it, as a manifest says it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["softmax", "sigmoid", "none"]


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """What an output means, and what is still to be done to it."""

    output: str
    """Its name."""
    task: str
    """What it predicts: classes, sequence, binary, multilabel, index, detection, values, ..."""
    kind: Kind = "none"
    """What makes probabilities of it; ``none`` where it holds them already, or no scores at all."""
    top_k: int = 0
    """How many classes to show, those with the highest scores first; 0 where it ranks none."""
    part: str = ""
    """Of detections: boxes, scores, classes or count, where an output holds only one of them."""
