"""Arrays in memory that two processes see."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgekit.serving.memory import Memory, open_memory

Pair = tuple[Memory, Memory, int]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of the same memory, and its file."""
    file = open_memory()
    one, other = Memory(file), Memory(os.dup(file))
    yield one, other, file
    one.close()
    other.close()


def arrays(count: int) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(count)
    return {
        "x": random.random((count, 3), np.float32),
        "mask": random.random((count, 3)) > 0.5,
        "turned": random.random((3, count)).T,
        "none": np.zeros((0, 3), np.int64),
        "one": np.array(7, np.int16),
    }


def same(got: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return got.keys() == wanted.keys() and all(
        got[n].dtype == wanted[n].dtype and np.array_equal(got[n], wanted[n]) for n in wanted
    )


def test_what_one_puts_the_other_gets_however_large(pair: Pair) -> None:
    one, other, _ = pair
    for count in (1, 5, 100_000, 3):
        inputs, outputs = arrays(count), arrays(2 * count)
        asked = one.put(inputs)
        assert same(other.get(asked), inputs)
        answered = other.put(outputs, behind=asked)
        assert same(one.get(answered), outputs)
        assert same(other.get(asked), inputs), "they are not written over"


def test_what_a_large_call_took_is_given_back(pair: Pair) -> None:
    one, other, file = pair
    other.get(one.put({"x": np.ones(4_000_000)}))
    assert os.fstat(file).st_size >= 32_000_000
    small = one.put({"x": np.ones(4)})

    assert os.fstat(file).st_size < 5_000_000
    assert other.get(small)["x"].tolist() == [1, 1, 1, 1]
