"""What small TFLite files take, side by side in one process: files of one operator, for instance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, ModelError
from edgekit_runtimes.subprocess_engine import Child, State

_BATCH = 40e-6  # seconds of calls in a row
_MOST_CALLS = 20  # in a row
_FEWEST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A TFLite file, and what it is called with."""

    content: bytes
    inputs: Sequence[Array | None]
    """In the order of the file's own; zeros where one is None or missing."""

    name: str = ""


@dataclass(slots=True)
class _Opened:
    interpreter: Any
    """Kept, for ``invoke`` is a part of it."""

    invoke: Any
    calls: int
    times: list[float] = field(default_factory=list)


def call_seconds(
    files: Sequence[SmallFile], *, threads: int = 1, seconds: float = 1.0
) -> list[float | None]:
    """Return the median seconds of one call of each file; None of one that cannot be run.

    They are called in turns, a few times in a row each, in a process of their own. Files that are parts
    of one model should come in its order.

    Args:
        files: are all open at once.
        threads: of XNNPACK.
        seconds: of measuring, all files together; each is called often enough in any case.
    """
    child = Child("LiteRT")
    ready: dict[int, SmallFile] = {}
    try:
        for number, file in enumerate(files):
            try:
                child.ask(_open, number, file, threads)
                ready[number] = file
            except ModelError:  # refused, or the process has crashed
                if child.status() is not None:
                    child.end()
                    child = Child("LiteRT")
                    for before, good in ready.items():
                        child.ask(_open, before, good, threads)
        times: dict[int, float] = child.ask(_time, seconds)
    finally:
        child.end()
    return [times.get(number) for number in range(len(files))]


def _open(state: State, number: int, file: SmallFile, threads: int) -> None:
    from pathlib import Path

    from edgekit_runtimes.engines.litert import load

    interpreter = load(Path(file.name or "operator"), threads, content=file.content)
    try:
        details = interpreter.get_input_details()
        for place, detail in enumerate(details):
            given = file.inputs[place] if place < len(file.inputs) else None
            if given is None:
                given = np.zeros(detail["shape"], detail["dtype"])
            interpreter.set_tensor(detail["index"], given)
        interpreter.invoke()
    except (ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{file.name}: LiteRT cannot run it: {error}") from error
    invoke = getattr(getattr(interpreter, "_interpreter", None), "Invoke", interpreter.invoke)
    invoke()
    start = perf_counter()
    invoke()
    once = perf_counter() - start
    calls = max(1, min(_MOST_CALLS, int(_BATCH / max(once, 1e-9))))
    state[str(number)] = _Opened(interpreter, invoke, calls)


def _time(state: State, seconds: float) -> dict[int, float]:
    opened: dict[int, _Opened] = {int(key): value for key, value in state.items()}
    start = perf_counter()
    rounds = 0
    while opened and (rounds < _FEWEST_ROUNDS or perf_counter() - start < seconds):
        for one in opened.values():
            one.invoke()  # brings its weights back into the caches
            before = perf_counter()
            for _ in range(one.calls):
                one.invoke()
            one.times.append((perf_counter() - before) / one.calls)
        rounds += 1
    return {number: median(one.times) for number, one in opened.items()}
