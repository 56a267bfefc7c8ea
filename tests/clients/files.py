"""The files that clients run: every small model of the matrix, and what edgekit's runtimes answer."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from support.zoo import OWN_CLASSES, SMALL, samples

Array = npt.NDArray[Any]

PRECISIONS = ("float32", "int8")
JUDGED = 8
"""Samples that each client runs: those on which nothing was calibrated."""


def slug(name: str) -> str:
    """A model's name as the name of its folder."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")


def write_files(folder: Path) -> None:
    """Converts the models, and writes what clients need to know into ``cases.json``.

    Each model's folder has the four files, ``INPUT.bin`` of each input (little-endian, a row a sample),
    ``original/OUTPUT.bin`` of Keras, and of each file the answers of edgekit in ``FILE/OUTPUT.bin``.
    """
    cases = {slug(name): _write(name, folder / slug(name)) for name in SMALL}
    (folder / "cases.json").write_text(json.dumps(cases, indent=1))


def _write(name: str, folder: Path) -> dict[str, Any]:
    import keras

    import edgekit
    from edgekit_runtimes import open_model

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = SMALL[name]()
    data = samples(model)
    source = OWN_CLASSES.get(name, model)
    calibration = {key: values[:-JUDGED] for key, values in data.items()}
    edgekit.convert(source, calibration, folder, precision=PRECISIONS)
    judged = {key: values[-JUDGED:] for key, values in data.items()}
    for key, values in judged.items():
        values.tofile(folder / f"{key}.bin")
    for path in sorted([*folder.glob("model_*.tflite"), *folder.glob("model_*.onnx")]):
        with open_model(path) as session:
            answer = session.run(judged)
        save(answer, folder / path.name.replace(".", "_"))
    original = model(list(judged.values()) if len(judged) > 1 else next(iter(judged.values())))
    single = not isinstance(original, (list, tuple, dict))
    values = [original] if single else original.values() if isinstance(original, dict) else original
    save({o: np.asarray(v) for o, v in zip(answer, values, strict=True)}, folder / "original")
    return {
        "inputs": {
            key: {"shape": [1, *values.shape[1:]], "dtype": str(values.dtype)}
            for key, values in judged.items()
        },
        "outputs": list(answer),
        "samples": JUDGED,
    }


def save(answers: dict[str, Array], folder: Path) -> None:
    """Writes outputs, each as float32 in a file of its own, named by its number."""
    folder.mkdir(exist_ok=True)
    for number, values in enumerate(answers.values()):
        np.asarray(values, "<f4").tofile(folder / f"{number}.bin")


def load(folder: Path) -> list[Array]:
    """What ``save`` wrote, flat."""
    return [np.fromfile(path, "<f4") for path in sorted(folder.glob("*.bin"))]
