"""The readers of TFLite and ONNX graphs, against the formats' own packages."""

import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit_converters import PRECISIONS
from edgekit_runtimes import ModelError, open_model
from edgekit_runtimes.formats import onnx_file, tflite_file

TYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT32": "int32", "INT8": "int8"}
TYPES |= {"INT16": "int16", "INT64": "int64", "UINT8": "uint8", "BOOL": "bool"}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_tflite_graph_is_read_as_its_schema_has_it(converted: Path, precision: str) -> None:
    from ai_edge_litert import schema_py_generated as schema

    path = converted / f"model_{precision}.tflite"
    graph = tflite_file.read_graph(path)
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    expected = model.subgraphs[0]
    names = {number: kind for kind, number in vars(schema.TensorType).items()}
    assert len(graph.tensors) == len(expected.tensors)
    for spec, tensor in zip(graph.tensors, expected.tensors, strict=True):
        assert spec.name == tensor.name.decode()
        assert spec.shape == tuple([] if tensor.shape is None else tensor.shape)
        assert spec.dtype == TYPES[names[tensor.type]]
        scales = getattr(tensor.quantization, "scale", None)
        if scales is not None and len(scales) == 1:  # one a channel is no affair of an end
            assert spec.scale == pytest.approx(scales[0])
            assert spec.zero_point == tensor.quantization.zeroPoint[0]
        else:
            assert (spec.scale, spec.zero_point) == (None, 0)
    assert [(n.code, n.inputs, n.outputs) for n in graph.nodes] == [
        (
            model.operatorCodes[op.opcodeIndex].builtinCode,
            tuple(op.inputs),
            tuple(op.outputs),
        )
        for op in expected.operators
    ]
    assert graph.inputs == tuple(graph.tensors[i] for i in expected.inputs)
    assert graph.outputs == tuple(graph.tensors[i] for i in expected.outputs)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_tflite_file_cut_short_anywhere_is_an_error(
    converted: Path, tmp_path: Path, precision: str
) -> None:
    content = (converted / f"model_{precision}.tflite").read_bytes()
    short = tmp_path / "short.tflite"
    lengths = [*range(0, 64), *np.linspace(64, len(content) - 1, 200, dtype=int)]
    for length in lengths:
        short.write_bytes(content[:length])
        with pytest.raises(ModelError, match=r"short\.tflite"):
            tflite_file.read_graph(short)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0" * 200, b"PK\3\4" + b"x" * 100])
def test_what_is_not_a_tflite_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(ModelError, match="not a TFLite file"):
        tflite_file.read_graph(tmp_path / "x.tflite")


def test_a_damaged_tflite_file_is_a_model_error_or_readable(
    converted: Path, tmp_path: Path
) -> None:
    content = (converted / "model_int8.tflite").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for at in random.integers(8, len(content), 20):
            damaged[at] = random.integers(256)
        (tmp_path / "x.tflite").write_bytes(damaged)
        try:
            tflite_file.read_graph(tmp_path / "x.tflite")
        except ModelError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_onnx_graph_is_read_as_the_onnx_package_reads_it(
    converted: Path, precision: str
) -> None:
    path = converted / f"model_{precision}.onnx"
    graph, expected = onnx_file.read_graph(path), onnx.load(path).graph
    assert [(n.name, n.kind, n.inputs, n.outputs) for n in graph.nodes] == [
        (n.name, n.op_type, tuple(n.input), tuple(n.output)) for n in expected.node
    ]
    assert graph.constants == {t.name: tuple(t.dims) for t in expected.initializer}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_weights_of_an_onnx_node_are_found_behind_their_dequantization(
    converted: Path, precision: str
) -> None:
    graph = onnx_file.read_graph(converted / f"model_{precision}.onnx")
    convolutions = [graph.weights(n) for n in graph.nodes if n.kind == "Conv"]
    assert convolutions == [(16, 1, 3, 3), (32, 16, 3, 3)]
    softmax = next(n for n in graph.nodes if n.kind == "Softmax")
    assert graph.weights(softmax) == ()
    maker = graph.maker(softmax.outputs[0])
    assert maker is softmax
    assert graph.maker("image") is None


def test_the_scales_of_integer_ends_are_read_from_the_metadata(tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [1]) for name in "xy"]
    model = helper.make_model(helper.make_graph([], "empty", ends[:1], ends[1:]))
    onnx.save(model, tmp_path / "plain.onnx")
    helper.set_model_props(
        model,
        {"other": "{}", onnx_file.QUANTIZATION_KEY: '{"x": {"scale": 0.5, "zero_point": 3}}'},
    )
    onnx.save(model, tmp_path / "scaled.onnx")
    plain, scaled = (onnx_file.read_ends(tmp_path / f"{n}.onnx") for n in ("plain", "scaled"))
    assert plain == {"x": (None, 0), "y": (None, 0)}
    assert scaled == {"x": (0.5, 3), "y": (None, 0)}


def test_a_softmax_that_would_end_the_process_is_refused_in_words(
    converted: Path, tmp_path: Path
) -> None:
    path = converted / "model_int8.tflite"
    graph = tflite_file.read_graph(path)
    softmax = next(n for n in graph.nodes if n.code == 25)
    scale = struct.pack("<f", graph.tensors[softmax.inputs[0]].scale)
    content = path.read_bytes()
    assert content.count(scale) == 1
    (tmp_path / "x.tflite").write_bytes(content.replace(scale, struct.pack("<f", 1e-9)))
    with pytest.raises(ModelError, match=r"x\.tflite.*softmax.*Is the model trained"):
        open_model(tmp_path / "x.tflite", device="micro")
