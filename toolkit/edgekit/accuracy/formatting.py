"""Values, differences and limits as text."""

from math import isinf, isnan

from edgekit.accuracy.limits import Limit
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.units import DECIBEL, PERCENT, Unit


def label(metric: str) -> str:
    """Write a metric's name for people.

    >>> label("top1")
    'accuracy'
    """
    return find_metric(metric).label


def value(number: float | None, metric: str) -> str:
    """Write a metric's value with its unit; nothing where there is none.

    >>> value(0.988, "top1"), value(0.908, "r2"), value(23.04, "sqnr"), value(None, "top1")
    ('98.8%', '0.908', '23.0 dB', '')
    """
    if number is None:
        return ""
    return _written(number, (unit := find_metric(metric).unit), unit.digits, unit.symbol)


def difference(number: float, metric: str, *, symbol: bool = True) -> str:
    """Write a difference of two values of a metric; fractions in percentage points.

    >>> difference(0.019, "top1"), difference(0.019, "top1", symbol=False), difference(0.019, "r2")
    ('1.9 pt', '1.9', '0.019')
    """
    unit = find_metric(metric).unit
    return _written(number, unit, unit.difference_digits, unit.difference_symbol if symbol else "")


def observed(number: float, limit: Limit) -> str:
    """Write the number that is compared with a limit: a drop without its unit, or a value.

    >>> observed(0.019, Limit("drop", 0.01, "top1")), observed(0.886, Limit("min", 0.85, "top1"))
    ('1.9', '88.6%')
    """
    if limit.kind != "drop":
        return value(number, limit.metric or "")
    if limit.relative:
        return _written(number, PERCENT, PERCENT.digits, PERCENT.symbol)
    return difference(number, limit.metric or "", symbol=False)


def bound(limit: Limit) -> str:
    """Write a limit's value, with all digits and its unit.

    >>> bound(Limit("drop", 0.01, "top1")), bound(Limit("min", 0.9995, "top1"))
    ('1 pt', '99.95%')
    >>> bound(Limit("drop", 0.05, "rmse", relative=True)), bound(Limit("min", 20.0, "sqnr"))
    ('5%', '20 dB')
    """
    unit = PERCENT if limit.relative else find_metric(limit.metric or "").unit
    is_drop = limit.kind == "drop" and not limit.relative
    return _written(limit.value, unit, ".6g", unit.difference_symbol if is_drop else unit.symbol)


def tick(number: float, limit: Limit) -> str:
    """Write a number on the axis of a limit, as short as it goes."""
    unit = PERCENT if limit.relative else find_metric(limit.metric or "").unit
    percent = unit is PERCENT and (limit.relative or limit.kind != "drop")
    return f"{unit.scale * number:.6g}{'%' if percent else ''}"


def axis_title(limit: Limit) -> str:
    """Write what is drawn on the axis of a limit.

    >>> axis_title(Limit("drop", 0.01, "top1")), axis_title(Limit("min", 20.0, "sqnr"))
    ('accuracy drop, pt', 'SQNR, minimum')
    """
    metric = find_metric(limit.metric or "")
    if limit.kind != "drop":
        return f"{metric.label}, {'minimum' if limit.kind == 'min' else 'maximum'}"
    change = "drop" if metric.higher_is_better else "rise"
    if limit.relative:
        return f"{metric.label} {change}, relative"
    unit = metric.unit.difference_symbol.strip()
    return f"{metric.label} {change}{f', {unit}' if unit else ''}"


def percent(fraction: float | None) -> str:
    """Write a fraction as a percentage; nothing where there is none."""
    return "" if fraction is None else _written(fraction, PERCENT, PERCENT.digits, PERCENT.symbol)


def decibel(number: float | None) -> str:
    """Write a ratio of signal to noise without its unit; a dash where there is none."""
    return "-" if number is None else _written(number, DECIBEL, DECIBEL.digits, "")


def short(count: int) -> str:
    """Write a count in at most four letters.

    >>> short(1234), short(999_999)
    ('1.23k', '1M')
    """
    for suffix, size in (("", 1), ("k", 1_000), ("M", 1_000_000)):
        if count < 999.5 * size:
            return f"{count / size:.3g}{suffix}"
    return f"{count / 1e9:.3g}G"


def _written(number: float, unit: Unit, digits: str, symbol: str) -> str:
    if isnan(number):
        return "not a number"
    if isinf(number):
        return "equal" if unit is DECIBEL and number > 0 else str(number)
    text = f"{unit.scale * number:{digits}}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return f"{text}{symbol}"
