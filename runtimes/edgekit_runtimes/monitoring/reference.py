"""``Reference``: how the samples of the conversion were distributed, as the manifest carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from edgekit_runtimes.base import ModelError

Statistic = Literal[
    "value", "mean", "spread", "roughness", "balance", "zeros", "outside", "confidence", "share"
]
"""A number of one sample.

``value``: of a channel that has one. ``mean``, ``spread``: of its values (their standard deviation).
``roughness``: how much the steps from neighbour
to neighbour differ, in steps: little where a picture is blurred, much in noise. ``balance``: the mean of a channel less that of all.
``zeros``, ``outside``: the share of values that are 0, or outside the calibrated range. ``confidence``: the
probability of the predicted class. ``share``: of the positions of which a class is predicted.
"""

Meaning = Literal["numbers", "image", "classes", "binary", "index", "positions"]
"""What a tensor holds.

``classes``: scores, one class a sample. ``binary``: one probability. ``index``: a class by its number.
``positions``: scores at each of many positions. Of these, classes are counted too.
"""

Activation = Literal["softmax", "sigmoid", "none"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a statistic of single samples was distributed: counts between quantiles, and nothing of a sample."""

    statistic: Statistic
    channel: int | None
    """Of the last axis; None where the statistic is of the whole tensor."""
    samples: int
    edges: tuple[float, ...]
    """Halfway between two samples, about every twentieth of them; the first and the last beyond all."""
    counts: tuple[int, ...]
    """Samples up to the first edge, up to the second, ..., above the last."""
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class TensorReference:
    """An input or an output."""

    shape: tuple[int, ...]
    """Of one sample."""
    meaning: Meaning
    activation: Activation
    """What makes probabilities of scores."""
    low: float
    high: float
    """The calibrated range."""
    samples: int
    not_finite: int
    """How many samples held NaN or infinite values."""
    statistics: tuple[Distribution, ...]
    classes: tuple[int, ...] = ()
    """How often each class was predicted."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What one file's inputs and outputs are compared with."""

    inputs: dict[str, TensorReference]
    outputs: dict[str, TensorReference]
    labels: tuple[str, ...] = ()
    """The classes' names, in order."""


@dataclass(frozen=True, slots=True)
class Distributions:
    """Those of all files of a folder, as its manifest has them."""

    inputs: dict[str, TensorReference]
    outputs: dict[str, dict[str, TensorReference]] = field(default_factory=dict)
    """By file: what each answered itself, so that what quantization changes is no drift."""


def reference_from_manifest(manifest: Mapping[str, Any], file: str, where: str) -> Reference:
    """The reference of a file, of a manifest as JSON has it.

    Args:
        manifest: the manifest.
        file: the name of a file that it lists.
        where: the manifest's path, for messages.

    Raises:
        ModelError: it has none, or it is damaged.
    """
    plain = manifest.get("distributions")
    if not plain:
        raise ModelError(
            f"{where}: it has no distributions, which a model is monitored against: it was converted without "
            "them, or by an older edgekit. Convert again."
        )
    try:
        return Reference(
            {name: _tensor(entry) for name, entry in plain["inputs"].items()},
            {name: _tensor(entry) for name, entry in plain["outputs"].get(file, {}).items()},
            tuple(map(str, manifest.get("labels") or ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{where}: its distributions are damaged: {error!r}.") from error


def _tensor(plain: Mapping[str, Any]) -> TensorReference:
    return TensorReference(
        shape=tuple(map(int, plain["shape"])),
        meaning=_one_of(Meaning, plain["meaning"]),
        activation=_one_of(Activation, plain["activation"]),
        low=float(plain["low"]),
        high=float(plain["high"]),
        samples=int(plain["samples"]),
        not_finite=int(plain["not_finite"]),
        statistics=tuple(map(_distribution, plain["statistics"])),
        classes=tuple(map(int, plain["classes"])),
    )


def _distribution(plain: Mapping[str, Any]) -> Distribution:
    channel = plain["channel"]
    made = Distribution(
        statistic=_one_of(Statistic, plain["statistic"]),
        channel=None if channel is None else int(channel),
        samples=int(plain["samples"]),
        edges=tuple(map(float, plain["edges"])),
        counts=tuple(map(int, plain["counts"])),
        mean=float(plain["mean"]),
        spread=float(plain["spread"]),
    )
    sound = len(made.counts) == len(made.edges) + 1 > 1 and min(made.counts) >= 0
    if not sound or sum(made.counts) != made.samples or list(made.edges) != sorted(made.edges):
        raise ValueError(f"{made.statistic} of channel {channel}: counts and edges do not fit")
    return made


def _one_of(literal: Any, value: Any) -> Any:
    if value not in get_args(literal):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(literal))}")
    return value
