"""``edgekit convert --to micro``: a further file, tried in two runtimes, and never run unless it is named."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from support.once import once

import edgekit
from edgekit.cli.main import main
from edgekit.workflows.demo import digits as digit_images
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import ModelError, open_model, verify_folder

pytest.importorskip("tflite_micro")

MICRO = "model_micro_int8.tflite"


@pytest.fixture(scope="module")
def folder(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits LSTM in TFLite and for microcontrollers."""

    def convert(out: Path) -> None:
        edgekit.convert(digits / "lstm.keras", digits / "rows.npz", out, to="tflite,micro")

    return once(tmp_path_factory, "digits/micro", convert)


def manifest_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {f["file"]: f for f in json.loads((folder / "manifest.json").read_text())["files"]}


def test_it_is_judged_in_litert_and_in_the_kernels_of_microcontrollers(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    rows = [(f["device"], f["verdict"]) for f in report["files"] if f["name"] == MICRO]
    assert [device for device, _ in rows] == ["", "micro"]
    assert "fail" not in dict(rows).values()
    entries = manifest_of(folder)
    assert list(entries) == ["model_float32.tflite", "model_int8.tflite", MICRO]
    assert (entries[MICRO]["format"], entries[MICRO]["precision"]) == ("micro", "int8")
    assert {spec["dtype"] for spec in entries[MICRO]["inputs"]} == {"int8"}
    assert entries[MICRO]["recipe"] == entries["model_int8.tflite"]["recipe"]


def test_it_is_never_what_a_folder_opens(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    for name in manifest_of(folder):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    for entry in content["files"]:
        entry["verdict"] = "pass" if entry["format"] == "micro" else "fail"
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="none of its files passes"):
        open_model(tmp_path, device="auto")
    with open_model(folder / MICRO, device="auto") as session:
        assert session.path.endswith(MICRO)
    with pytest.raises(edgekit.DataError, match="each of its files fails"):
        edgekit.export(tmp_path, "cpp", tmp_path / "cpp")


def test_its_golden_samples_are_verified_where_a_state_is_taken(folder: Path) -> None:
    verified = verify_folder(folder)
    assert verified.passed, str(verified)
    ran = [check.device for check in verified.checks if check.file == MICRO and check.device]
    assert ran == ["xnnpack"]


def test_a_state_that_is_left_over_fails_the_file(
    digits: Path, folder: Path, tmp_path: Path
) -> None:
    model = flatbuffer.read(folder / MICRO)
    main_graph = model.subgraphs[0]
    main_graph.operators = [
        op for op in main_graph.operators if not main_graph.tensors[op.outputs[0]].isVariable
    ]
    flatbuffer.write(model, tmp_path / "forgetful.tflite")
    files = [folder / MICRO, tmp_path / "forgetful.tflite"]
    report = edgekit.validate(
        digits / "lstm.keras", files, digits / "rows.npz", devices="micro", samples=60
    )
    right, wrong = report.files
    assert right.faults == ()
    assert wrong.verdict == "fail"
    assert "two calls with one input give different answers" in wrong.faults[0]


def test_what_is_refused_leaves_the_other_files(tmp_path: Path) -> None:
    x = keras.Input((8, 8), name="rows")
    gru = keras.layers.GRU(4, name="reader")(x)
    model = keras.Model([x], [keras.layers.Dense(2, name="y")(gru)])
    model.save(tmp_path / "gru.keras")
    np.savez(tmp_path / "data.npz", rows=digit_images()[0][:60, ..., 0])
    command = ["convert", tmp_path / "gru.keras", "--data", tmp_path / "data.npz", "--to"]
    result = CliRunner().invoke(
        main, [str(a) for a in (*command, "tflite,micro", "-o", tmp_path / "out")]
    )
    assert result.exit_code == 3
    said = " ".join(result.stderr.split())
    assert "The microcontroller file was not written" in said
    assert "'reader' is a GRU. Build it with unroll=True" in said
    assert set(manifest_of(tmp_path / "out")) == {"model_float32.tflite", "model_int8.tflite"}
    alone = CliRunner().invoke(main, [str(a) for a in (*command, "micro", "-o", tmp_path / "no")])
    assert alone.exit_code == 3
    assert "'reader' is a GRU" in " ".join(alone.stderr.split())
    assert not (tmp_path / "no" / "manifest.json").exists()


def test_it_is_written_in_int8_alone(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(edgekit.ConversionError, match="micro is written in int8, and precision is"):
        edgekit.convert(
            digits / "lstm.keras", digits / "rows.npz", tmp_path, to="micro", precision="float32"
        )


def test_without_other_files_it_is_there_by_itself(digits: Path, tmp_path: Path) -> None:
    report = edgekit.convert(digits / "cnn.keras", digits / "calib.npz", tmp_path, to="micro")
    assert [(f.name, f.device) for f in report.files] == [(MICRO, ""), (MICRO, "micro")]
    assert list(manifest_of(tmp_path)) == [MICRO]
    with open_model(tmp_path, device="auto") as session:
        assert session.path.endswith(MICRO)
