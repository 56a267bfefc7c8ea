"""The targets ``qualcomm-*``: files compiled by LiteRT and ONNX Runtime themselves; no such chip runs them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit.cli.main import main
from edgekit_converters.targets.inspection import TargetError
from edgekit_converters.targets.qualcomm import QUALCOMM, compile_for_qualcomm

pytestmark = pytest.mark.accelerator


def test_an_export_has_both_files_compiled(converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out, for a phone"
    arguments = ["export", str(converted), "--target", "qualcomm-sm8650", "-o", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads((out / "placement.json").read_text())
    assert told["tested"] == "compiled, never executed on hardware"
    for file in told["files"]:
        assert file["on_npu"] == file["operators"] > 6
        assert (out / file["file"]).stat().st_size == file["figures"][-1]["value"] > 20_000
    assert {Path(file["file"]).suffix for file in told["files"]} == {".tflite", ".onnx"}


@pytest.mark.parametrize("chip", QUALCOMM)
def test_every_system_gets_a_file_of_its_own(chip: str, converted: Path, tmp_path: Path) -> None:
    contents = []
    for soc in (chip, "qualcomm-sm8350" if chip != "qualcomm-sm8350" else "qualcomm-sm8450"):
        for suffix in (".tflite", ".onnx"):
            target, scratch = tmp_path / f"{soc}{suffix}", tmp_path / f"{soc}{suffix}.scratch"
            scratch.mkdir()
            model = converted / f"model_int8{suffix}"
            made = compile_for_qualcomm(model, target, soc, scratch=scratch)
            assert made.inspection.placed == made.inspection.total
            contents.append(target.read_bytes())
    assert len(set(contents)) == len(contents)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_damaged_file_leaves_nothing_behind(suffix: str, converted: Path, tmp_path: Path) -> None:
    content = (converted / f"model_int8{suffix}").read_bytes()
    model, target, scratch = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", tmp_path / "tmp"
    model.write_bytes(content[: len(content) // 2])
    scratch.mkdir()
    with pytest.raises(TargetError, match=rf"in{suffix}"):
        compile_for_qualcomm(model, target, "qualcomm-sm8750", scratch=scratch)
    assert not target.exists()
