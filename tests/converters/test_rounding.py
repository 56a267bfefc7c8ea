"""Weights whose rounding is trained against the float model."""

from pathlib import Path

import numpy as np
import pytest
from support import zoo
from support.corrections import Digits, digits_rows, digits_without_softmax

from edgekit_converters import convert, load_model
from edgekit_converters.tflite.bias_correction import corrected_biases
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.quantized_operators import MAIN, read_operators, real_constant
from edgekit_converters.tflite.rounding import trained_rounding
from edgekit_converters.tflite.write import write_tflite


@pytest.fixture(scope="module")
def cnn(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Digits:
    return digits_without_softmax(digits, tmp_path_factory.mktemp("rounding"))


@pytest.fixture(scope="module")
def coarse(cnn: Digits) -> Path:
    """The int8 file with weights of 5 bits: scales 8 times as large as they must be."""
    plain = trained_rounding(cnn.graph, cnn.int8, cnn.calibration, steps=0)
    wide = {name: 8 * most for name, most in plain.weight_ranges.items()}
    target = cnn.folder / "coarse.tflite"
    write_tflite(cnn.graph, target, "int8", cnn.ranges, weight_ranges=wide)
    return target


@pytest.fixture(scope="module")
def trained(cnn: Digits, coarse: Path) -> Corrected:
    return trained_rounding(cnn.graph, coarse, cnn.calibration, steps=60)


def test_trained_rounding_brings_unseen_samples_closer_to_float(
    cnn: Digits, coarse: Path, trained: Corrected
) -> None:
    biases = corrected_biases(cnn.graph, coarse, cnn.calibration)

    better = cnn.decibel(cnn.write(trained))

    assert better > cnn.decibel(coarse) + 3
    assert better > cnn.decibel(cnn.write(biases, weight_ranges=trained.weight_ranges)) + 1


def test_the_integers_come_back_exactly(cnn: Digits, coarse: Path, trained: Corrected) -> None:
    file = cnn.write(trained)

    pairs = zip(
        read_operators(cnn.graph, file)[MAIN], read_operators(cnn.graph, coarse)[MAIN], strict=True
    )
    changed = 0
    for written, before in pairs:
        weight, old = written.constants[1:2], before.constants[1:2]
        if weight and weight[0] is not None and old[0] is not None:
            assert np.allclose(weight[0].scales, old[0].scales, rtol=1e-6)
            wanted = trained.constants[written.inputs[1]]
            assert np.allclose(real_constant(weight[0]), wanted, rtol=1e-6, atol=0)
            changed += np.count_nonzero(weight[0].values != old[0].values)
    assert changed > 100


def test_the_seed_and_the_samples_decide_every_bit(
    cnn: Digits, coarse: Path, trained: Corrected
) -> None:
    def differ(other: Corrected) -> bool:
        pairs = [(trained.constants[name], value) for name, value in other.constants.items()]
        return any(not np.array_equal(a, b) for a, b in pairs)

    assert not differ(trained_rounding(cnn.graph, coarse, cnn.calibration, steps=60))
    assert differ(trained_rounding(cnn.graph, coarse, cnn.calibration, steps=60, seed=1))


def test_without_steps_every_integer_is_as_before(cnn: Digits) -> None:
    file = cnn.write(trained_rounding(cnn.graph, cnn.int8, cnn.calibration, steps=0))

    for written, before in zip(
        read_operators(cnn.graph, file)[MAIN],
        read_operators(cnn.graph, cnn.int8)[MAIN],
        strict=True,
    ):
        for new, old in zip(written.constants, before.constants, strict=True):
            assert (new is None) == (old is None)
            assert new is None or old is None or np.array_equal(new.values, old.values)


def test_training_goes_on_from_corrected_biases(cnn: Digits) -> None:
    biases = corrected_biases(cnn.graph, cnn.int8, cnn.calibration)

    started = trained_rounding(
        cnn.graph, cnn.int8, cnn.calibration, steps=0, start=biases.constants
    )

    for name, value in biases.constants.items():
        assert np.allclose(started.constants[name], value, atol=1e-6)


def test_an_operator_in_float_keeps_its_weights(cnn: Digits, tmp_path: Path) -> None:
    everything = trained_rounding(cnn.graph, cnn.int8, cnn.calibration, steps=0)
    kept = next(name for name in cnn.ranges if "batchnorm" in name)
    mixed = tmp_path / "mixed.tflite"
    write_tflite(cnn.graph, mixed, "int8", cnn.ranges, keep_float=[kept])

    trained = trained_rounding(cnn.graph, mixed, cnn.calibration, steps=1)

    assert trained.weight_ranges.keys() < everything.weight_ranges.keys()
    assert len(trained.constants) == len(everything.constants) - 2


@pytest.mark.parametrize("name", ["SeparableConv2D", "U-Net", "transformer block, exact GELU"])
def test_the_function_that_is_trained_computes_what_litert_does(name: str, tmp_path: Path) -> None:
    """For several samples at once, in files of one; otherwise a note would say so."""
    import keras

    keras.utils.set_random_seed(0)
    zoo.SMALL[name]().save(tmp_path / "model.keras")
    model = load_model(str(tmp_path / "model.keras"))
    values = zoo.samples(model, 8)
    samples = [{key: value[row] for key, value in values.items()} for row in range(8)]
    int8 = tmp_path / "int8.tflite"
    made = convert(model, {("tflite", "int8"): int8}, samples, scratch=tmp_path)
    assert made.graph is not None

    trained = trained_rounding(made.graph, int8, samples, steps=1)

    assert not trained.note
    assert trained.weight_ranges


def test_a_graph_with_a_loop_is_skipped_with_a_note(digits: Path, tmp_path: Path) -> None:
    graph, int8, rows = digits_rows(digits, tmp_path)

    trained = trained_rounding(graph, int8, rows, steps=1)

    assert not trained.constants
    assert not trained.weight_ranges
    assert "WHILE" in trained.note
