"""Which processor runs what, in which arithmetic, and what strict mode makes of it."""

from pathlib import Path

import numpy as np
import pytest

from edgekit_runtimes import ModelError, NotDelegated, Operator, Placement, open_model
from edgekit_runtimes.host import exact_int8

CONVOLUTIONS = 8 * 8 * 16 * (3 * 3 * 1) + 6 * 6 * 32 * (3 * 3 * 16)
DENSE = (3 * 3 * 32) * 64 + 64 * 10
MACS = CONVOLUTIONS + DENSE
"""Of the digits CNN in models.py, by hand: outputs times the weights that each sums over."""

# Left out: TensorFlow Lite Micro has no dynamic range or float16 kernels, and OpenVINO reads no
# float16 TFLite file.
OPENED = [
    *((f"model_{p}.tflite", "xnnpack") for p in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *((f"model_{p}.onnx", "mlas") for p in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *((f"model_{p}.tflite", "openvino") for p in ("float32", "dynamic", "int8", "int16x8")),
    *((f"model_{p}.onnx", "openvino") for p in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *((f"model_{p}.tflite", "micro") for p in ("float32", "int8", "int16x8")),
]  # fmt: skip


def placed(path: Path, device: str) -> Placement:
    with open_model(path, device=device) as model:
        assert model.placement is model.placement  # found out once
        return model.placement


def kinds(placement: Placement, processor: str) -> list[str]:
    return [op.kind for op in placement.operators if op.processor == processor]


@pytest.mark.parametrize(("name", "device"), OPENED)
def test_the_work_is_the_same_wherever_it_is_done(converted: Path, name: str, device: str) -> None:
    placement = placed(converted / name, device)
    by_kind = {kind: macs for (_, kind, _), (_, macs) in placement.counts().items() if macs}
    assert placement.macs == MACS, by_kind
    assert placement.device == device
    assert placement.processor


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
def test_the_reference_kernels_run_all_of_a_file(converted: Path, name: str) -> None:
    with open_model(converted / name, device="reference", strict=True) as model:
        assert model.placement.delegated_fraction == 1
        assert model.placement.partitions == 1


def test_products_with_weights_in_blocks_are_counted(tmp_path: Path) -> None:
    """ONNX Runtime makes them of a MatMul with dequantized weights, on some processors only."""
    from onnx import TensorProto, helper, numpy_helper, save

    attributes = {"K": 32, "N": 5, "bits": 8, "block_size": 32}
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "scales"], ["y"], "product", domain="com.microsoft", **attributes
    )
    weights = [
        numpy_helper.from_array(np.full((5, 1, 32), 129, np.uint8), "w"),
        numpy_helper.from_array(np.ones(5, np.float32), "scales"),
    ]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n])
        for name, n in (("x", 32), ("y", 5))
    )
    graph = helper.make_graph([node], "graph", [x], [y], weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "blocks.onnx"
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)

    assert placed(path, "mlas").macs == 32 * 5


@pytest.mark.parametrize("device", ["xnnpack", "openvino", "micro"])
def test_eight_bit_work_is_told_from_float(converted: Path, device: str) -> None:
    assert placed(converted / "model_float32.tflite", device).int8_macs == 0.0
    assert placed(converted / "model_float32.tflite", device).int8_operators == 0.0
    # OpenVINO's 8-bit kernels would saturate on processors without VNNI, so they are not used there.
    whole = exact_int8() or device != "openvino"
    assert placed(converted / "model_int8.tflite", device).int8_macs == whole
    assert (placed(converted / "model_int8.tflite", device).int8_operators > 0.5) == whole
    assert placed(converted / "model_int16x8.tflite", device).int8_macs == 0.0


@pytest.mark.parametrize("name", ["model_dynamic.tflite", "model_float16.tflite"])
def test_eight_bit_or_half_weights_alone_make_no_eight_bit_work(converted: Path, name: str) -> None:
    placement = placed(converted / name, "xnnpack")
    assert placement.int8_macs == 0.0
    weights = {op.precision for op in placement.operators if op.macs}
    assert weights == ({"int8 weights"} if "dynamic" in name else {"float32"})


def test_xnnpack_takes_all_of_a_float_file(converted: Path) -> None:
    placement = placed(converted / "model_float32.tflite", "xnnpack")
    assert kinds(placement, "CPU") == []
    assert kinds(placement, "XNNPACK").count("CONV_2D") == 2
    assert kinds(placement, "XNNPACK").count("FULLY_CONNECTED") == 2
    assert (placement.partitions, placement.delegated_fraction) == (1, 1.0)
    assert not placement.simulated


def test_xnnpack_leaves_the_8_bit_softmax_to_the_cpu(converted: Path) -> None:
    placement = placed(converted / "model_int8.tflite", "xnnpack")
    assert kinds(placement, "CPU") == ["SOFTMAX"]
    assert {"QUANTIZE", "CONV_2D", "FULLY_CONNECTED", "DEQUANTIZE"} <= set(
        kinds(placement, "XNNPACK")
    )
    assert placement.partitions == 2  # before the softmax, and behind it
    assert placement.delegated == len(placement.operators) - 1
    assert placement.int8_operators == 1.0


def test_xnnpack_takes_nothing_of_16_bit_activations(converted: Path) -> None:
    placement = placed(converted / "model_int16x8.tflite", "xnnpack")
    assert (placement.delegated, placement.partitions, placement.delegated_fraction) == (0, 0, 0.0)


def test_onnx_runtime_tells_its_fused_kernels(converted: Path) -> None:
    counts = placed(converted / "model_int8.onnx", "mlas").counts()
    assert counts["CPU", "QLinearConv", "int8"] == (2, CONVOLUTIONS)
    assert counts["CPU", "QGemm", "int8"] == (2, DENSE)
    assert placed(converted / "model_int8.onnx", "mlas").int8_macs == 1.0
    assert placed(converted / "model_float32.onnx", "mlas").int8_macs == 0.0


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_openvino_tells_the_kernel_of_each_operator(converted: Path, suffix: str) -> None:
    placement = placed(converted / f"model_float32.{suffix}", "openvino")
    working = [op for op in placement.operators if op.macs]
    assert [op.kind for op in working] == ["Convolution"] * 2 + ["FullyConnected"] * 2
    assert sum(op.macs for op in working if op.kind == "Convolution") == CONVOLUTIONS
    assert all(op.precision == "float32" and op.name.endswith("_f32") for op in working)
    assert {op.processor for op in placement.operators} == {"OpenVINO CPU"}


def test_microcontroller_kernels_are_a_simulator(converted: Path) -> None:
    with open_model(converted / "model_int8.tflite", device="micro") as model:
        assert model.simulated
        placement = model.placement
    assert placement.simulated
    assert "(simulated)" in str(placement)
    on_cpu = placed(converted / "model_int8.tflite", "xnnpack")
    assert kinds(placement, "Micro") == [op.kind for op in on_cpu.operators]
    assert placement.delegated_fraction == 1.0


def test_keras_lists_its_layers(digits: Path) -> None:
    placement = placed(digits / "cnn.keras", "keras")
    assert {"Conv2D", "BatchNormalization", "Dense"} <= set(kinds(placement, "TensorFlow"))
    assert placement.int8_macs is None  # not known, which is not the same as none


def test_a_placement_reads_as_a_sentence(converted: Path) -> None:
    placement = placed(converted / "model_int8.tflite", "xnnpack")
    assert str(placement) == (
        f"xnnpack on {placement.processor}: XNNPACK runs 8 of 9 operators in 2 partitions; "
        "the rest on the CPU: 1 SOFTMAX"
    )
    whole = placed(converted / "model_float32.onnx", "mlas")
    assert str(whole).endswith(
        f"CPU runs {len(whole.operators)} of {len(whole.operators)} operators in 1 partition"
    )


def test_reasons_are_told_where_a_runtime_gives_them() -> None:
    operators = [Operator("CONV_2D", "GPU", "float32"), Operator("TOPK", "CPU", "float32")]
    reasons = {"TOPK": "not supported"}
    placement = Placement("webgpu", "Mali", "GPU", operators, reasons=reasons)
    assert str(placement) == (
        "webgpu on Mali: GPU runs 1 of 2 operators in 1 partition; "
        "the rest on the CPU: 1 TOPK (not supported)"
    )
    counted = Placement("webgpu", "Mali", "GPU", operators, reasons=reasons, taken=1)
    assert str(counted).endswith("the rest on the CPU: TOPK (not supported)")
    assert (counted.delegated, counted.delegated_fraction) == (1, 0.5)


def test_a_placement_of_nothing_divides_by_nothing() -> None:
    empty = Placement("mlas", "Arm", "CPU", [])
    assert (empty.delegated_fraction, empty.int8_operators, empty.int8_macs) == (0.0, 0.0, None)


def test_strict_names_what_would_run_elsewhere(converted: Path) -> None:
    path = converted / "model_int8.tflite"
    with pytest.raises(NotDelegated, match=r"asked for 100%.* on xnnpack.*SOFTMAX") as refused:
        open_model(path, device="xnnpack", strict=True)
    assert str(path) in str(refused.value)
    assert kinds(refused.value.placement, "CPU") == ["SOFTMAX"]


def test_a_smaller_part_can_be_asked_for(converted: Path) -> None:
    path = converted / "model_int8.tflite"
    with open_model(path, device="xnnpack", min_delegated=0.5) as model:
        assert model.placement.delegated_fraction == pytest.approx(8 / 9)
    with pytest.raises(NotDelegated, match=r"asked for 90%"):
        open_model(path, device="xnnpack", min_delegated=0.9)
    with pytest.raises(NotDelegated, match="runs 0 of"):
        open_model(converted / "model_int16x8.tflite", device="xnnpack", min_delegated=0.01)
    # Whoever asks for the processor gets it, whichever kernels run there.
    with open_model(converted / "model_int16x8.tflite", device="cpu", strict=True) as model:
        assert model.placement.operators


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("model_float32.tflite", "xnnpack"),
        ("model_float32.onnx", "cpu"),
        ("model_int8.onnx", "cpu"),
    ],
)
def test_strict_lets_pass_what_runs_whole(converted: Path, name: str, device: str) -> None:
    with open_model(converted / name, device=device, strict=True) as model:
        assert model.placement.delegated_fraction == 1.0


def test_a_closed_model_has_no_placement_unless_it_was_asked(converted: Path) -> None:
    model = open_model(converted / "model_int8.onnx")
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        _ = model.placement
    with open_model(converted / "model_int8.onnx") as asked:
        before = asked.placement
    assert asked.placement is before
