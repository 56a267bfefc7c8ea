"""Operators cut out of a file compute what they compute in it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.samples import Array
from edgekit_converters import convert, load_model
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.cut import cut
from edgekit_converters.tflite.interpreter import open_interpreter


def tensors_of(content: bytes, given: dict[str, Array]) -> dict[str, Array]:
    """Every tensor of a file after a call, by name; but those of a loop that nothing reads."""
    main = flatbuffer.read_packed(content).subgraphs[0]
    read = {*main.outputs, *(int(i) for operator in main.operators for i in operator.inputs)}
    interpreter = open_interpreter(content, threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], given[detail["name"]])
    interpreter.invoke()
    return {
        detail["name"]: interpreter.get_tensor(detail["index"]).copy()
        for detail in interpreter.get_tensor_details()
        if detail["index"] in read
    }


def ends_of(content: bytes) -> tuple[list[str], list[str]]:
    interpreter = open_interpreter(content)
    return (
        [detail["name"] for detail in interpreter.get_input_details()],
        [detail["name"] for detail in interpreter.get_output_details()],
    )


@pytest.fixture(scope="module")
def lstm(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits LSTM, whose loop is a graph of its own, in float32 and int8."""
    folder = tmp_path_factory.mktemp("lstm")
    model = load_model(str(digits / "lstm.keras"))
    rows = [{"rows": row} for row in np.load(digits / "rows.npz")["rows"][:20]]
    targets: dict[Any, Path] = {
        ("tflite", precision): folder / f"{precision}.tflite" for precision in ("float32", "int8")
    }
    convert(model, targets, rows, scratch=folder)
    return folder


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_each_operator_alone_computes_what_it_computes_in_the_file(
    name: str, precision: str, converted: Path, digits: Path, request: pytest.FixtureRequest
) -> None:
    if name == "cnn":
        file = converted / f"model_{precision}.tflite"
        given = {"image": np.load(digits / "eval.npz")["image"][:1]}
    else:
        file = request.getfixturevalue("lstm") / f"{precision}.tflite"
        given = {"rows": np.load(digits / "rows.npz")["rows"][-1:]}
    model = flatbuffer.read(file)
    whole = tensors_of(file.read_bytes(), given)
    before = bytes(flatbuffer.packed(model))

    for place, operator in enumerate(model.subgraphs[0].operators):
        content = cut(model, [place])
        alone = tensors_of(content, whole)
        names = [flatbuffer.name(model.subgraphs[0].tensors[i]) for i in operator.outputs]
        compared = set(names) & set(whole)
        assert compared
        for output in compared:
            assert alone[output].dtype == whole[output].dtype
            np.testing.assert_array_equal(alone[output], whole[output], output)
        if len(operator.outputs) == 1:
            assert ends_of(content)[1] == names

    assert bytes(flatbuffer.packed(model)) == before, "cutting changed the file that it cut from"


def test_a_run_of_operators_gives_what_the_rest_of_the_file_reads(converted: Path) -> None:
    file = converted / "model_int8.tflite"
    model = flatbuffer.read(file)
    main = model.subgraphs[0]
    middle = range(1, len(main.operators) - 2)
    rng = np.random.default_rng(0)
    whole = tensors_of(file.read_bytes(), {"image": rng.random((1, 8, 8, 1), np.float32)})

    content = cut(model, middle)
    inputs, outputs = ends_of(content)

    alone = tensors_of(content, whole)
    assert [len(inputs), len(outputs)] == [1, 1]
    np.testing.assert_array_equal(alone[outputs[0]], whole[outputs[0]])
    first = main.tensors[main.operators[1].inputs[0]]
    cut_graph = flatbuffer.read_packed(content).subgraphs[0]
    kept = cut_graph.tensors[cut_graph.inputs[0]]
    assert kept.quantization.scale == pytest.approx(first.quantization.scale)
    assert kept.quantization.zeroPoint == first.quantization.zeroPoint


def test_a_cut_holds_nothing_that_its_operators_do_not_need(converted: Path) -> None:
    model = flatbuffer.read(converted / "model_float32.tflite")
    graph = model.subgraphs[0]

    for place, operator in enumerate(graph.operators):
        alone = flatbuffer.read_packed(cut(model, [place]))
        kept = [len(buffer.data) for buffer in alone.buffers if buffer.data is not None]
        needed = {graph.tensors[i].buffer for i in operator.inputs if i >= 0}
        sizes = [model.buffers[i].data for i in needed]
        assert sum(kept) == sum(len(data) for data in sizes if data is not None)
        assert [flatbuffer.opcode(alone, op) for op in alone.subgraphs[0].operators] == [
            flatbuffer.opcode(model, operator)
        ]
        assert len(alone.operatorCodes) == 1


def test_an_operator_without_its_activation_gives_values_that_it_would_have_cut_off(
    converted: Path, digits: Path
) -> None:
    file = converted / "model_float32.tflite"
    model = flatbuffer.read(file)
    given = {"image": np.load(digits / "eval.npz")["image"][:1]}
    whole = tensors_of(file.read_bytes(), given)
    (place, *_) = (
        i
        for i, op in enumerate(model.subgraphs[0].operators)
        if getattr(op.builtinOptions, "fusedActivationFunction", 0) == 1  # ReLU
    )
    output = ends_of(cut(model, [place]))[1][0]

    bare = tensors_of(cut(model, [place], fused=False), whole)[output]

    assert bare.min() < 0
    np.testing.assert_array_equal(np.maximum(bare, 0), whole[output])
