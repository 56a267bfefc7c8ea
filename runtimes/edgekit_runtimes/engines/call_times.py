"""How long sessions take for one call, measured side by side."""

from collections.abc import Mapping
from statistics import median
from time import perf_counter, sleep
from typing import TypeVar

from edgekit_runtimes.base import Array
from edgekit_runtimes.session import Session

Key = TypeVar("Key")

_BUDGET = 0.15  # seconds of measuring each runtime, after loading
_BLOCK = 8e-3  # seconds of calls in a row
_PAUSE = 2e-3  # seconds until the threads of the previous session have stopped spinning
_HOPELESS = (2.0, 1.5, 1.15)  # times the fastest: slower ones are out after the first rounds


def call_times(opened: Mapping[Key, tuple[Session, Mapping[str, Array]]]) -> dict[Key, float]:
    """The median seconds of one call of each session, in blocks that take turns.

    Args:
        opened: by any key, a session and one batch for it.

    Returns:
        Seconds by the same keys; infinity for those that were soon too slow to go on.
    """
    blocks: dict[Key, list[float]] = {key: [] for key in opened}
    left = list(opened)
    start = perf_counter()
    rounds = 0
    while left and (rounds <= len(_HOPELESS) or perf_counter() - start < _BUDGET):
        # In reverse every other round, so that no session always runs behind the same one.
        for key in left if rounds % 2 else left[::-1]:
            session, x = opened[key]
            sleep(_PAUSE)
            blocks[key].append(_block(session, x))
        # By the least time: other load on the machine only adds to a time.
        least = {key: min(times) for key, times in blocks.items()}
        limit = _HOPELESS[min(rounds, len(_HOPELESS) - 1)] * min(least.values())
        left = [key for key in left if least[key] <= limit]
        rounds += 1
        if len(left) == 1 and rounds > len(_HOPELESS):
            break
    return {c: median(times) if c in left else float("inf") for c, times in blocks.items()}


def _block(session: Session, x: Mapping[str, Array]) -> float:
    times = []
    session.run(x)  # brings caches and threads back
    start = last = perf_counter()
    while last - start < _BLOCK:
        session.run(x)
        now = perf_counter()
        times.append(now - last)
        last = now
    return median(times)
