"""Times of calls that are compared."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

Calls = dict[str, Callable[[], Any]]


def medians(calls: Calls, rounds: int) -> dict[str, float]:
    """Median microseconds of each call; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call(), call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = perf_counter()
            call()
            times[name].append(perf_counter() - start)
    return {name: 1e6 * median(t) for name, t in times.items()}
