"""How faithful the int8 files are, beside TFLiteConverter's own and the publisher's.

Each on the same calibration samples and the same held-out ones, in one run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.peers import converter_int8

import edgekit
from edgekit.data.samples import Array
from edgekit_converters import load_model

pytestmark = pytest.mark.benchmark

Tell = Callable[[str], None]

MODELS = ("cnn", "mlp", "ad01", "str_ww")


def sqnr(expected: Array, got: Array) -> float:
    noise = np.square(got.astype(np.float64) - expected).sum()
    return float("inf") if noise == 0 else float(10 * np.log10(np.square(expected).sum() / noise))


def case(
    name: str, digits: Path, request: pytest.FixtureRequest
) -> tuple[Path, Array, Array, Path | None]:
    """The model, samples to calibrate on, samples to judge by, and the publisher's int8 file."""
    if name in ("cnn", "mlp"):
        return (digits / f"{name}.keras", np.load(digits / "calib.npz")["image"][:200],
                np.load(digits / "eval.npz")["image"], None)  # fmt: skip
    folder = request.getfixturevalue("mlperf_tiny")
    if name == "str_ww":  # 45 real samples are all there are: too few to hold any out
        samples = np.load(folder / "calibration_samples.npz")["specs"].astype(np.float32)
        return folder / "str_ww_ref_model.h5", samples, samples, folder / "str_ww_ref_model.tflite"
    # No real samples ship with it: random walks, which like its spectra change slowly.
    walks = np.random.default_rng(0).normal(size=(500, 640)).cumsum(axis=1) * 0.3 - 10
    samples = walks.astype(np.float32)
    return folder / "ad01.h5", samples[:200], samples[200:], folder / "ad01_int8.tflite"


@pytest.mark.parametrize("name", MODELS)
def test_fidelity(
    name: str, digits: Path, tmp_path: Path, request: pytest.FixtureRequest, tell: Tell
) -> None:
    source, calibration, judged, published = case(name, digits, request)
    model = load_model(str(source))

    def stream() -> Any:  # of a stream every third row is held out: repeat one there
        for i, sample in enumerate(calibration):
            yield {model.inputs[0].name: sample}
            if i % 2:
                yield {model.inputs[0].name: sample}

    report = edgekit.convert(source, stream, tmp_path, samples=len(calibration))
    assert report.calibrated_on == len(calibration)
    (tmp_path / "converter.tflite").write_bytes(converter_int8(model, calibration))
    expected = np.asarray(model([judged], training=False))

    def answers(path: Path) -> Array:
        with edgekit.open_model(path) as session:
            return session.run(judged)

    tflite, onnx = answers(tmp_path / "model_int8.tflite"), answers(tmp_path / "model_int8.onnx")
    ours, twin = sqnr(expected, tflite), sqnr(expected, onnx)
    converter = sqnr(expected, answers(tmp_path / "converter.tflite"))
    publisher = sqnr(expected, answers(published)) if published else None
    same = (tflite.argmax(1) == onnx.argmax(1)).mean()
    equal = (tflite == onnx).mean()
    tell(
        f"{name:7} int8 SQNR, dB: edgekit TFLite {ours:.1f}, ONNX {twin:.1f}; TFLiteConverter "
        f"{converter:.1f}; publisher {'-' if publisher is None else f'{publisher:.1f}'}; both files: "
        f"same top-1 {same:.1%}, equal bits {equal:.1%}"
    )
    assert ours >= converter - 0.3
    assert publisher is None or ours >= publisher
    assert abs(ours - twin) <= 1
    assert same >= 0.99
