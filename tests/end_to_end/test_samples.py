"""The samples run as a reader runs them, and their int8 files answer as the float models do."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"


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
    r"\(float (?P<wanted>[\d.]+)%?\), (?P<verdict>pass|inconclusive|fail)$",
    re.MULTILINE,
)


MNIST = """
import keras, numpy as np
from edgekit.workflows.demo import digits
images, labels = digits()
large = np.pad(np.kron(images[..., 0] * 255, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))
pair = large.astype(np.uint8), labels.astype(np.uint8)
keras.datasets.mnist.load_data = lambda: (pair, pair)
"""
"""Digits of MNIST's size and type, instead of its download."""

IMAGENET = """
import json, keras, tempfile
from pathlib import Path
from keras.src.utils import file_utils
keras.utils.set_random_seed(1)
model = keras.applications.VGG16(weights=None)
last = model.get_layer("predictions")
last.set_weights([weights * 50 for weights in last.get_weights()])
folder = Path(tempfile.mkdtemp(dir="."))
model.save_weights(folder / "vgg16.weights.h5")
names = {str(n): [f"n{n:08}", f"thing_{n}"] for n in range(1000)}
(folder / "index.json").write_text(json.dumps(names))
downloads = {"vgg16_weights_tf_dim_ordering_tf_kernels.h5": "vgg16.weights.h5",
             "imagenet_class_index.json": "index.json"}
file_utils.get_file = lambda name, *_, **__: str(folder / downloads[name])
"""
"""Weights and names of classes in the shape of those that Keras downloads."""


@pytest.mark.parametrize(
    "sample", [*FAST, pytest.param(SLOW, marks=pytest.mark.slow)], ids=lambda sample: sample.name
)
def test_a_sample_deploys_what_it_trained(sample: Sample, tmp_path: Path) -> None:
    check(run(sample.name, tmp_path), sample, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "it writes nowhere else"


def test_digits_reads_mnist(tmp_path: Path) -> None:
    printed = run("digits_classification", tmp_path, "--mnist", before=MNIST)
    check(printed, FAST[0], tmp_path)
    assert "instead of MNIST" not in printed
    told = json.loads((tmp_path / "out" / "cnn" / "manifest.json").read_text())
    assert told["files"][0]["inputs"][0]["shape"] == [1, 28, 28, 1]


@pytest.mark.slow
def test_vgg16_decodes_the_classes_of_downloaded_weights(tmp_path: Path) -> None:
    printed = run("vgg16_photo", tmp_path, before=IMAGENET)
    check(printed, SLOW, tmp_path)
    assert "RANDOM WEIGHTS" not in printed
    assert len(re.findall(r"^  thing_\d+ \d+%$", printed, re.MULTILINE)) == 6, printed


def run(name: str, folder: Path, *options: str, before: str = "") -> str:
    """Runs a sample as a reader would, after ``before`` in the same process; what it prints."""
    path = str(SAMPLES / f"{name}.py")
    code = f"{before}\nimport runpy, sys\nsys.argv[0] = {path!r}\nrunpy.run_path({path!r}, run_name='__main__')"
    command = ["-c", code] if before else [path]
    done = subprocess.run(
        [sys.executable, *command, folder / "out", *options],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def check(printed: str, sample: Sample, folder: Path) -> None:
    """Whether its int8 files are there, are as good as the float model, and have answered."""
    found = list(LINE.finditer(printed))
    assert [line["file"] for line in found] == [
        f"{prefix}model_int8.{form}" for prefix in sample.folders for form in ("tflite", "onnx")
    ], printed
    for line in found:
        assert (folder / "out" / line["file"]).is_file()
        assert line["verdict"] != "fail", line[0]
        got, wanted = float(line["got"]), float(line["wanted"])
        if line["metric"] == "RMSE":
            assert wanted <= sample.bound, line[0]
            assert got <= wanted * RMSE_MAY_GROW, line[0]
        else:
            assert wanted >= sample.bound, line[0]
            assert got >= wanted - MAY_LOSE[line["metric"]], line[0]
    assert printed[found[-1].end() :].strip(), "it ends with what an int8 file predicts"


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
