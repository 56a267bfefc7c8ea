"""Recipes that correct constants, in the files of all formats."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recipes import images_of, outputs_of, sqnr

from edgekit_converters import Recipe, Variants, load_model


@pytest.fixture(scope="module")
def variants(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    """Of the digits CNN without its softmax."""
    import keras

    model = load_model(str(digits / "cnn.keras"))
    model.layers[-1].activation = keras.activations.linear
    samples = images_of(digits, "calib", 60)
    scratch = tmp_path_factory.mktemp("corrected")
    return Variants(model, ["tflite", "onnx"], samples, scratch=scratch)


def write(variants: Variants, folder: Path, recipe: Recipe) -> dict[str, Path]:
    targets = {name: folder / f"model.{name}" for name in ("tflite", "onnx")}
    folder.mkdir(exist_ok=True)
    written = variants.write(recipe, targets)
    assert written.notes == ()
    return targets


@pytest.mark.parametrize(
    "corrections", [{"correct_bias": True}, {"correct_bias": True, "rounding_steps": 20}]
)
def test_a_recipe_that_corrects_brings_both_formats_closer_to_float(
    corrections: dict[str, Any], variants: Variants, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 100)
    plain = write(variants, tmp_path / "plain", Recipe())
    corrected = write(variants, tmp_path / "corrected", Recipe(**corrections))
    floats = write(variants, tmp_path / "float", Recipe("float32"))
    exact = outputs_of(floats["tflite"], samples)

    gains = [
        sqnr(exact, outputs_of(corrected[name], samples))
        - sqnr(exact, outputs_of(plain[name], samples))
        for name in plain
    ]

    assert min(gains) > 0.3
    assert abs(gains[0] - gains[1]) < 0.5


def test_the_same_recipe_gives_the_same_bytes(variants: Variants, tmp_path: Path) -> None:
    recipe = Recipe(correct_bias=True, rounding_steps=5)

    first, second = (write(variants, tmp_path / name, recipe) for name in ("a", "b"))

    assert [p.read_bytes() for p in first.values()] == [p.read_bytes() for p in second.values()]


def test_float_files_know_nothing_of_corrections(variants: Variants, tmp_path: Path) -> None:
    before = write(variants, tmp_path / "before", Recipe("float16"))
    write(variants, tmp_path / "int8", Recipe(correct_bias=True))
    after = write(variants, tmp_path / "after", Recipe("float16", correct_bias=True))

    assert [p.read_bytes() for p in before.values()] == [p.read_bytes() for p in after.values()]


def test_a_recipe_whose_levers_do_not_fit_says_so_and_writes_the_files(
    digits: Path, tmp_path: Path
) -> None:
    samples = [{"rows": row} for row in np.load(digits / "rows.npz")["rows"][:10]]
    model = load_model(str(digits / "lstm.keras"))
    variants = Variants(model, ["tflite"], samples, scratch=tmp_path)
    recipe = Recipe(correct_bias=True, rounding_steps=2)

    written = variants.write(recipe, {"tflite": tmp_path / "corrected.tflite"})
    variants.write(Recipe(), {"tflite": tmp_path / "plain.tflite"})

    assert len(written.notes) == 2
    assert "loop" in written.notes[0]
    assert "WHILE" in written.notes[1]
    assert (tmp_path / "corrected.tflite").read_bytes() == (tmp_path / "plain.tflite").read_bytes()
