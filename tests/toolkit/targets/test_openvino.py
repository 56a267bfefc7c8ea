"""The target ``openvino``: blobs of OpenVINO's, for this processor where no compiler for the NPU is there."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgekit.cli.main import main
from edgekit_converters.targets.inspection import TargetError
from edgekit_converters.targets.openvino import compile_with_openvino

openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")


def test_a_blob_computes_what_the_file_does(converted: Path, tmp_path: Path) -> None:
    model, blob, scratch = converted / "model_int8.onnx", tmp_path / "x.blob", tmp_path / "scratch"
    scratch.mkdir()
    made = compile_with_openvino(model, blob, "openvino-npu4000", scratch=scratch, device="CPU")
    assert made.figures[0].value == blob.stat().st_size
    core = openvino.Core()
    with blob.open("rb") as content:
        imported = core.import_model(content.read(), "CPU")
    image = np.random.default_rng(0).random((1, 8, 8, 1), dtype=np.float32)
    outputs = [one(image)[0] for one in (imported, core.compile_model(model, "CPU"))]
    np.testing.assert_array_equal(*outputs)


def test_without_its_compiler_the_npu_is_refused_and_nothing_is_left(
    converted: Path, tmp_path: Path
) -> None:
    if list(Path(openvino.__file__).parent.glob("libs/*npu_compiler*")):
        pytest.skip("this OpenVINO has a compiler for the NPU")
    out = tmp_path / "blobs"
    result = CliRunner().invoke(
        main, ["export", str(converted), "--target", "openvino", "-o", str(out)]
    )
    assert result.exit_code == 3
    assert "no compiler for Intel's NPU" in result.output
    assert "openvino#36374" in result.output
    assert not out.exists()


def test_a_file_that_openvino_refuses_is_an_error(tmp_path: Path) -> None:
    model, blob, scratch = tmp_path / "x.onnx", tmp_path / "x.blob", tmp_path / "scratch"
    model.write_bytes(b"no model")
    scratch.mkdir()
    with pytest.raises(TargetError, match=r"x\.onnx"):
        compile_with_openvino(model, blob, "openvino-npu4000", scratch=scratch, device="CPU")
    assert not blob.exists()
