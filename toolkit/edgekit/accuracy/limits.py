"""Limits: how far a file may stray before it fails, and how a person writes that down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

from edgekit.data.samples import DataError
from edgekit.errors import nearest

if TYPE_CHECKING:
    from edgekit.accuracy.metrics import Metric

Kind = Literal["drop", "min", "max"]


@dataclass(frozen=True, slots=True)
class Limit:
    """What one metric may lose against the original (``drop``), or must reach by itself."""

    kind: Kind
    value: float
    metric: str | None = None
    """None for the task's own: top1 of a classifier, mean_iou of masks, r2 of a regression."""
    output: str | None = None
    """None for every output that the metric fits."""
    relative: bool = False
    """Whether a drop is a part of the original's value."""

    def __str__(self) -> str:
        name = f"{self.metric or ''}{f'@{self.output}' if self.output else ''}"
        value = f"{100 * self.value:.6g}%rel" if self.relative else f"{self.value:.6g}"
        return f"{self.kind} {name}={value}" if name else f"{self.kind} {value}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may stray before it fails."""

    max_drop: float = 0.01
    """Of the task's own metric on labelled samples, as a share: 0.01 is one point."""
    max_disagreement: float = 0.02
    """Samples with another answer than the original's, where there are no labels."""
    min_sqnr: float = 20.0
    """dB, for outputs that are plain numbers: 20 dB is an error of a tenth of the signal."""
    min_float_sqnr: float = 60.0
    """dB, for a float32 file: below it, the conversion itself went wrong."""
    also: tuple[Limit, ...] = ()
    """Limits of metrics by name."""


Written = float | str | Iterable[str] | Mapping[str, float | str]
"""``0.01``, ``"1%"``, ``"f1=2%"``, several of them, or ``{"f1": "2%"}``."""


def read_limits(
    max_drop: Written | None = None,
    min: Written | None = None,
    max: Written | None = None,
) -> Limits:
    """Limits as they are written in the shell, in ``edgekit.toml`` and in tests.

    Each is ``METRIC=VALUE`` or ``METRIC@OUTPUT=VALUE``; a value is a number, a percentage of a metric
    that is a share (``1%`` is a point), or for a drop a percentage of the original's value
    (``5%rel``). ``max_drop`` may leave the metric out, for the task's own.

    Raises:
        DataError: it is not written so, or there is no such metric.
    """
    plain, also = Limits().max_drop, list[Limit]()
    for limit in _each("drop", max_drop):
        if limit.metric is None and limit.output is None and not limit.relative:
            plain = limit.value
        else:
            also.append(limit)
    also += [*_each("min", min), *_each("max", max)]
    return Limits(max_drop=plain, also=tuple(also))


def check_outputs(limits: Limits, outputs: Iterable[str]) -> None:
    """Refuses limits on outputs that the model does not have.

    Raises:
        DataError: there is no such output.
    """
    known = list(outputs)
    for limit in limits.also:
        if limit.output is not None and limit.output not in known:
            raise DataError(
                f"{limit}: the model has no output {limit.output!r}{nearest(limit.output, known)}. Its "
                f"outputs are {', '.join(known)}."
            )


def _each(kind: Kind, written: Written | None) -> list[Limit]:
    if written is None:
        return []
    if isinstance(written, Mapping):
        return [_read(kind, name, value) for name, value in written.items()]
    if isinstance(written, (int, float, str)):
        written = [str(written)]
    return [_read(kind, *_split(text)) for text in written]


def _split(text: str) -> tuple[str, str]:
    name, _, value = str(text).rpartition("=")
    return name.strip(), value.strip()


def _read(kind: Kind, name: str, written: float | str) -> Limit:
    from edgekit.accuracy.metrics import find_metric

    metric, _, output = name.partition("@")
    text = str(written).strip()
    relative, number = text.endswith("rel"), text.removesuffix("rel").strip()
    told = f"--{'max-drop' if kind == 'drop' else kind} {name}{'=' if name else ''}{text}"
    try:
        value = float(number[:-1]) / 100 if number.endswith("%") else float(number)
        if not isfinite(value) or (relative and not number.endswith("%")):
            raise ValueError
    except ValueError:
        raise DataError(
            f"{told}: write METRIC=VALUE, as {_EXAMPLES[kind]}; a value is a number, or a percentage."
        ) from None
    if kind != "drop" and (relative or not metric):
        raise DataError(f"{told}: write METRIC=VALUE, as {_EXAMPLES[kind]}.")
    if kind == "drop" and value < 0:
        raise DataError(f"{told}: a drop is 0 or more.")
    if metric:
        found = find_metric(metric)
        if number.endswith("%") and not relative and not found.share:
            raise DataError(
                f"{told}: {metric} is not a share of one, so {number} of what? Write "
                f"{metric}={number}rel for a part of the original's, or a plain number."
            )
        if kind == "drop" and found.against == "original":
            raise DataError(
                f"{told}: {metric} is measured against the original, which has none to lose. Use "
                f"--{'min' if found.higher_is_better else 'max'} {metric}={_instead(found, value)}."
            )
    return Limit(kind, value, metric or None, output or None, relative)


def _instead(metric: "Metric", drop: float) -> str:
    """What to reach, where a drop was asked for: of shares the rest, of others the same number."""
    return f"{100 * (1 - drop):.6g}%" if metric.share else f"{drop:.6g}"


_EXAMPLES: dict[Kind, str] = {
    "drop": "1%, f1=2% or rmse=5%rel",
    "min": "top1=0.9 or f1@digit=0.8",
    "max": "rmse=0.5",
}
