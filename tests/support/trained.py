"""Well-trained models of the kinds that devices run, each trained once a machine and kept.

``PYTHONPATH=tests python -m support.trained [NAME ...]`` trains what is not there yet, and tells how good
each is. They lie in the folder ``EDGEKIT_ZOO``, whatever code made them; or by default in
``~/.cache/edgekit/zoo``, under a key of the code and of the libraries' versions.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edgekit.bundle.atomic import replacing
from edgekit.data.samples import Array
from support import trained_data, trained_models
from support.trained_data import Task, digit_pictures, shapes, spectra


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made: its layers, its data, and how long it learns."""

    build: Callable[[], Any]
    task: Task
    takes: Callable[[Array], Array]
    """Makes of a sample what the model takes."""
    samples: int
    epochs: int
    least: float
    """The accuracy on samples that training has not seen, which it must reach."""
    rate: float = 2e-3


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and samples that it has not seen."""

    name: str
    model: Path
    data: Path
    """``x`` and ``y``, in random order."""


def _as_is(x: Array) -> Array:
    return x.astype(np.float32)


def _in_0_to_1(x: Array) -> Array:
    return x.astype(np.float32) / 255


def _around_0(x: Array) -> Array:
    return x.astype(np.float32) / 127.5 - 1


def _rows(x: Array) -> Array:
    return x[..., 0].astype(np.float32) / 255


def _frames(x: Array) -> Array:
    return x[..., 0]


RECIPES: dict[str, Recipe] = {
    "ds_cnn": Recipe(trained_models.ds_cnn, spectra(), _as_is, 6000, 8, 0.95),
    "mobilenet_v2": Recipe(
        partial(trained_models.application, "MobileNetV2", 96, alpha=0.35),
        digit_pictures(96), _around_0, 4000, 10, 0.95,
    ),
    "resnet": Recipe(trained_models.resnet, digit_pictures(32), _in_0_to_1, 4000, 8, 0.95),
    "lstm": Recipe(
        trained_models.lstm, digit_pictures(16, coloured=False), _rows, 12000, 16, 0.95, 4e-3
    ),
    "transformer": Recipe(trained_models.transformer, spectra(), _frames, 8000, 12, 0.95, 1e-3),
    "unet": Recipe(trained_models.unet, shapes(48), _in_0_to_1, 3000, 10, 0.95),
    "mobilenet_v3": Recipe(
        partial(trained_models.application, "MobileNetV3Small", 96),
        digit_pictures(96), _as_is, 4000, 10, 0.95,
    ),
    "efficientnet": Recipe(
        partial(trained_models.application, "EfficientNetB0", 48),
        digit_pictures(48, seen=897), _as_is, 12000, 9, 0.95,  # it learns fewer by heart
    ),
}  # fmt: skip
"""In the order in which they are trained: the fastest first."""


def trained(name: str) -> Trained:
    """A model of ``RECIPES`` and its samples; it is trained the first time it is asked for."""
    given = os.environ.get("EDGEKIT_ZOO")
    cache = Path.home() / ".cache" / "edgekit" / "zoo"
    folder = Path(given) if given else cache / _key()
    found = Trained(name, folder / f"{name}.keras", folder / f"{name}.npz")
    if not (found.model.exists() and found.data.exists()):
        _train(RECIPES[name], found)
    return found


def _key() -> str:
    modules = (sys.modules[__name__], trained_data, trained_models)
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
    libraries = [f"{n} {version(n)}" for n in ("keras", "tensorflow", "numpy", "scikit-learn")]
    return hashlib.sha256(code + " ".join(libraries).encode()).hexdigest()[:12]


def _train(recipe: Recipe, to: Trained) -> None:
    import keras

    keras.backend.clear_session()  # so that layers' names are the same whatever ran before
    keras.utils.set_random_seed(0)
    model = recipe.build()
    x, y = recipe.task.training(recipe.samples)
    steps = recipe.epochs * (recipe.samples // 32)
    schedule = keras.optimizers.schedules.CosineDecay(recipe.rate, steps)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    model.fit(recipe.takes(x), y, batch_size=32, epochs=recipe.epochs, verbose=0)
    unseen, labels = recipe.task.unseen()
    unseen = recipe.takes(unseen)
    reached = (model.predict(unseen, batch_size=50, verbose=0).argmax(-1) == labels).mean()
    if reached < recipe.least:
        raise ValueError(f"{to.name} learned {reached:.1%}, which is less than {recipe.least:.0%}.")
    with replacing(to.data) as unfinished, unfinished.open("wb") as file:
        np.savez(file, x=unseen, y=labels)
    with replacing(to.model) as unfinished:
        written = unfinished.with_suffix(".keras")  # what Keras insists on
        model.save(written)
        written.replace(unfinished)


def main(names: list[str]) -> None:
    """Train, and tell how good and how slow."""
    import keras

    for name in names or RECIPES:
        start = perf_counter()
        found = trained(name)
        seconds = perf_counter() - start
        with np.load(found.data) as data:
            x, y = data["x"], data["y"]
        answers = keras.models.load_model(found.model).predict(x, batch_size=50, verbose=0)
        right = (answers.argmax(-1) == y).mean()
        print(
            f"{name}: {right:.2%} of {y.size:,} right, {len(x):,} samples, {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
