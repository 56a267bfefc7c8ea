"""``edgekit export``: which files go out, what lies beside them, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import edgekit
from edgekit.cli.main import main
from edgekit.targets.job import ExportJob
from edgekit.targets.table import TARGETS
from edgekit.workflows import export as workflow
from edgekit_runtimes.bundle.golden import read_golden


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def listed(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_int8_files_go_out_with_what_they_need(converted: Path, tmp_path: Path) -> None:
    written = edgekit.export(converted, "web", tmp_path / "page")
    assert written.files == ("model_int8.tflite", "model_int8.onnx")
    for name in written.files:
        assert (tmp_path / "page" / name).read_bytes() == (converted / name).read_bytes()
    info = json.loads((tmp_path / "page" / "bundle.json").read_text())
    manifest = json.loads((converted / "manifest.json").read_text())
    assert info["labels"] == manifest["labels"]
    assert info["postprocessing"] == manifest["postprocessing"]
    hashes = {f["file"]: f["sha256"] for f in manifest["files"]}
    assert {f["file"]: f["sha256"] for f in info["files"]} == {n: hashes[n] for n in written.files}


def test_golden_samples_are_the_same_numbers_without_numpy(converted: Path, tmp_path: Path) -> None:
    edgekit.export(converted, "web", tmp_path / "page", files=["model_int8.onnx"])
    index = json.loads((tmp_path / "page" / "bundle.json").read_text())["golden"]
    content = (tmp_path / "page" / "golden.bin").read_bytes()
    golden = read_golden(converted / "golden.npz")
    assert list(index["outputs"]) == ["model_int8.onnx"]

    def array(entry: dict) -> np.ndarray:
        assert entry["offset"] % 8 == 0
        count = int(np.prod(entry["shape"]))
        flat = np.frombuffer(content, "<f4", count, entry["offset"])
        return flat.reshape(entry["shape"])

    np.testing.assert_array_equal(array(index["inputs"]["image"]), golden.inputs["image"])
    output = index["outputs"]["model_int8.onnx"]["digit"]
    np.testing.assert_array_equal(array(output), golden.outputs["model_int8.onnx"]["digit"])
    manifest = json.loads((converted / "manifest.json").read_text())
    assert output["tolerance"] == manifest["golden"]["tolerances"]["model_int8.onnx"]["digit"]


def test_an_export_is_renewed_and_what_else_lies_there_stays(
    converted: Path, tmp_path: Path
) -> None:
    output = tmp_path / "page"
    edgekit.export(converted, "web", output, files=["model_float32.tflite"])
    (output / "vendor").mkdir()
    (output / "vendor" / "kept").write_text("mine")
    edgekit.export(converted, "web", output, files=["model_int8.onnx"])
    there = listed(output)
    assert "model_int8.onnx" in there and "model_float32.tflite" not in there
    assert (output / "vendor" / "kept").read_text() == "mine"
    assert "@litertjs/core" not in (output / "package.json").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["page"], "no scratch folder is left"


def test_a_folder_of_something_else_is_left_alone(converted: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = typed(converted, "--target", "web", "-o", tmp_path)
    assert result.exit_code == 2
    assert "edgekit export did not write" in result.stderr
    assert listed(tmp_path) == {"thesis.txt"}


def test_a_list_that_leads_out_of_the_folder_is_not_followed(
    converted: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("years of work")
    edgekit.export(converted, "web", tmp_path / "page")
    mark = tmp_path / "page" / workflow.MARK
    told = json.loads(mark.read_text())
    mark.write_text(json.dumps(told | {"files": [*told["files"], "../mine"]}))
    with pytest.raises(edgekit.DataError, match="did not write"):
        edgekit.export(converted, "web", tmp_path / "page")
    assert (tmp_path / "mine").exists()


def test_what_cannot_go_out_is_told_in_words(converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "page"
    cases = [
        ([converted, "--target", "wep"], "did you mean 'web'?"),
        ([tmp_path, "--target", "web"], "no folder that edgekit convert made"),
        ([converted, "--target", "web", "--files", "model_int8.tflit"], "did you mean 'model_int8"),
        ([converted / "model_int8.onnx", "--target", "web"], "no folder that edgekit convert made"),
    ]
    for arguments, words in cases:
        result = typed(*arguments, "-o", out)
        assert result.exit_code == 2, result.output
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert not out.exists()


def test_a_changed_file_does_not_go_out(converted: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(converted, tmp_path / "out")
    with (tmp_path / "out" / "model_int8.onnx").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff")
    result = typed(tmp_path / "out", "--target", "web", "-o", tmp_path / "page")
    assert result.exit_code == 2
    assert "model_int8.onnx" in result.stderr
    assert not (tmp_path / "page").exists()


def test_the_command_says_what_to_type_next(converted: Path, tmp_path: Path) -> None:
    result = typed(converted, "--target", "web", "-o", tmp_path / "page")
    assert result.exit_code == 0, result.output
    assert "npm install && npm start" in result.stdout
    told = json.loads(typed(converted, "--target", "web", "-o", tmp_path / "page", "--json").stdout)
    assert told["files"] == ["model_int8.tflite", "model_int8.onnx"]
    assert told["notes"] == []


def test_names_and_labels_cannot_become_script(converted: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(converted, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["model"]["name"] = "<script>alert(1)<.keras"
    path.write_text(json.dumps(manifest))
    edgekit.export(tmp_path / "out", "web", tmp_path / "page")
    assert "<script>alert" not in (tmp_path / "page" / "index.html").read_text()


def test_one_entry_of_the_table_is_one_more_target(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(job: ExportJob, folder: Path) -> None:
        (folder / "names.txt").write_text("\n".join(entry.file for entry in job.files))

    entry = replace(TARGETS["web"], write=write, what="a list", formats=("onnx",))
    monkeypatch.setitem(TARGETS, "list", entry)
    edgekit.export(converted, "list", tmp_path / "list")
    assert (tmp_path / "list" / "names.txt").read_text() == "model_int8.onnx"
    assert "a list" in CliRunner().invoke(main, ["devices"]).output
