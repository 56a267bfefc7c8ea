"""Biases that make up for the mean error of their operators."""

from pathlib import Path

import numpy as np
import pytest
from support.corrections import Digits, digits_rows, digits_without_softmax

from edgekit_converters.tflite.bias_correction import corrected_biases
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.write import write_tflite


@pytest.fixture(scope="module")
def cnn(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Digits:
    return digits_without_softmax(digits, tmp_path_factory.mktemp("biases"))


def test_corrected_biases_bring_unseen_samples_closer_to_float(cnn: Digits) -> None:
    corrected = corrected_biases(cnn.graph, cnn.int8, cnn.calibration)

    assert len(corrected.constants) == 4
    assert not corrected.note
    assert cnn.decibel(cnn.write(corrected)) > cnn.decibel(cnn.int8) + 0.3


def test_the_biases_that_a_file_has_do_not_matter(cnn: Digits) -> None:
    right = corrected_biases(cnn.graph, cnn.int8, cnn.calibration).constants
    (name, *_) = right
    wrong = cnn.write(Corrected({name: right[name] + 0.3}))

    corrected = corrected_biases(cnn.graph, wrong, cnn.calibration)

    assert cnn.decibel(wrong) < cnn.decibel(cnn.int8) - 3
    assert np.allclose(corrected.constants[name], right[name], atol=0.01)


def test_the_same_samples_give_the_same_biases(cnn: Digits) -> None:
    first, second = (corrected_biases(cnn.graph, cnn.int8, cnn.calibration[:20]) for _ in range(2))

    assert first.constants.keys() == second.constants.keys()
    assert all(np.array_equal(v, second.constants[n]) for n, v in first.constants.items())


def test_memory_bounds_the_number_of_samples(cnn: Digits) -> None:
    bounded = corrected_biases(cnn.graph, cnn.int8, cnn.calibration, memory=1).constants

    one = corrected_biases(cnn.graph, cnn.int8, cnn.calibration[:1]).constants
    assert all(np.array_equal(bounded[name], one[name]) for name in one)


def test_an_operator_in_float_keeps_its_bias(cnn: Digits, tmp_path: Path) -> None:
    everything = corrected_biases(cnn.graph, cnn.int8, cnn.calibration[:20]).constants
    kept = next(name for name in cnn.ranges if "batchnorm" in name)
    mixed = tmp_path / "mixed.tflite"
    write_tflite(cnn.graph, mixed, "int8", cnn.ranges, keep_float=[kept])

    corrected = corrected_biases(cnn.graph, mixed, cnn.calibration[:20]).constants

    assert len(corrected) == len(everything) - 1
    assert corrected.keys() < everything.keys()


def test_a_graph_with_a_loop_is_skipped_with_a_note(digits: Path, tmp_path: Path) -> None:
    graph, int8, rows = digits_rows(digits, tmp_path)

    corrected = corrected_biases(graph, int8, rows)

    assert not corrected.constants
    assert "loop" in corrected.note


@pytest.mark.parametrize("interface", ["float", "int8"])
def test_files_of_either_interface_are_corrected_alike(
    interface: str, cnn: Digits, tmp_path: Path
) -> None:
    file = tmp_path / "file.tflite"
    write_tflite(cnn.graph, file, "int8", cnn.ranges, interface)  # type: ignore[arg-type]

    corrected = corrected_biases(cnn.graph, file, cnn.calibration[:20]).constants

    expected = corrected_biases(cnn.graph, cnn.int8, cnn.calibration[:20]).constants
    assert all(np.allclose(corrected[name], expected[name], atol=1e-5) for name in expected)
