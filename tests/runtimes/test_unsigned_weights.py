"""Which weights are made signed and which are not, in graphs of a few nodes."""

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.signed import initializers, outputs, signed

from edgekit_runtimes import open_model
from edgekit_runtimes.engines.signed_weights import with_signed_weights
from edgekit_runtimes.host import has_vnni

Change = Callable[[onnx.ModelProto], None]


def dense(folder: Path, change: Change = lambda _: None, *, size: int = 256) -> Path:
    """A quantized MatMul whose one zero point of 128 serves activations and weights."""
    random = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array(random.integers(0, 256, (size, size), np.uint8), "w"),
        numpy_helper.from_array(np.float32(0.02), "scale"),
        numpy_helper.from_array(np.uint8(128), "zero"),
    ]
    numbers = ["scale", "zero"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *numbers], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", *numbers], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", *numbers], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["product"]),
        helper.make_node("QuantizeLinear", ["product", *numbers], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", *numbers], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name in "xy"]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    change(model)
    path = folder / "dense.onnx"
    onnx.save(model, path)
    onnx.checker.check_model(path)
    return path


def test_a_zero_point_that_activations_read_too_is_not_touched(tmp_path: Path) -> None:
    path = dense(tmp_path)
    model, count = signed(path)
    assert count == 1
    assert initializers(model)["zero"] == np.uint8(128)
    (name,) = set(initializers(model)) - {"w", "scale", "zero"}
    assert len(name) == len("zero")
    assert [n.input[2] for n in model.graph.node if len(n.input) > 2] == [
        "zero", "zero", name, "zero", "zero",
    ]  # fmt: skip
    x = {"x": np.random.default_rng(1).normal(size=(20, 256)).astype(np.float32)}
    for as_written in (True, False) if has_vnni() else (True,):
        np.testing.assert_array_equal(
            outputs(path, x, as_written=as_written),
            outputs(model.SerializeToString(), x, as_written=as_written),
        )


def test_zero_points_are_read_however_they_are_stored(tmp_path: Path) -> None:
    def as_integers(model: onnx.ModelProto) -> None:
        stored = model.graph.initializer[2]
        stored.CopyFrom(helper.make_tensor("zero", TensorProto.UINT8, [], [128]))
        assert not stored.raw_data

    model, count = signed(dense(tmp_path, as_integers))
    assert count == 1
    assert [v for v in initializers(model).values() if v.dtype == np.int8 and not v.shape] == [0]


def test_a_new_name_avoids_those_that_are_there(tmp_path: Path) -> None:
    def crowd(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node("Neg", ["y"], ["_!!!"]))

    model, count = signed(dense(tmp_path, crowd))
    assert count == 1
    assert '_!!"' in initializers(model)


def test_a_name_too_short_to_be_exchanged_leaves_the_weight(tmp_path: Path) -> None:
    def shorten(model: onnx.ModelProto) -> None:
        model.graph.initializer[2].name = "0"
        for node in model.graph.node:
            node.input[:] = ["0" if name == "zero" else name for name in node.input]
        for number in range(33, 127):
            if chr(number) not in "0xwy":
                model.graph.node.append(helper.make_node("Neg", ["y"], [chr(number)]))

    assert with_signed_weights(dense(tmp_path, shorten)) is None


def read_by_another(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Cast", ["w"], ["cast"], to=TensorProto.FLOAT))


def dequantized_for_another(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Neg", ["wd"], ["negative"]))


def an_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("w", TensorProto.UINT8, [256, 256]))


def dequantized_as_an_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("wd", TensorProto.FLOAT, [256, 256]))


def an_input_too(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.UINT8, [256, 256]))


def typed_once_more(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("w", TensorProto.UINT8, [256, 256]))


def read_in_a_branch(model: onnx.ModelProto) -> None:
    result = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [256, 256])
    cast = helper.make_node("Cast", ["w"], ["inner"], to=TensorProto.FLOAT)
    branch = helper.make_graph([cast], "branch", [], [result])
    model.graph.initializer.append(numpy_helper.from_array(np.bool_(True), "yes"))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch)
    )


def multiplied_from_the_left(model: onnx.ModelProto) -> None:
    model.graph.node[3].input[:] = ["wd", "xd"]
    model.graph.input[0].type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, [256, 1]))
    model.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, [256, 1]))


def of_float_activations(model: onnx.ModelProto) -> None:
    model.graph.node[3].input[0] = "x"


def of_signed_activations(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.int8(0), "signed"))
    for at in (0, 1):
        model.graph.node[at].input[2] = "signed"


def without_a_zero_point(model: onnx.ModelProto) -> None:
    del model.graph.node[2].input[2:]


def as_a_list_of_integers(model: onnx.ModelProto) -> None:
    values = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].CopyFrom(
        helper.make_tensor("w", TensorProto.UINT8, values.shape, values.ravel().tolist())
    )


@pytest.mark.parametrize(
    "change",
    [
        read_by_another, dequantized_for_another, an_output, dequantized_as_an_output, an_input_too,
        typed_once_more, read_in_a_branch, multiplied_from_the_left, of_float_activations,
        of_signed_activations, without_a_zero_point,
        as_a_list_of_integers,
    ],
)  # fmt: skip
def test_weights_that_stay_unsigned(tmp_path: Path, change: Change) -> None:
    path = dense(tmp_path, change)
    assert with_signed_weights(path) is None
    with open_model(path) as model:
        assert model.placement.notes == []


def test_few_weights_stay_as_they_are_for_signed_ones_are_no_faster(tmp_path: Path) -> None:
    assert with_signed_weights(dense(tmp_path, size=255)) is None


def test_a_constant_of_a_branch_beside_the_file_keeps_it_as_it_is(tmp_path: Path) -> None:
    """ONNX Runtime finds that file by the path of the model, which bytes do not have."""

    def add_branch(model: onnx.ModelProto) -> None:
        outside = numpy_helper.from_array(np.ones(1, np.float32), "outside")
        outside.ClearField("raw_data")
        outside.data_location = TensorProto.EXTERNAL
        outside.external_data.add(key="location", value="outside.data")
        copy = helper.make_node("Identity", ["outside"], ["inner"])
        result = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
        branch = helper.make_graph([copy], "branch", [], [result], [outside])
        model.graph.initializer.append(numpy_helper.from_array(np.bool_(True), "yes"))
        model.graph.node.append(
            helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch)
        )

    (tmp_path / "outside.data").write_bytes(np.ones(1, np.float32).tobytes())
    assert with_signed_weights(dense(tmp_path, add_branch)) is None


def test_weights_beside_the_file_stay_as_they_are(tmp_path: Path) -> None:
    path = dense(tmp_path)
    onnx.save(
        onnx.load(path), path, save_as_external_data=True, location="w.data", size_threshold=0
    )
    assert with_signed_weights(path) is None
    with open_model(path) as model:
        assert model.run(np.ones((1, 256), np.float32)).any()


def test_what_is_damaged_is_left_to_the_runtime(tmp_path: Path) -> None:
    content = dense(tmp_path).read_bytes()
    path = tmp_path / "damaged.onnx"
    assert with_signed_weights(path) is None  # not there
    random = np.random.default_rng(0)
    lengths: Sequence[int] = [0, 1, *random.integers(2, len(content), 50)]
    for length in lengths:
        path.write_bytes(content[:length])
        with_signed_weights(path)
    around_the_weights = [*range(100), *range(len(content) - 400, len(content))]
    for _ in range(300):
        damaged = bytearray(content)
        for at in random.choice(around_the_weights, 10):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        with_signed_weights(path)


def test_an_open_session_keeps_no_copy_of_the_file(tmp_path: Path) -> None:
    path = dense(tmp_path, size=1500)
    open_model(path).close()  # imports stay
    tracemalloc.start()
    with open_model(path):
        held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < path.stat().st_size / 2
    assert peak < path.stat().st_size * 1.5
