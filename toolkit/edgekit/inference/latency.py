"""The latency of open sessions, measured in turns."""

from collections.abc import Mapping
from statistics import median
from time import perf_counter
from typing import TypeVar

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
) -> dict[K, float]:
    """Measure the median time of one call of each session, in milliseconds.

    The sessions take turns, so that other load on the machine affects all of them alike. The first call
    of each does not count.

    Args:
        sessions: by any key.
        inputs: one batch, by input name.
        seconds: for each session.
    """
    first = {key: _call_seconds(session, inputs) for key, session in sessions.items()}
    slowest = max(first.values(), default=1.0)
    rounds = int(min(_MOST_CALLS, max(_FEWEST_CALLS, seconds / max(slowest, 1e-6))))
    taken: dict[K, list[float]] = {key: [] for key in sessions}
    for _ in range(rounds):
        for key, session in sessions.items():
            taken[key].append(_call_seconds(session, inputs))
    return {key: 1000 * median(values) for key, values in taken.items()}


def _call_seconds(session: Session | MappedSession, inputs: Mapping[str, Array]) -> float:
    start = perf_counter()
    session.run(inputs)
    return perf_counter() - start
