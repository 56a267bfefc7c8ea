"""``edgekit.toml``: what a project needs no flags for."""

import contextlib
import json
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgekit.accuracy.limits import read_limits
from edgekit.cli.main import main
from edgekit.options.declared import ConvertOptions, ValidateOptions
from edgekit.options.values import options_in, resolve
from edgekit.project import Project, ProjectError, read_project, schema


def written(folder: Path, text: str) -> Path:
    path = folder / "edgekit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def edgekit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


WHOLE = """
model = "cnn.keras"
data = "calib.npz"
output = "shipped"

[convert]
precision = ["float32", "int8"]
to = ["tflite"]
max-drop = "3%"

[validate]
data = "eval.npz"
metrics = ["f1", "roc_auc"]
max-drop = { top1 = "3%", f1 = "5%" }
min = ["top1=0.8", "f1=0.7"]
junit = "reports/junit.xml"
per-layer = true
"""


def test_what_stands_at_the_top_is_for_both_and_a_table_comes_first(tmp_path: Path) -> None:
    for name in ("cnn.keras", "calib.npz", "eval.npz"):
        (tmp_path / name).touch()
    project = read_project(written(tmp_path, WHOLE))

    assert project.convert["model"] == project.validate["model"] == str(tmp_path / "cnn.keras")
    assert project.convert["data"] == str(tmp_path / "calib.npz")
    assert project.validate["data"] == str(tmp_path / "eval.npz")
    assert project.convert["output"] == tmp_path / "shipped"
    assert "output" not in project.validate
    assert project.validate["candidates"] == (tmp_path / "shipped",)
    assert project.validate["junit"] == tmp_path / "reports" / "junit.xml"


def test_values_are_those_that_python_takes(tmp_path: Path) -> None:
    project = read_project(written(tmp_path, WHOLE))

    assert project.convert["precision"] == ("float32", "int8")
    assert project.convert["max_drop"] == ("3%",)
    assert project.validate["metrics"] == ("f1", "roc_auc")
    assert project.validate["per_layer"] is True
    for options, table in ((ConvertOptions, project.convert), (ValidateOptions, project.validate)):
        given = {name: value for name, value in table.items() if name in options_in(options)}
        assert resolve(options, given).items() >= given.items()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max-drop = 0.02", read_limits(0.02)),
        ('max-drop = "2%"', read_limits("2%")),
        ('max-drop = ["2%", "f1=5%rel"]', read_limits(["2%", "f1=5%rel"])),
        ('max-drop = { f1 = "2%", "rmse@age" = 0.5 }', read_limits({"f1": "2%", "rmse@age": 0.5})),
        ("max-drop = { f1 = 0.02 }", read_limits({"f1": 0.02})),
    ],
)
def test_limits_are_written_in_any_way_that_toml_has(
    text: str, expected: Any, tmp_path: Path
) -> None:
    project = read_project(written(tmp_path, f"[validate]\n{text}\n"))

    assert read_limits(project.validate["max_drop"]) == expected


def test_without_a_file_there_is_an_empty_project(tmp_path: Path) -> None:
    assert read_project(tmp_path / "edgekit.toml") == Project()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('modle = "m.keras"', ["the file has no key 'modle'", "did you mean 'model'?"]),
        (
            'precision = "int8"',
            ["no key 'precision'", "model, data, output, convert, tune, validate"],
        ),
        ("[convert]\nprecison = 'int8'", ["[convert] has no key 'precison'", "'precision'?"]),
        ("[validate]\nmax_drop = '1%'", ["[validate] has no key 'max_drop'", "'max-drop'?"]),
        ("[validate]\noutput = 'x'", ["[validate] has no key 'output'"]),
        ("[convert]\ncandidates = ['x']", ["[convert] has no key 'candidates'"]),
        ("convert = 3", ["convert is a table: write [convert]"]),
        ("[bench]\nthreads = 2", ["no key 'bench'"]),
        ("model = ", ["not a TOML file"]),
        (f"batch = {'9' * 5000}", ["not a TOML file"]),  # Python refuses to read it
        ("[convert\n", ["not a TOML file", "line 1"]),
        ("model = 'a'\nmodel = 'b'", ["not a TOML file"]),
    ],
)
def test_what_means_nothing_is_refused_with_the_nearest(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ProjectError) as caught:
        read_project(path)

    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert all(word in said for word in words), said


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edgekit.toml"
    path.write_bytes(b"model = '\xff\xfe'")
    with pytest.raises(ProjectError, match="not a TOML file"):
        read_project(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[validate]\ntrust = 'maybe'", "trust"),
        ("[validate]\nsamples = 'many'", "samples"),
        ("[validate]\nsamples = 0", "samples"),
        ("[convert]\nbatch = 1.5", "batch"),
        ("[validate]\nmax-drop = true", "max-drop"),
        ("[validate]\ndevices = []", "devices"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name_and_no_traceback(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.keras").touch()
    np.savez("d.npz", x=np.zeros((5, 2)))
    Path("out").mkdir()
    written(tmp_path, f"data = 'd.npz'\nmodel = 'm.keras'\n{text}\n")
    command = "convert" if "[convert]" in text else "validate"

    result = edgekit(command)

    assert result.exit_code == 2, result.output
    assert words in result.output
    assert "Traceback" not in result.output and "did not foresee" not in result.output


def test_paths_are_from_the_files_folder_and_names_of_functions_are_left(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.keras").touch()
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    text = """
    model = "models/m.keras"
    data = "my_data:rows"
    [convert]
    data = "random"
    labels = "names.txt"
    [validate]
    candidates = ["out/a.tflite", "/elsewhere/b.onnx"]
    html = "page.html"
    save = "kept.npz"
    """
    project = read_project(written(tmp_path, text))

    assert project.convert["model"] == str(tmp_path / "models" / "m.keras")
    assert project.validate["data"] == "my_data:rows"
    assert project.convert["data"] == "random"
    assert project.convert["labels"] == ("cat", "dog")
    assert project.validate["candidates"] == (tmp_path / "out/a.tflite", Path("/elsewhere/b.onnx"))
    assert project.validate["html"] == tmp_path / "page.html"
    assert project.validate["save"] == tmp_path / "kept.npz"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (WHOLE, False),
        ("[convert]\nprecision = 'int8'\ntrust = true\ntimeout = 0.5", False),
        ("[convert]\nprecision = ['int4']", True),
        ("[convert]\nopset = 20", True),
        ("[convert]\nlabel = 'names.txt'", True),
        ("[validate]\ntrust = 'yes'", True),
        ("[validate]\nmax-drop = [true]", True),
        ("[bench]\nthreads = 2", True),
    ],
)
def test_the_schema_for_editors_refuses_what_edgekit_refuses(
    text: str, wrong: bool, tmp_path: Path
) -> None:
    faults = list(jsonschema.Draft202012Validator(schema()).iter_errors(tomllib.loads(text)))
    assert bool(faults) == wrong, faults
    with pytest.raises(ProjectError) if wrong else contextlib.nullcontext():
        read_project(written(tmp_path, text))


@pytest.fixture
def project(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that one works in."""
    for name in ("mlp.keras", "calib.npz", "eval.npz"):
        (tmp_path / name).write_bytes((digits / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_convert_and_validate_need_no_flags_and_flags_come_first(project: Path) -> None:
    text = WHOLE.replace("cnn.keras", "mlp.keras").replace('"f1", "roc_auc"', '"f1"')
    own = 'model = "shipped/model_float32.tflite"'  # an original that needs no TensorFlow
    written(project, text.replace("[validate]", f"[validate]\n{own}"))

    result = edgekit("convert", "--json")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (project / "shipped").glob("*.*")) == [
        "edgekit.log", "golden.npz", "manifest.json", "model_float32.tflite", "model_int8.tflite",
            "recipe.json", "report.json",
    ]  # fmt: skip
    assert json.loads(result.stdout)["files"][1]["results"][0]["limit_results"][0]["limit"][
        "value"
    ] == pytest.approx(0.03)

    result = edgekit("validate", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [Path(f["name"]).name for f in told["files"]] == [
        "model_float32.tflite",
        "model_int8.tflite",
    ]
    assert Path(told["data"]).name == "eval.npz"
    judged = told["files"][1]["results"][0]["limit_results"]
    assert [(j["limit"]["kind"], j["limit"]["metric"], j["limit"]["value"]) for j in judged] == [
        ("drop", "top1", 0.03), ("drop", "f1", 0.05), ("min", "top1", 0.8), ("min", "f1", 0.7),
    ]  # fmt: skip
    assert told["files"][1]["layers"]
    assert ElementTree.parse(project / "reports" / "junit.xml").getroot().get("failures") == "0"

    result = edgekit(
        "validate", "shipped/model_float32.tflite", "shipped/model_int8.tflite",
        "--data", "calib.npz", "--samples",
        "100", "--min", "top1=0.9999", "--no-per-layer", "--json",
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    (file,) = told["files"]
    assert (Path(told["data"]).name, told["evaluated_on"], file["layers"]) == ("calib.npz", 100, [])
    floors = [j for j in file["results"][0]["limit_results"] if j["limit"]["kind"] == "min"]
    assert [j["limit"]["value"] for j in floors] == [0.9999], "flags take the file's place"


def test_the_first_argument_alone_is_another_original(project: Path) -> None:
    written(project, 'model = "mlp.keras"\ndata = "eval.npz"\n[validate]\ncandidates = ["no.onnx"]')

    result = edgekit("validate", "other.keras")
    assert result.exit_code == 2
    assert "no.onnx" in result.output or "other.keras" in result.output


def test_a_wrong_key_stops_every_command_in_that_folder(project: Path) -> None:
    written(project, "modle = 'm.keras'")
    for command in (["validate"], ["convert"], ["convert", "mlp.keras", "--data", "calib.npz"]):
        result = edgekit(*command)
        assert result.exit_code == 2, result.output
        assert "did you mean 'model'?" in result.output


def test_without_project_or_arguments_the_usage_is_told(project: Path) -> None:
    result = edgekit("validate")
    assert result.exit_code == 2
    assert "ORIGINAL is missing" in result.output and "edgekit.toml" in result.output
    result = edgekit("convert")
    assert result.exit_code == 2
    assert "MODEL" in result.output


def test_help_is_there_whatever_the_file_holds(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    written(project, "not a TOML file")
    monkeypatch.setattr(sys, "argv", ["edgekit", "validate", "--help"])
    assert edgekit("validate", "--help").exit_code == 0
