"""A change in words: what a person would look for who is told that inputs are no longer the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.monitoring.reference import Distribution
from edgekit_runtimes.monitoring.report import label_of
from edgekit_runtimes.monitoring.tally import Seen, Watched

_SHOWN = 3  # changes that are told of a tensor
_SCALE = 8  # times as large, or as small: another unit, or pixels that were not divided
_SAME = 1e-6
_CONSEQUENCES = ("outside", "zeros")
"""Told after the others: what moved them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in the smallest window that is not like the reference."""

    seen: Seen
    changed: Array
    """By statistic, whether it is beyond its limit."""
    chance: Array
    """By statistic, the logarithm of the chance of it."""
    classes: frozenset[int]
    """Tensors with another mix of classes."""
    broken: frozenset[int]
    """Tensors with NaN or infinite values."""
    warnings: tuple[str, ...] = ()

    def told(self, words: tuple[str, ...], changed: Array) -> "Finding":
        """The same with its words, and all that changed in any window."""
        return replace(self, warnings=words, changed=changed)


@dataclass(frozen=True, slots=True)
class _Change:
    """One statistic that changed."""

    one: Distribution
    row: int
    mean: float
    spread: float
    frozen: bool
    chance: float


def in_words(
    watched: Sequence[Watched], finding: Finding, labels: tuple[str, ...]
) -> tuple[str, ...]:
    """A sentence for each tensor that changed."""
    sentences = []
    for number, tensor in enumerate(watched):
        said = []
        if number in finding.broken:
            count = int(finding.seen.not_finite[number])
            said.append(f"NaN or infinite values in {count} of {finding.seen.samples} samples")
        if number in finding.classes:
            said += _mix(tensor, finding.seen.classes[number], labels)
        said += _statistics(tensor, finding)
        if said:
            alone = sum(w.side == tensor.side for w in watched) == 1
            name = f"{tensor.side}s" if alone else f"{tensor.side} {tensor.name!r}"
            verb = "look" if alone else "looks"
            like = "the calibration data" if tensor.side == "input" else "those of the evaluation"
            told = ", ".join(said[:_SHOWN])
            sentences.append(f"{name} no longer {verb} like {like}: {told}")
    return tuple(sentences)


def _statistics(tensor: Watched, finding: Finding) -> list[str]:
    seen = finding.seen
    means, spreads = seen.means, seen.spreads
    changes = []
    for row, one in enumerate(tensor.reference.statistics, tensor.rows.start):
        size = max(abs(float(seen.greatest[row])), abs(float(seen.least[row])))
        still = seen.greatest[row] - seen.least[row] <= _SAME * size and one.spread > _SAME * size
        if finding.changed[row]:
            changes.append(
                _Change(
                    one,
                    row,
                    float(means[row]),
                    float(spreads[row]),
                    bool(still),
                    float(finding.chance[row]),
                )
            )
    if not changes:
        return []
    changes.sort(key=lambda c: (c.one.statistic in _CONSEQUENCES, c.chance))
    by_name = {(c.one.statistic, c.one.channel): c for c in changes}
    return (
        _frozen(changes)
        or _scaled(tensor, by_name)
        or _swapped(tensor, seen)
        or [*_coloured(tensor, by_name, means), *_each(tensor, by_name)]
    )


def _frozen(changes: list[_Change]) -> list[str]:
    """A sensor that gives the same again and again."""
    still = [c for c in changes if c.frozen]
    channels = [c.one.channel for c in still if c.one.channel is not None]
    if any(c.one.statistic in ("value", "mean") and c.one.channel is None for c in still):
        return ["every sample is the same: a frozen sensor?"]
    values = [c.one.channel for c in still if c.one.statistic in ("value", "mean")]
    named = [c for c in dict.fromkeys(values) if c is not None and c in channels]
    return [f"channel {c} is always {_value(still, c)}: a frozen sensor?" for c in named]


def _value(still: list[_Change], channel: int) -> str:
    return _number(next(c.mean for c in still if c.one.channel == channel))


def _scaled(tensor: Watched, changes: dict[Any, _Change]) -> list[str]:
    """Pixels of 0..255 for 0..1, grams for kilograms; or all channels by the same factor."""
    ratios = [
        c.mean / c.one.mean
        for (statistic, channel), c in changes.items()
        if statistic == "value" and channel is not None and c.one.mean
    ]
    if len(ratios) > _SHOWN and max(ratios) - min(ratios) < 0.1 * abs(min(ratios)):
        return [f"values are about {float(np.median(ratios)):.3g} times as large, in all channels"]
    spread = changes.get(("spread", None))
    if tensor.side != "input" or spread is None or not spread.one.mean:
        return []
    ratio = spread.mean / spread.one.mean
    if ratio >= _SCALE:
        wide = tensor.reference.high - tensor.reference.low
        pixels = tensor.reference.meaning == "image" and wide <= 2.5 and 50 < ratio < 400
        hint = "pixels of 0..255 that were not scaled?" if pixels else "another unit or scale?"
        return [f"values are about {ratio:.3g} times as large: {hint}"]
    if 0 < ratio <= 1 / _SCALE and ("mean", None) in changes:
        return [f"values are about {1 / ratio:.3g} times as small: another unit or scale?"]
    return []


def _swapped(tensor: Watched, seen: Seen) -> list[str]:
    """Colours in another order: the first channel is distributed as the third was, and the third as the first."""
    balance = {
        one.channel: (one, seen.counts[row])
        for row, one in enumerate(tensor.reference.statistics, tensor.rows.start)
        if one.statistic == "balance"
    }
    if not {0, 2} <= set(balance):
        return []
    (first, now_first), (third, now_third) = balance[0], balance[2]
    crossed = max(_distance(now_first, first, third), _distance(now_third, third, first))
    straight = min(_distance(now_first, first, first), _distance(now_third, third, third))
    return ["channels 0 and 2 look swapped: BGR for RGB?"] if 1.5 * crossed < straight else []


def _distance(seen: Array, counted_by: Distribution, other: Distribution) -> float:
    """Of counts between the edges of one distribution from another one, read between its own edges."""
    share = np.cumsum(other.counts)[:-1] / max(1, other.samples)
    expected = np.interp(counted_by.edges, other.edges, share)
    got = seen.cumsum()[: len(counted_by.edges)] / max(1, seen.sum())
    return float(np.abs(got - expected).max())


def _coloured(tensor: Watched, changes: dict[Any, _Change], means: Array) -> list[str]:
    """The one channel of a picture that moved beside the others, which all move beside it."""
    if tensor.reference.meaning != "image" or not any(s == "balance" for s, _ in changes):
        return []
    statistics = tensor.reference.statistics
    rows = {o.channel: row for row, o in enumerate(statistics) if o.statistic == "balance"}
    apart = {c: float(means[tensor.rows][row]) - statistics[row].mean for c, row in rows.items()}
    channel = max(apart, key=lambda c: abs(apart[c]))
    before = next(o for o in statistics if (o.statistic, o.channel) == ("mean", channel))
    if before.mean <= tensor.reference.low:
        return []
    count = tensor.reference.shape[-1]
    by = apart[channel] * count / (count - 1) / (before.mean - tensor.reference.low)
    return [f"channel {channel} {'brighter' if by > 0 else 'darker'} by {abs(by):.0%}"]


def _each(tensor: Watched, changes: dict[Any, _Change]) -> list[str]:
    """The changes one by one, the least likely first; what all channels share is told once."""
    coloured = tensor.reference.meaning == "image" and any(s == "balance" for s, _ in changes)
    told = []
    whole = {s: c for (s, channel), c in changes.items() if channel is None}
    for (statistic, channel), change in changes.items():
        if coloured and (statistic == "balance" or (statistic == "mean" and channel is not None)):
            continue
        general = whole.get(statistic)
        if channel is not None and general is not None and statistic in ("mean", "spread"):
            alike = abs(_relative(tensor, change) - _relative(tensor, general))
            if alike < 0.1 * max(1, abs(_relative(tensor, general))):
                continue
        text = _one(tensor, change)
        if text not in told:
            told.append(text)
    return told


def _one(tensor: Watched, change: _Change) -> str:
    one, reference = change.one, tensor.reference
    where = "" if one.channel is None else f"channel {one.channel} "
    relative = _relative(tensor, change)
    picture = reference.meaning == "image"
    now, before = _number(change.mean), _number(one.mean)
    by = f"by {abs(relative):.0%}"
    up = change.mean > one.mean
    if one.statistic == "mean" and picture and relative < -1:
        span = f"{_number(reference.low)}..{_number(reference.high)}"
        return f"values mostly below the calibrated range {span}: pixels of another scale?"
    if one.statistic == "mean" and picture and np.isfinite(relative):
        return f"{where}{'brighter' if up else 'darker'} {by}"
    if one.statistic in ("mean", "value", "balance"):
        away = abs(change.mean - one.mean) / one.spread if one.spread else np.inf
        if away < 0.3:
            return (
                f"{where}spread differently ({_number(change.spread)}, was {_number(one.spread)})"
            )
        word = "higher" if up else "lower"
        kind = "beside the others " if one.statistic == "balance" else ""
        return f"{where}{kind}{word} by {_number(away)} of its spread ({now}, was {before})"
    if one.statistic == "spread":
        if picture:
            return f"{where}{'more' if up else 'less'} contrast {by}"
        return f"{where}values lie {'further apart' if up else 'closer together'} {by}"
    if one.statistic == "roughness":
        if picture:
            return f"noisier or sharper {by}" if up else f"blurred: detail less {by}"
        return f"neighbouring values differ {'more' if up else 'less'} {by}"
    if one.statistic == "zeros":
        return f"zeros are {change.mean:.1%} of the values, were {one.mean:.1%}"
    if one.statistic == "outside":
        span = f"{_number(reference.low)}..{_number(reference.high)}"
        return f"{change.mean:.1%} of the values outside the calibrated range {span}, were {one.mean:.1%}"
    if one.statistic == "share":
        return f"class {one.channel} at {change.mean:.1%} of the positions, was {one.mean:.1%}"
    return f"confidence {change.mean:.2f}, was {one.mean:.2f}"


def _relative(tensor: Watched, change: _Change) -> float:
    """By how much of what it was a statistic changed; brightness from the darkest value on."""
    floor = tensor.reference.low if change.one.statistic in ("mean", "value") else 0.0
    before = change.one.mean - floor
    return (change.mean - floor) / before - 1 if before > 0 else np.inf


def _mix(tensor: Watched, seen: Array, labels: tuple[str, ...]) -> list[str]:
    """The classes whose shares changed most."""
    expected = np.array(tensor.reference.classes)
    a, b = seen / max(1, seen.sum()), expected / max(1, expected.sum())
    most = np.argsort(-np.abs(a - b), kind="stable")[:2]
    shares = [
        f"{label_of(int(i), labels, len(a))} {a[i]:.0%} of the predictions, was {b[i]:.0%}"
        for i in most
    ]
    return [f"another mix of classes ({'; '.join(shares)})"]


def _number(value: float) -> str:
    return f"{value:.3g}"
