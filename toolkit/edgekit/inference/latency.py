"""The latency of open sessions, measured in turns."""

from collections.abc import Mapping
from random import Random
from time import perf_counter
from typing import TypeVar

import numpy as np

from edgekit.inference.tensor_names import MappedSession
from edgekit_runtimes import Session
from edgekit_runtimes.base import Array

K = TypeVar("K")

_SECONDS = 0.15  # for each session; enough for hundreds of calls of a small model
_FEWEST_CALLS, _MOST_CALLS = 5, 300


def latencies(
    sessions: Mapping[K, Session | MappedSession],
    inputs: Mapping[str, Array],
    *,
    seconds: float = _SECONDS,
    part: float = 0.5,
) -> dict[K, float]:
    """Measure the median time of one call of each session, in milliseconds.

    The sessions take turns, so that other load on the machine affects all of them alike; each round in
    another order, lest the same one is always interrupted where a round is as long as what the system
    gives a process at a time. The first two calls of each do not count.

    Args:
        sessions: by any key.
        inputs: one batch, by input name.
        seconds: for each session.
        part: of the calls that are faster than what is returned: 0.5 for the median. A smaller one is nearer
            to what a call takes where nobody else wants the processor.
    """
    slowest = max((_second_call(session, inputs) for session in sessions.values()), default=1.0)
    rounds = int(min(_MOST_CALLS, max(_FEWEST_CALLS, seconds / max(slowest, 1e-6))))
    taken: dict[K, list[float]] = {key: [] for key in sessions}
    turns, chance = list(sessions.items()), Random(0)
    for _ in range(rounds):
        for key, session in chance.sample(turns, len(turns)):
            taken[key].append(_call_seconds(session, inputs))
    return {key: 1000 * float(np.quantile(values, part)) for key, values in taken.items()}


def _second_call(session: Session | MappedSession, inputs: Mapping[str, Array]) -> float:
    session.run(inputs)
    return _call_seconds(session, inputs)


def _call_seconds(session: Session | MappedSession, inputs: Mapping[str, Array]) -> float:
    start = perf_counter()
    session.run(inputs)
    return perf_counter() - start
