"""The cheapest split of a graph between float32 and int8, against all splits that there are."""

from collections.abc import Iterator
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.inference.assignment import (
    GraphCosts,
    OperatorCost,
    TensorCost,
    assignments,
    cheapest,
)

times = st.integers(0, 50).map(float)


@st.composite
def graphs(draw: st.DrawFn) -> GraphCosts:
    """A random graph: each operator reads some tensors that were there before it, and makes one."""
    count = draw(st.integers(1, 9))
    operators, readers = [], [list[int]() for _ in range(count + 1)]
    for place in range(count):
        form = draw(st.sampled_from(["both", "both", "both", "float", "int8"]))
        operators.append(
            OperatorCost(
                f"op{place}",
                "ADD",
                None if form == "int8" else draw(times),
                None if form == "float" else draw(times),
            )
        )
        for read in draw(st.sets(st.integers(0, place), min_size=1, max_size=2)):
            readers[read].append(place)
    tensors = [
        TensorCost(
            f"t{number}",
            number - 1 if number else None,
            tuple(read),
            draw(times),
            draw(times),
            is_output=not read or draw(st.booleans()),
        )
        for number, read in enumerate(readers)
    ]
    return GraphCosts(operators, tensors, draw(st.sampled_from(["float32", "int8"])))


noises = st.dictionaries(
    st.integers(0, 9).map("t{}".format), st.integers(0, 20).map(float), max_size=10
)


def splits(
    costs: GraphCosts, noise: dict[str, float]
) -> Iterator[tuple[frozenset[str], float, float]]:
    """Every split: the operators in float, its time, and its noise; written down from the definition."""
    for sides in product("fi", repeat=len(costs.operators)):
        own = [
            op.float_us if side == "f" else op.int8_us
            for op, side in zip(costs.operators, sides, strict=True)
        ]
        if None in own:
            continue
        us = sum(time for time in own if time is not None)
        rounded = 0.0
        end = costs.ends[0]
        for tensor in costs.tensors:
            made = end if tensor.maker is None else sides[tensor.maker]
            read = {sides[place] for place in tensor.readers} | (
                {end} if tensor.is_output else set()
            )
            if made == "f" and "i" in read:
                us += tensor.quantize_us
            if made == "i" and "f" in read:
                us += tensor.dequantize_us
            if "i" in read | {made}:
                rounded += noise.get(tensor.name, 0.0)
        kept = frozenset(
            op.name for op, side in zip(costs.operators, sides, strict=True) if side == "f"
        )
        yield kept, us, rounded


@settings(max_examples=150, deadline=None)
@given(graphs(), noises, st.integers(0, 10))
def test_no_split_is_cheaper(costs: GraphCosts, noise: dict[str, float], weight: int) -> None:
    found = cheapest(costs, noise, weight)

    every = list(splits(costs, noise))
    assert (found.in_float, found.us, found.noise) in every
    least = min(us + weight * rounded for _, us, rounded in every)
    assert found.us + weight * found.noise == pytest.approx(least, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(graphs(), noises)
def test_a_family_goes_from_the_fastest_to_the_most_exact(
    costs: GraphCosts, noise: dict[str, float]
) -> None:
    family = assignments(costs, noise)

    every = list(splits(costs, noise))
    assert len(set(family)) == len(family)
    for fast, slow in pairwise(family):
        assert fast.us < slow.us
        assert fast.noise > slow.noise
    assert family[0].us == pytest.approx(min(us for _, us, _ in every), abs=1e-4)
    assert family[-1].noise == min(rounded for *_, rounded in every)
    for one in family:  # nothing is faster and as exact, or as fast and more exact
        assert not any(us < one.us - 1e-4 and rounded <= one.noise for _, us, rounded in every)


def test_given_weights_give_no_split_twice() -> None:
    conv = OperatorCost("conv", "CONV_2D", 40.0, 12.0)
    norm = OperatorCost("norm", "MUL", 5.0, 9.0)
    costs = GraphCosts(
        [conv, norm],
        [
            TensorCost("x", None, (0,), 2.0, 2.0),
            TensorCost("y", 0, (1,), 2.0, 2.0),
            TensorCost("z", 1, (), 2.0, 2.0, is_output=True),
        ],
    )

    family = assignments(costs, {"y": 1.0, "z": 0.01}, weights=[0, 0.1, 1, 1000])

    assert [one.in_float for one in family] == [frozenset({"norm"}), frozenset({"conv", "norm"})]
    assert [one.us for one in family] == [21.0, 45.0]


def test_an_operator_without_any_form_is_named() -> None:
    costs = GraphCosts([OperatorCost("odd", "CUSTOM", None, None)], [])

    with pytest.raises(ValueError, match="'odd'"):
        cheapest(costs)
