"""A function with large arguments, called on many values wherever an executor computes: it travels once."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from edgekit.inference.place import Executor, Place, Shared

V = TypeVar("V")
R = TypeVar("R")


def call_by(
    executor: Executor, function: Callable[[V], R], values: Iterable[V], file: Path
) -> Iterator[R]:
    """Yield what a function returns for each value, in order.

    Args:
        executor: where.
        function: of edgekit, found by its name, or a ``partial`` of one.
        values: picklable.
        file: is written, and sent to each worker once.
    """
    file.write_bytes(pickle.dumps(function, protocol=5))
    shared = executor.share(file)
    yield from executor.map(call, ((shared, value) for value in values))


def call(item: tuple[Shared, Any], place: Place) -> Any:
    """What the function that a shared file holds returns for a value."""
    shared, value = item
    path = place.path(shared)
    return place.keep("function", shared.digest, partial(_load, path))(value)


def _load(path: Path) -> Any:
    return pickle.loads(path.read_bytes())
