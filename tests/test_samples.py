"""The samples run as a reader runs them, and their int8 files answer as the float models do."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

SAMPLES = Path(__file__).parents[1] / "samples"


class Sample(NamedTuple):
    """Where a sample puts its int8 files, and the worst that its float model may be.

    The bound is there because a model that only guesses is matched by any file that guesses too.
    """

    name: str
    bound: float
    folders: tuple[str, ...] = ("",)


FAST = (
    Sample("digits_classification", 90, ("mlp_512/", "mlp_128/", "cnn/")),
    Sample("sentiment_lstm", 90),
    Sample("sunspots_forecast", 30),
    Sample("breast_cancer_risk", 0.95),
    Sample("recommender", 0.15),
)
SLOW = Sample("vgg16_photo", 100)

# How much worse than the float model an int8 file may be, in the unit that is printed.
MAY_LOSE = {"accuracy": 2.0, "agreement": 15.0, "ROC AUC": 0.01}
RMSE_MAY_GROW = 1.1

LINE = re.compile(
    r"^(?P<file>\S*model_int8\.(?:tflite|onnx)): (?P<metric>[\w ]+?) (?P<got>[\d.]+)%? "
    r"\(float (?P<wanted>[\d.]+)%?\), (?P<verdict>holds|not proven|fails)$",
    re.MULTILINE,
)


@pytest.mark.parametrize(
    "sample", [*FAST, pytest.param(SLOW, marks=pytest.mark.slow)], ids=lambda sample: sample.name
)
def test_a_sample_deploys_what_it_trained(sample: Sample, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SAMPLES / f"{sample.name}.py", tmp_path / "out"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "it writes nowhere else"

    found = list(LINE.finditer(done.stdout))
    assert [line["file"] for line in found] == [
        f"{folder}model_int8.{form}" for folder in sample.folders for form in ("tflite", "onnx")
    ], done.stdout
    for line in found:
        assert (tmp_path / "out" / line["file"]).is_file()
        assert line["verdict"] != "fails", line[0]
        got, wanted = float(line["got"]), float(line["wanted"])
        if line["metric"] == "RMSE":
            assert wanted <= sample.bound, line[0]
            assert got <= wanted * RMSE_MAY_GROW, line[0]
        else:
            assert wanted >= sample.bound, line[0]
            assert got >= wanted - MAY_LOSE[line["metric"]], line[0]
    assert done.stdout[found[-1].end() :].strip(), "it ends with what an int8 file predicts"


def test_every_sample_is_tested_and_listed() -> None:
    names = {sample.name for sample in (*FAST, SLOW)}
    listed = (SAMPLES / "README.md").read_text()
    assert {path.stem for path in SAMPLES.glob("*.py")} == names
    assert all(f"samples/{name}.py" in listed for name in names)


def test_sunspots_says_what_to_install(tmp_path: Path) -> None:
    without = (
        "import runpy, sys; sys.modules['statsmodels'] = None; "
        f"runpy.run_path({str(SAMPLES / 'sunspots_forecast.py')!r})['load_sunspots']()"
    )
    done = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 4
    assert "pip install statsmodels" in done.stderr
