"""Limits: how far a file may be from its original before it fails, and how people write that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from edgekit.accuracy.metric import Metric
from edgekit.accuracy.metrics import find_metric
from edgekit.data.samples import DataError
from edgekit.errors import nearest

Kind = Literal["drop", "min", "max"]


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a metric may drop from the original's value, or the least or most it may be.

    >>> str(Limit("drop", 0.02, "f1")), str(Limit("min", 0.9, "top1", output="digit"))
    ('drop f1=0.02', 'min top1@digit=0.9')
    """

    kind: Kind
    value: float
    metric: str | None = None
    """None for the task's main one: top1 of a classifier, mean_iou of masks, r2 of a regression."""
    output: str | None = None
    """None for every output that the metric fits."""
    relative: bool = False
    """Whether a drop is a fraction of the original's value."""

    def __str__(self) -> str:
        name = f"{self.metric or ''}{f'@{self.output}' if self.output else ''}"
        value = f"{100 * self.value:.6g}%rel" if self.relative else f"{self.value:.6g}"
        return f"{self.kind} {name}={value}" if name else f"{self.kind} {value}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may be from its original before it fails.

    >>> Limits(max_drop=0.02).min_sqnr
    20.0
    """

    max_drop: float = 0.01
    """Of the task's main metric on labelled samples, as a fraction: 0.01 is one percentage point."""
    max_disagreement: float = 0.02
    """The fraction of samples whose prediction may change, where there are no labels."""
    min_sqnr: float = 20.0
    """dB, for outputs that are numbers, without labels: 20 dB is an error of a tenth of the signal."""
    min_float_sqnr: float = 60.0
    """dB, for a float32 file: below it, the conversion itself is wrong."""
    also: tuple[Limit, ...] = ()
    """Limits of metrics by name."""


LimitTexts = float | str | Iterable[str] | Mapping[str, float | str]
"""``0.01``, ``"1%"``, ``"f1=2%"``, several of them, or ``{"f1": "2%"}``."""


def read_limits(
    max_drop: LimitTexts | None = None,
    min: LimitTexts | None = None,
    max: LimitTexts | None = None,
) -> Limits:
    """Read limits as they are written in the shell, in ``edgekit.toml`` and in tests.

    Each is ``METRIC=VALUE`` or ``METRIC@OUTPUT=VALUE``. A value is a number; a percentage, of a metric
    that is a fraction (``1%`` is a percentage point); or for a drop, a percentage of the original's value
    (``5%rel``). ``max_drop`` may leave the metric out, for the task's main one.

    >>> read_limits("2%").max_drop
    0.02
    >>> [str(limit) for limit in read_limits({"f1": "3%", "rmse": "5%rel"}, min="top1=0.9").also]
    ['drop f1=0.03', 'drop rmse=5%rel', 'min top1=0.9']

    Raises:
        DataError: it is not written so, or there is no such metric.
    """
    main, also = Limits().max_drop, list[Limit]()
    for limit in _read_all("drop", max_drop):
        if limit.metric is None and limit.output is None and not limit.relative:
            main = limit.value
        else:
            also.append(limit)
    also += [*_read_all("min", min), *_read_all("max", max)]
    return Limits(max_drop=main, also=tuple(also))


def default_limit(limits: Limits, metric: str) -> Limit:
    """Choose the limit on a task's main metric, where no other limit names it.

    >>> str(default_limit(Limits(), "agreement"))
    'min agreement=0.98'
    """
    match find_metric(metric).default_bound:
        case "max_drop":
            return Limit("drop", limits.max_drop, metric)
        case "max_disagreement":
            return Limit("min", 1 - limits.max_disagreement, metric)
        case "min_sqnr":
            return Limit("min", limits.min_sqnr, metric)


def check_outputs(limits: Limits, outputs: Iterable[str]) -> None:
    """Refuse limits on outputs that the model does not have.

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


def _read_all(kind: Kind, texts: LimitTexts | None) -> list[Limit]:
    if texts is None:
        return []
    if isinstance(texts, Mapping):
        return [_read(kind, name, str(value)) for name, value in texts.items()]
    if isinstance(texts, (int, float, str)):
        texts = [str(texts)]
    return [_read(kind, *_split(text)) for text in texts]


def _split(text: str) -> tuple[str, str]:
    name, _, value = str(text).rpartition("=")
    return name.strip(), value.strip()


def _read(kind: Kind, name: str, text: str) -> Limit:
    text = text.strip()
    written = f"{name}={text}" if name else text
    where = f"{_PARAMETERS[kind]}={written!r}"
    metric, _, output = name.partition("@")
    relative, number = text.endswith("rel"), text.removesuffix("rel").strip()
    is_percentage = number.endswith("%")
    try:
        value = float(number[:-1]) / 100 if is_percentage else float(number)
        if not isfinite(value) or (relative and not is_percentage):
            raise ValueError
    except ValueError:
        raise DataError(
            f"{where}: write METRIC=VALUE, as {_EXAMPLES[kind]}; a value is a number or a percentage."
        ) from None
    if kind != "drop" and (relative or not metric):
        raise DataError(f"{where}: write METRIC=VALUE, as {_EXAMPLES[kind]}.")
    if kind == "drop" and value < 0:
        raise DataError(f"{where}: a drop is 0 or more.")
    if metric:
        entry = find_metric(metric)
        if is_percentage and not relative and not entry.unit.is_fraction:
            raise DataError(
                f"{where}: {metric} is not a fraction, so a percentage has no meaning. Write "
                f"{metric}={number}rel for a percentage of the original's value, or a plain number."
            )
        if kind == "drop" and entry.against == "original":
            raise DataError(
                f"{where}: {metric} compares a file with the original, so it cannot drop. Use "
                f"{'min' if entry.higher_is_better else 'max'}='{metric}={_bound(entry, value)}'."
            )
    return Limit(kind, value, metric or None, output or None, relative)


def _bound(metric: Metric, drop: float) -> str:
    """The value to reach where a drop was written: of fractions what is left, else the same number."""
    return f"{100 * (1 - drop):.6g}%" if metric.unit.is_fraction else f"{drop:.6g}"


_PARAMETERS: dict[Kind, str] = {"drop": "max_drop", "min": "min", "max": "max"}
_EXAMPLES: dict[Kind, str] = {
    "drop": "1%, f1=2% or rmse=5%rel",
    "min": "top1=0.9 or f1@digit=0.8",
    "max": "rmse=0.5",
}
