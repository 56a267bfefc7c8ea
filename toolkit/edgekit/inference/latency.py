"""The latency of open sessions, measured in turns."""

from collections.abc import Mapping
from statistics import median
from time import perf_counter
from typing import TypeVar

from edgekit.inference.tensor_names import Renamed
from edgekit_runtimes import Session
from edgekit_runtimes.base import Array

K = TypeVar("K")


_SECONDS = 0.15  # for each file; enough for hundreds of calls of a small model


_MOST, _FEWEST = 300, 5


def latencies(
    sessions: Mapping[K, Session | Renamed], inputs: Mapping[str, Array]
) -> dict[K, float]:
    """The median milliseconds of one call of each session.

    The sessions take turns, so that whatever else the machine does falls on all of them alike.

    Args:
        sessions: by any key.
        inputs: one batch.
    """
    times: dict[K, list[float]] = {key: [] for key in sessions}
    first = {key: _timed(session, inputs) for key, session in sessions.items()}
    slowest = max(first.values(), default=1.0)
    rounds = int(min(_MOST, max(_FEWEST, _SECONDS / max(slowest, 1e-6))))
    for _ in range(rounds):
        for key, session in sessions.items():
            times[key].append(_timed(session, inputs))
    return {key: 1000 * median(values) for key, values in times.items()}


def _timed(session: Session | Renamed, inputs: Mapping[str, Array]) -> float:
    start = perf_counter()
    session.run(inputs)
    return perf_counter() - start
