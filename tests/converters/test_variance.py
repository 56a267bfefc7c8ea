"""Normalizations in integers, of positions that vary by very different amounts."""

from pathlib import Path

import numpy as np
import pytest
from support.recipes import outputs_of, sqnr, variants_of

from edgekit.data.samples import Array
from edgekit_converters import Recipe, Variants
from edgekit_converters.tflite import flatbuffer


def quiet_and_loud(count: int) -> Array:
    """Series of 8 positions with rare large values, the loudest 3 times as loud as the quietest."""
    random = np.random.default_rng(0)
    loudness = np.geomspace(1, 3, 8)[:, np.newaxis]
    return (random.normal(size=(count, 8, 32)) ** 3 * loudness).astype(np.float32)


@pytest.fixture(scope="module", params=["LayerNormalization", "RMSNormalization"])
def variants(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = layers.Input((8, 32), name="x")
    folder = tmp_path_factory.mktemp("variance")
    keras.Model(x, getattr(layers, request.param)()(x)).save(folder / "model.keras")
    return variants_of(folder / "model.keras", [{"x": row} for row in quiet_and_loud(60)], folder)


def decibel(variants: Variants, path: Path) -> float:
    samples = [{"x": row} for row in quiet_and_loud(80)[60:]]
    return sqnr(outputs_of(variants.job.graph, samples), outputs_of(path, samples))


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_quiet_positions_are_normalized_in_integers(
    suffix: str, variants: Variants, tmp_path: Path
) -> None:
    target = tmp_path / f"model.{suffix}"
    variants.write(Recipe(), {suffix: target})

    assert decibel(variants, target) > 17  # 13 by the mean of squares, which are rounded


def test_no_operator_of_it_is_left_in_float(variants: Variants, tmp_path: Path) -> None:
    variants.write(Recipe(), {"tflite": tmp_path / "model.tflite"})

    model = flatbuffer.read(tmp_path / "model.tflite")
    main = model.subgraphs[0]
    kinds = [flatbuffer.kind_name(model, operator) for operator in main.operators]
    computed = [main.tensors[i].type for op in main.operators for i in op.outputs]
    assert "BATCH_MATMUL" in kinds
    assert not {"SQUARED_DIFFERENCE", "SQUARE"} & set(kinds)
    assert computed.count(flatbuffer.FLOAT32) == 1  # the output


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_16_bits_are_enough_for_it(suffix: str, variants: Variants, tmp_path: Path) -> None:
    variants.write(Recipe("int16x8"), {suffix: tmp_path / f"model.{suffix}"})

    assert decibel(variants, tmp_path / f"model.{suffix}") > 30
