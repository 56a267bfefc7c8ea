"""The samples: their int8 files predict as the float models do, and nothing else is printed."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

SAMPLES = Path(__file__).parents[2] / "samples"


class Sample(NamedTuple):
    """Where a sample puts its int8 files, and the worst that its float model may be.

    The bound is there because a model that only guesses is matched by any file that guesses too.
    """

    name: str
    bound: float
    folders: tuple[str, ...] = ("",)
    formats: tuple[str, ...] = ("tflite", "onnx")


CHIPS = (
    Sample("sine_microcontroller", 0.13, formats=("tflite",)),
    Sample("keyword_spotting", 90, formats=("tflite",)),
)
FAST = (
    *CHIPS,
    Sample("digits_classification", 90, ("mlp_512/", "mlp_128/", "cnn/")),
    Sample("sentiment_lstm", 90),
    Sample("sunspots_forecast", 30),
    Sample("breast_cancer_risk", 0.95),
    Sample("recommender", 0.15),
)
DETECTOR = Sample("shape_detector", 70)
SLOW = Sample("vgg16_photo", 100)
QUICKEST = FAST[5]

# How much worse than the float model an int8 file may be, in the unit that is printed.
MAY_LOSE = {"accuracy": 2.0, "agreement": 15.0, "ROC AUC": 0.01, "mAP": 1.0}
RMSE_MAY_GROW = 1.1

LINE = re.compile(
    r"^(?P<file>\S*model_int8\.(?:tflite|onnx)): (?P<metric>[\w ]+?) (?P<got>[\d.]+)%? "
    r"\(float (?P<wanted>[\d.]+)%?\), (?P<verdict>pass|inconclusive|fail)$",
    re.MULTILINE,
)


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
    "sample", [s for s in FAST if s is not QUICKEST], ids=lambda sample: sample.name
)
def test_a_sample_deploys_what_it_trained(
    sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(sample.name).main(tmp_path / "out")
    check(capsys.readouterr().out, sample, tmp_path)
    sources = tmp_path / "out" / "cortex-m"
    assert sources.is_dir() == (sample in CHIPS)
    if sample in CHIPS and shutil.which("g++"):  # on a chip they run by `make test-chips`
        program = tmp_path / "check_data"
        files = [str(sources / name) for name in ("check_data.cc", "model_data.cc")]
        subprocess.run(["g++", *files, "-o", str(program)], check=True)
        subprocess.run([program], check=True)


@pytest.mark.parametrize(
    "sample",
    [pytest.param(x, marks=pytest.mark.slow) for x in (*FAST, DETECTOR, SLOW) if x is not QUICKEST]
    + [QUICKEST],
    ids=lambda sample: sample.name,
)
def test_it_prints_its_own_lines_and_writes_nowhere_else(sample: Sample, tmp_path: Path) -> None:
    """As a reader runs it."""
    check(run(sample.name, tmp_path), sample, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_digits_reads_mnist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digits of MNIST's size and type, instead of its download; and one model of the three."""
    import keras

    from edgekit.workflows.demo import digits

    images, labels = digits()
    large = np.pad(np.kron(images[..., 0] * 255, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))
    pair = large.astype(np.uint8), labels.astype(np.uint8)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: (pair, pair))
    sample = loaded("digits_classification")
    monkeypatch.setattr(sample, "BODIES", {"cnn": sample.BODIES["cnn"]})
    sample.main(tmp_path / "out", mnist=True)

    printed = capsys.readouterr().out
    check(printed, FAST[2]._replace(folders=("cnn/",)), tmp_path)
    assert "instead of MNIST" not in printed
    told = json.loads((tmp_path / "out" / "cnn" / "manifest.json").read_text())
    assert told["files"][0]["inputs"][0]["shape"] == [1, 28, 28, 1]


@pytest.mark.slow
def test_vgg16_decodes_the_classes_of_downloaded_weights(tmp_path: Path) -> None:
    printed = run("vgg16_photo", tmp_path, before=IMAGENET)
    check(printed, SLOW, tmp_path)
    assert "RANDOM WEIGHTS" not in printed
    assert len(re.findall(r"^  thing_\d+ \d+%$", printed, re.MULTILINE)) == 6, printed


def loaded(name: str) -> Any:
    """A sample as a module, which has run nothing yet."""
    spec = importlib.util.spec_from_file_location(name, SAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, folder: Path, before: str = "") -> str:
    """Runs a sample as a reader would, after ``before`` in the same process; what it prints."""
    path = str(SAMPLES / f"{name}.py")
    code = f"{before}\nimport runpy, sys\nsys.argv[0] = {path!r}\nrunpy.run_path({path!r}, run_name='__main__')"
    command = ["-c", code] if before else [path]
    done = subprocess.run(
        [sys.executable, *command, folder / "out"],
        capture_output=True, text=True, check=False, cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("TF_", "CUDA_"))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if not before:
        assert done.stderr == ""
    return done.stdout


def check(printed: str, sample: Sample, folder: Path) -> None:
    """Whether its int8 files are there, are as good as the float model, and have answered."""
    found = list(LINE.finditer(printed))
    assert [line["file"] for line in found] == [
        f"{prefix}model_int8.{form}" for prefix in sample.folders for form in sample.formats
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
    names = {sample.name for sample in (*FAST, DETECTOR, SLOW)}
    listed = (SAMPLES / "README.md").read_text()
    assert {path.stem for path in SAMPLES.glob("*.py")} == names
    assert all(f"samples/{name}.py" in listed for name in names)


def test_sunspots_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    monkeypatch.delitem(sys.modules, "statsmodels.datasets", raising=False)
    with pytest.raises(SystemExit) as ended:
        loaded("sunspots_forecast").load_sunspots()
    assert ended.value.code == 4
    assert "pip install statsmodels" in capsys.readouterr().err
