"""``edgekit convert`` beside a plain script that does the same; ``--help`` beside bare imports."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

pytestmark = pytest.mark.benchmark

_EDGEKIT = [sys.executable, "-m", "edgekit"]


def seconds(command: list[str | Path]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - start


def in_turns(a: list[str | Path], b: list[str | Path], rounds: int) -> tuple[float, float]:
    """The medians of two commands that take turns, after one run of each that is not counted."""
    times = [(seconds(a), seconds(b)) for _ in range(rounds + 1)][1:]
    return median(t for t, _ in times), median(t for _, t in times)


@pytest.mark.parametrize("model", ["cnn", "mobilenet"])
def test_convert_takes_at_most_as_long_as_a_plain_script(
    model: str, digits: Path, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    source, samples = digits / f"{model}.keras", digits / "calib.npz"
    if model == "mobilenet":
        source, samples = mobilenet(tmp_path)
    (tmp_path / "plain").mkdir()
    ours, plain = in_turns(
        [*_EDGEKIT, "convert", source, "--data", samples, "-o", tmp_path / "edgekit"],
        [sys.executable, Path(__file__).with_name("plain_script.py"), source, samples,
         tmp_path / "plain"],
        rounds=3,
    )  # fmt: skip
    tell(f"{model}: edgekit convert {ours:.1f} s, plain script {plain:.1f} s ({ours / plain:.2f}x)")
    assert ours <= plain


def mobilenet(folder: Path) -> tuple[Path, Path]:
    """MobileNetV2 0.35 at 96x96 with random weights, and random images."""
    import keras
    import numpy as np

    inputs = keras.Input((96, 96, 3), name="image")
    model = keras.applications.MobileNetV2(input_tensor=inputs, alpha=0.35, weights=None)
    keras.Model(inputs, model.output).save(folder / "mobilenet.keras")
    images = np.random.default_rng(0).random((300, 96, 96, 3), np.float32)
    np.savez(folder / "images.npz", image=images)
    return folder / "mobilenet.keras", folder / "images.npz"


def test_help_takes_at_most_twice_bare_imports(tell: Callable[[str], None]) -> None:
    ours, bare = in_turns(
        [*_EDGEKIT, "--help"], [sys.executable, "-c", "import click, rich"], rounds=15
    )
    tell(f"edgekit --help {1000 * ours:.0f} ms, import click, rich {1000 * bare:.0f} ms "
          f"({ours / bare:.2f}x)")  # fmt: skip
    assert ours <= 2 * bare
