"""The choice among candidates: pure functions of what was measured, and of a judge that is asked once."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FINALISTS = 4
"""The most candidates that are judged."""

GAIN = 0.98
"""A candidate that costs more than this part of a safer one's cost gains nothing."""

_PROVEN = 1.0  # half widths of room up to the limit, as ``accuracy.forecast`` has it


@dataclass(frozen=True, slots=True)
class Standing(Generic[K]):
    """What the choosing samples say of a candidate."""

    key: K
    cost: float
    """What is to be small: milliseconds or bytes."""
    safety: float
    """How safely it will be proven, as ``accuracy.forecast.safety`` has it: from 1 on it is expected."""
    sqnr_db: float
    """Breaks ties between candidates that are equally safe."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[K]):
    """Who was chosen, and what was judged on the way."""

    chosen: K | None
    """None where no candidate is proven."""
    judged: tuple[tuple[K, bool], ...]
    """Each that was judged, in order, and whether it is proven."""


def choose(
    standings: Sequence[Standing[K]],
    is_proven: Callable[[K], bool],
    *,
    way_out: float,
    most: int = FINALISTS,
) -> Choice[K]:
    """Judge the finalists from the safest to the cheapest, and choose the last one that is proven.

    The walk ends at the first that is not proven. It is a sequence of tests in an order that was fixed
    before any of them (by the choosing samples, none of which judges): each may use the whole error
    probability of a single test, and the probability that any candidate beyond the limit is proven, and
    so that one is chosen, stays that of one test: at most 2.5%, the one side of a 95% interval. Of the
    candidates beyond the limit, only the first in the order can be the first mistake, since behind one
    that is not proven nobody is judged. No correction for the number of candidates is due.
    (Maurer, Hothorn and Lehmacher, 1995: Multiple comparisons in drug clinical trials and preclinical
    assays: a-priori ordered hypotheses. Westfall and Krishen, 2001: Optimally weighted, fixed sequence and
    gatekeeper multiple testing procedures.)

    Args:
        standings: of all candidates.
        is_proven: judges a candidate, on samples of which the standings know nothing.
        way_out: the cost of what is taken where nothing is proven: who costs as much gains nothing.
        most: how many to judge.
    """
    chosen, judged = None, []
    order = finalists(standings, way_out=way_out, most=most)
    if not order and (nearest := safest([s for s in standings if s.cost < GAIN * way_out])):
        order = [nearest]  # it may be proven by luck, and the report says what it loses
    for key in order:
        proven = is_proven(key)
        judged.append((key, proven))
        if not proven:
            break
        chosen = key
    return Choice(chosen, tuple(judged))


def finalists(
    standings: Sequence[Standing[K]], *, way_out: float, most: int = FINALISTS
) -> list[K]:
    """The candidates worth judging, from the safest to the cheapest: each cheaper than all safer ones.

    Only candidates that are expected to be proven. Of more than ``most``, the safest, the cheapest, and
    between them those that lie evenly in that order.
    """
    expected = [s for s in standings if s.safety >= _PROVEN and s.cost < GAIN * way_out]
    frontier = list[Standing[K]]()
    for standing in sorted(expected, key=lambda s: (-s.safety, -s.sqnr_db, s.cost)):
        if not frontier or standing.cost < GAIN * frontier[-1].cost:
            frontier.append(standing)
    if len(frontier) > most:
        last = len(frontier) - 1
        steps = [round(step * last / max(most - 1, 1)) for step in range(most)]
        frontier = [frontier[step] for step in (steps if most > 1 else [last])]
    return [standing.key for standing in frontier]


def safest(standings: Sequence[Standing[K]]) -> K | None:
    """The candidate that comes nearest to being proven, the cheaper of two alike; None of none."""
    best = max(standings, key=lambda s: (s.safety, s.sqnr_db, -s.cost), default=None)
    return None if best is None else best.key
