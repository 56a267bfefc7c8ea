"""Runtimes that are known to compute wrongly: what is warned of, and that it is so."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from support.server import serving, until

from edgekit.cli.main import main
from edgekit_runtimes import open_model
from edgekit_runtimes.formats.fault_conditions import (
    divides_integers,
    lengths,
    narrow_products,
    pads_before_max_pools,
    products,
)
from edgekit_runtimes.formats.known_faults import FAULTS, KnownFault
from edgekit_runtimes.formats.release import release


def division(path: Path) -> Path:
    """A TFLite file that divides one int8 tensor by another."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes, scale: float, zero_point: int) -> Any:
        made = schema.TensorT()
        made.shape, made.type, made.name = [1, 16], schema.TensorType.INT8, name
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [scale], [zero_point]
        return made

    code, divide = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DIV
    divide.inputs, divide.outputs = [0, 1], [2]
    divide.builtinOptionsType, divide.builtinOptions = 29, schema.DivOptionsT()
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors = [tensor(b"a", 1 / 32, 0), tensor(b"b", 1 / 64, -128), tensor(b"y", 1 / 16, 0)]
    graph.inputs, graph.outputs, graph.operators = [0, 1], [2], [divide]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def padded_pool(path: Path, before: str = "", **pooling: Any) -> Path:
    """An ONNX file with zeros around the input, or what an operator makes of it, and a max pooling."""
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
    nodes = [helper.make_node(before, ["x"], ["r"])] if before else []
    pool = helper.make_node("MaxPool", ["p"], ["y"], kernel_shape=[2, 2], strides=[2, 2], **pooling)
    nodes += [helper.make_node("Pad", ["r" if before else "x", "pads"], ["p"]), pool]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, size, size])]
        for name, size in (("x", 4), ("y", 3))
    ]
    graph = helper.make_graph(nodes, "g", *ends, [pads])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def test_a_file_that_the_installed_runtime_computes_wrongly_is_warned_of_once(
    tmp_path: Path,
) -> None:
    path = division(tmp_path / "divide.tflite")
    with pytest.warns(KnownFault, match=r"divide\.tflite: LiteRT \d.* divides int8"):
        session = open_model(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_model(path).close()
    a = np.full((1, 16), -1 / 32, np.float32)
    wrong = session.run({"a": a, "b": np.full((1, 16), 3.5, np.float32)})["y"]
    assert wrong.min() < -7  # -1/112: if this fails, the fault is mended: say so in FAULTS
    session.close()


def test_files_that_hold_no_fault_are_opened_without_a_word(converted: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", KnownFault)
        for path in sorted(converted.glob("model_*8.*")):
            open_model(path).close()


@pytest.mark.parametrize(
    ("before", "pooling", "affected"),
    [
        ("", {}, True),
        ("Tanh", {}, True),
        ("Relu", {}, False),
        ("", {"auto_pad": "VALID"}, False),
    ],
)
def test_zeros_before_a_max_pooling_matter_where_values_may_be_negative(
    tmp_path: Path, before: str, pooling: dict[str, Any], affected: bool
) -> None:
    assert pads_before_max_pools(padded_pool(tmp_path / "m.onnx", before, **pooling)) is affected


def test_what_edgekit_writes_itself_is_not_taken_for_padding_that_is_fused(
    converted: Path,
) -> None:
    assert not any(pads_before_max_pools(path) for path in converted.glob("*.onnx"))


def test_products_are_told_by_their_quantized_columns(converted: Path, tmp_path: Path) -> None:
    assert products(converted / "model_int8.onnx")
    assert not products(converted / "model_float32.onnx")
    model = onnx.load(converted / "model_int8.onnx")
    assert not narrow_products(converted / "model_int8.onnx")
    weights = next(i for i in model.graph.initializer if len(i.dims) == 4)
    weights.CopyFrom(
        numpy_helper.from_array(np.zeros((24, *weights.dims[1:]), np.uint8), weights.name)
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert narrow_products(tmp_path / "m.onnx")


def test_conditions_on_tflite_files_see_the_type_of_the_operator(
    converted: Path, tmp_path: Path
) -> None:
    assert divides_integers(division(tmp_path / "m.tflite"))
    assert not divides_integers(converted / "model_int8.tflite")
    assert not lengths(converted / "model_int8.onnx")


def test_every_fault_has_an_order_of_releases_and_a_source() -> None:
    for fault in FAULTS:
        assert fault.source
        assert fault.fixed is None or release(fault.first) < release(fault.fixed)


def test_devices_and_inspect_list_the_faults_of_what_is_installed(tmp_path: Path) -> None:
    runner = CliRunner()
    devices = runner.invoke(main, ["devices", "--json"])
    assert any("divides int8" in text for text in json.loads(devices.stdout)["known_faults"])
    path = str(division(tmp_path / "m.tflite"))
    inspected = json.loads(runner.invoke(main, ["inspect", path, "--json"]).stdout)
    assert inspected["least_versions"] == {"litert": "1.4"}
    assert len(inspected["known_faults"]) == 1
    shown = runner.invoke(main, ["inspect", path]).stdout
    assert "runs from LiteRT 1.4 on" in shown


def test_the_documentation_lists_every_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "devices.md").read_text()
    for fault in FAULTS:
        until = f"to before {fault.fixed}" if fault.fixed else "on, to this day"
        processor = (
            f" (processors with {', '.join(sorted(fault.processor))})" if fault.processor else ""
        )
        row = f"| {fault.runtime} | from {fault.first} {until} | {fault.what}{processor} | {fault.source} |"
        assert row in page


@pytest.mark.parametrize(
    "command",
    ["run FILE --data DATA", "bench FILE --seconds 0.1", "validate FILE FILE --data DATA"],
)
def test_commands_tell_of_faults_that_a_files_outputs_suffer_from(
    command: str, tmp_path: Path
) -> None:
    path, data = division(tmp_path / "divide.tflite"), tmp_path / "samples.npz"
    np.savez(data, a=np.ones((8, 16), np.float32), b=np.full((8, 16), 2, np.float32))
    words = [{"FILE": str(path), "DATA": str(data)}.get(word, word) for word in command.split()]
    told = " ".join(CliRunner().invoke(main, words).output.split())
    assert told.count("divides int8 values that are negative and small") == 1
    assert re.search(r"warning:\S*divide\.tflite:LiteRT\d", "".join(told.split()))


def test_a_server_tells_of_faults_too(tmp_path: Path) -> None:
    with serving(division(tmp_path / "divide.tflite")) as server:
        until(lambda: any("listening" in line for line in server.lines))
        assert any(line.startswith("warning: divide.tflite: LiteRT") for line in server.lines)
