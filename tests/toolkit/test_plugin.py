"""The pytest plugin, in projects outside this repository."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from edgekit_converters.tflite import flatbuffer

pytest_plugins = ["pytester"]

PASSING = """
    def test_int8(edgekit):
        edgekit.assert_matches("model_float32.tflite", "model_int8.tflite", data="eval.npz", max_drop=0.02)
"""


@pytest.fixture(scope="session")
def broken(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 file with the last layer's scale a sixteenth of what it was: its values saturate."""
    path = tmp_path_factory.mktemp("broken") / "model_int8.tflite"
    model = flatbuffer.read(converted / "model_int8.tflite")
    graph = model.subgraphs[0]
    dense = [op for op in graph.operators if flatbuffer.opcode(model, op) == 9]
    logits = graph.tensors[dense[-1].outputs[0]].quantization
    logits.scale = np.asarray(logits.scale) / 16
    flatbuffer.write(model, path)
    return path


@pytest.fixture
def project(pytester: pytest.Pytester, converted: Path, digits: Path) -> pytest.Pytester:
    """A folder with model files, samples and nothing else."""
    for name in ("model_float32.tflite", "model_int8.tflite"):
        shutil.copy(converted / name, pytester.path)
    shutil.copy(digits / "eval.npz", pytester.path)
    return pytester


def test_a_file_that_matches_passes_and_its_figures_are_in_the_xml(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(PASSING)

    result = project.runpytest_subprocess("--junitxml=out.xml")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*baseline*")  # this project has none, and wants none
    suite = ElementTree.parse(project.path / "out.xml").getroot()[0]
    told = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    assert told["model_int8.tflite verdict"] == "pass"
    assert float(told["model_int8.tflite digit top1"] or 0) > 0.9


def test_a_file_that_strays_fails_in_a_few_lines_with_figures_and_layers(
    project: pytest.Pytester, broken: Path
) -> None:
    shutil.copy(broken, project.path)
    project.makepyfile(PASSING)

    result = project.runpytest_subprocess("--junitxml=out.xml")

    result.assert_outcomes(failed=1)
    told = result.outlines
    start = next(
        i for i, line in enumerate(told) if line.startswith("against model_float32.tflite")
    )
    end = next(i for i, line in enumerate(told) if "short test summary" in line)
    assert end - start < 8
    result.stdout.fnmatch_lines(
        [
            "*model_int8.tflite: accuracy * -> *: drop * pt (95% CI * to *), limit 2 pt*",
            "*most of the noise in model_int8.tflite: digit*range too narrow*",
        ]
    )
    suite = ElementTree.parse(project.path / "out.xml").getroot()[0]
    assert suite.get("failures") == "1"
    assert ": drop " in (suite.find("testcase/failure").get("message") or "")  # type: ignore[union-attr]


def test_a_marker_and_edgekit_toml_say_what_a_test_leaves_out(project: pytest.Pytester) -> None:
    project.path.joinpath("edgekit.toml").write_text(
        'model = "model_float32.tflite"\n[validate]\ncandidates = ["model_int8.tflite"]\n'
        'data = "nowhere.npz"\n'
    )
    project.makepyfile("""
        import pytest

        @pytest.mark.edgekit(data="eval.npz", max_drop="2%", min={"top1": 0.9})
        def test_int8(edgekit):
            report = edgekit.assert_matches()
            assert [str(j.limit) for j in report.files[0].results[0].limit_results] == [
                "drop top1=0.02", "min top1=0.9"]

        def test_nothing(): pass
    """)

    project.runpytest_subprocess("-m", "edgekit").assert_outcomes(passed=1, deselected=1)


def test_a_wrong_word_in_the_marker_is_named_with_the_right_one(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        @pytest.mark.edgekit(max_drp=0.1)
        def test_int8(edgekit):
            edgekit.assert_matches()
    """)

    result = project.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes no max_drp (did you mean 'max_drop'?)*"])


def test_what_is_missing_is_said_without_a_traceback(project: pytest.Pytester) -> None:
    project.makepyfile("""
        def test_no_data(edgekit):
            edgekit.assert_matches("model_float32.tflite", "model_int8.tflite")

        def test_no_file(edgekit):
            edgekit.assert_matches("model_float32.tflite", "model_int9.tflite", data="eval.npz")
    """)

    result = project.runpytest_subprocess()

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["edgekit: assert_matches needs data: *"])
    result.stdout.fnmatch_lines(["edgekit: *model_int9.tflite: there is no such file*"])
    assert "Traceback" not in result.stdout.str()


def test_too_few_samples_are_a_warning_and_with_strict_a_failure(project: pytest.Pytester) -> None:
    project.makepyfile("""
        def test_lenient(edgekit):
            edgekit.assert_matches(
                "model_float32.tflite", "model_int8.tflite", data="eval.npz", samples=50)

        def test_strict(edgekit):
            edgekit.assert_matches(
                "model_float32.tflite", "model_int8.tflite", data="eval.npz", samples=50, strict=True)
    """)

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["*Inconclusive: model_int8.tflite: accuracy *would decide"])


@pytest.mark.parametrize("workers", [pytest.param((), marks=pytest.mark.slow), ("-n", "2")])
def test_a_fall_below_the_committed_baseline_fails(
    project: pytest.Pytester, broken: Path, workers: tuple[str, ...]
) -> None:
    project.makepyfile("""
        def check(edgekit, candidate):
            edgekit.assert_matches(
                "model_float32.tflite", candidate, data="eval.npz", max_drop=0.9)

        def test_int8(edgekit): check(edgekit, "model_int8.tflite")

        def test_float(edgekit): check(edgekit, "model_float32.tflite")
    """)

    first = project.runpytest_subprocess("-o", "edgekit_baseline=edgekit-baseline.json")
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["edgekit: 2 checks have no baseline; *--edgekit-update*"])

    project.runpytest_subprocess("--edgekit-update", *workers).assert_outcomes(passed=2)
    kept = json.loads((project.path / "edgekit-baseline.json").read_text())["files"]
    assert [name.split("::")[1] for name in kept] == [
        "test_float model_float32.tflite",
        "test_int8 model_int8.tflite",
    ]

    shutil.copy(broken, project.path)
    result = project.runpytest_subprocess(*workers)  # what has not changed passes
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*model_int8.tflite: top1 dropped from the baseline's * to *: by * pt, 95% interval *",
            "*most of the noise in model_int8.tflite: digit*",
        ]
    )


def test_other_samples_than_the_baselines_ask_for_a_new_one(project: pytest.Pytester) -> None:
    project.makepyfile(PASSING)
    project.runpytest_subprocess("--edgekit-update")
    with np.load(project.path / "eval.npz") as held:
        np.savez(project.path / "eval.npz", image=held["image"][:300], y=held["y"][:300])

    result = project.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*samples are not those of the baseline (400 *, 300 *--edgekit-update*"]
    )


def test_a_damaged_baseline_is_refused_and_left_alone(project: pytest.Pytester) -> None:
    project.makepyfile(PASSING)
    baseline = project.path / "edgekit-baseline.json"
    baseline.write_text("{")

    result = project.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["edgekit: *edgekit-baseline.json: not a baseline of edgekit*"])
    assert baseline.read_text() == "{"


def test_a_project_that_does_not_ask_for_it_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_modules():
            assert "edgekit.pytest_plugin" in sys.modules
            assert not {"edgekit.report.result", "tensorflow", "scipy", "numpy"} & set(sys.modules)
    """)

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
