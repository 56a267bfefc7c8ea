"""What nodes take in ONNX Runtime, and the operators that it goes back to."""

from pathlib import Path

import pytest

from edgekit.inference.node_costs import ort_costs
from edgekit_runtimes import ModelError
from edgekit_runtimes.engines.ort_times import node_seconds


def test_what_nodes_take_adds_up_to_the_file(converted: Path) -> None:
    files = [converted / f"model_{precision}.onnx" for precision in ("float32", "int8")]

    for times in node_seconds(files, seconds=0.05):
        together = sum(timed.seconds for timed in times.nodes)
        assert 0 < together <= times.seconds * 1.001
        assert all(timed.seconds >= 0 for timed in times.nodes)


def test_fused_and_reordered_nodes_go_back_to_their_operators(converted: Path) -> None:
    lite = [converted / f"model_{precision}.tflite" for precision in ("float32", "int8")]
    onnx = [path.with_suffix(".onnx") for path in lite]

    costs = ort_costs(lite[0], lite[1], onnx[0], onnx[1], seconds=0.2)

    products = [op for op in costs.operators if op.kind in ("CONV_2D", "FULLY_CONNECTED")]
    assert len(products) >= 3
    for operator in products:  # with the time of another's node, one of them would have none
        assert operator.float_us
        assert operator.int8_us
    assert {t.name for t in costs.tensors} >= {"image", "digit"}


def test_what_was_measured_is_kept(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = ("float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx")
    files = [converted / f"model_{name}" for name in names]

    first = ort_costs(*files, seconds=0.05)

    assert any(op.float_us for op in first.operators)
    assert ort_costs(*files, seconds=0.05) == first


def test_a_file_that_is_no_model_is_an_error_with_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(b"no model")

    with pytest.raises(ModelError, match=r"odd\.onnx"):
        node_seconds([odd], seconds=0.01)
