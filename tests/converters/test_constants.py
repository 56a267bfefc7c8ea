"""A float graph with other constants, and integer weights that come back as they were chosen."""

from pathlib import Path

import numpy as np
import pytest

from edgekit_converters import ranges_over
from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.constants import with_constants
from edgekit_converters.tflite.write import write_tflite
from edgekit_runtimes import open_model

WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""The axis of the channels in the weights of each kind."""


def constants(graph: Path) -> dict[str, Array]:
    """The float constants of a file, by tensor name."""
    model = flatbuffer.read(graph)
    return {
        flatbuffer.name(tensor): value
        for tensor in model.subgraphs[0].tensors
        if tensor.type == flatbuffer.FLOAT32
        and (value := flatbuffer.constant(model, tensor)) is not None
    }


def channel_axes(graph: Path) -> dict[str, int]:
    """The axis of the channels of each weight, by tensor name."""
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    return {
        flatbuffer.name(main.tensors[operator.inputs[1]]): WEIGHTED[kind]
        for operator in main.operators
        if (kind := flatbuffer.kind_name(model, operator)) in WEIGHTED
    }


def integers(path: Path, kinds: dict[str, int]) -> list[Array]:
    """The integer weights of a quantized file, in the order of their operators."""
    model = flatbuffer.read(path)
    main = model.subgraphs[0]
    return [
        flatbuffer.constant(model, main.tensors[operator.inputs[1]])  # type: ignore[misc]
        for operator in main.operators
        if flatbuffer.kind_name(model, operator) in kinds
    ]


def test_only_the_named_tensor_changes_where_a_buffer_is_shared(
    converted: Path, tmp_path: Path
) -> None:
    graph = converted / "model_float32.tflite"
    model = flatbuffer.read(graph)
    named = {flatbuffer.name(tensor): tensor for tensor in model.subgraphs[0].tensors}
    first, second = [named[name] for name in constants(graph)][:2]
    second.buffer, second.shape = first.buffer, first.shape
    shared = tmp_path / "shared.tflite"
    flatbuffer.write(model, shared)
    before = constants(shared)
    name, other = flatbuffer.name(first), flatbuffer.name(second)
    assert np.array_equal(before[name], before[other])

    with_constants(shared, tmp_path / "other.tflite", {name: before[name] + 1})

    after = constants(tmp_path / "other.tflite")
    assert np.array_equal(after[name], before[name] + 1)
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[n], before[n]) for n in before if n != name)


def test_without_weights_and_bias_of_the_last_layer_all_classes_are_as_likely(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    graph = converted / "model_float32.tflite"
    values = {
        name: value * 0
        for name, value in constants(graph).items()
        if value.shape[:1] == (10,)  # classes
    }
    assert len(values) == 2
    with_constants(graph, tmp_path / "flat.tflite", values)
    image = np.load(digits / "eval.npz")["image"][:1]
    with open_model(tmp_path / "flat.tflite") as session:
        assert np.allclose(next(iter(session.run({"image": image}).values())), 0.1)


@pytest.mark.parametrize("interface", ["float", "int8"])
def test_integers_on_a_grid_come_back_by_the_ranges_of_the_weights(
    interface: str, converted: Path, digits: Path, tmp_path: Path
) -> None:
    """By default a weight's scale follows its largest value, which rounding may have moved."""
    graph = converted / "model_float32.tflite"
    samples = [{"image": image} for image in np.load(digits / "calib.npz")["image"][:20]]
    most, wanted, rounded = {}, [], {}
    for name, axis in channel_axes(graph).items():
        weight = constants(graph)[name]
        others = tuple(a for a in range(weight.ndim) if a != axis)
        most[name] = np.abs(weight).max(others, keepdims=True) * np.float32(1.1)
        scale = most[name] / 127  # so that no channel reaches 127
        wanted.append(np.rint(weight / scale).astype(np.int8))
        rounded[name] = wanted[-1] * scale
    grid = tmp_path / "grid.tflite"
    with_constants(graph, grid, rounded)
    ranges = ranges_over(grid, samples)
    for weight_ranges in (None, most):
        target = tmp_path / "int8.tflite"
        write_tflite(
            grid,
            target,
            "int8",
            ranges,
            interface,  # type: ignore[arg-type]
            weight_ranges=weight_ranges,
        )
        same = [
            np.array_equal(a, b) for a, b in zip(integers(target, WEIGHTED), wanted, strict=True)
        ]
        assert same == [weight_ranges is not None] * len(wanted)


def test_what_is_no_constant_is_refused_by_name(converted: Path, tmp_path: Path) -> None:
    graph = converted / "model_float32.tflite"
    one = np.ones(1, np.float32)
    name, value = next(iter(constants(graph).items()))
    with pytest.raises(ValueError, match="no tensor 'nothing'"):
        with_constants(graph, tmp_path / "x.tflite", {"nothing": one})
    with pytest.raises(ValueError, match="'image' is no float32 constant"):
        with_constants(graph, tmp_path / "x.tflite", {"image": one})
    with pytest.raises(ValueError, match="and its new value"):
        with_constants(graph, tmp_path / "x.tflite", {name: value[..., :1].repeat(3)})
