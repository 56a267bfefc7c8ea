"""One contract for every runtime: names, batches, types, and errors that tell."""

from pathlib import Path

import numpy as np
import pytest

from edgekit_runtimes import InputError, ModelError, TensorSpec, open_model
from edgekit_runtimes.arrays import quantize

FILES = ("model_float32.tflite", "model_float32.onnx", "model_int8.tflite", "model_int8.onnx")


@pytest.fixture(params=[*FILES, "cnn.keras"])
def path(request: pytest.FixtureRequest, digits: Path, converted: Path) -> Path:
    name: str = request.param
    return digits / name if name.endswith(".keras") else converted / name


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 8, 8, 1), np.float32)


def test_bare_in_is_bare_out_and_names_in_are_names_out(path: Path) -> None:
    with open_model(path) as model:
        bare, named = model.run(images(3)), model.run({"image": images(3)})
    assert bare.shape == (3, 10)
    assert list(named) == ["digit"]
    np.testing.assert_array_equal(bare, named["digit"])


@pytest.mark.parametrize("count", [1, 5])
def test_batches_of_any_size_answer_as_one_by_one(path: Path, count: int) -> None:
    with open_model(path) as model:
        together = model.run(images(count))
        apart = np.concatenate([model.run(images(count)[i : i + 1]) for i in range(count)])
    np.testing.assert_allclose(together, apart, atol=1e-6)


def test_answers_stay_when_the_model_runs_again(path: Path) -> None:
    with open_model(path) as model:
        first = model.run(images(1))
        kept = first.copy()
        model.run(images(1) * 0)
        np.testing.assert_array_equal(first, kept)


def test_other_number_types_are_taken(path: Path) -> None:
    with open_model(path) as model:
        np.testing.assert_array_equal(model.run(images(1).astype(np.float64)), model.run(images(1)))


def test_wrong_input_is_told_with_what_was_expected(path: Path) -> None:
    with open_model(path) as model:
        with pytest.raises(
            InputError, match=r"'image': expected \(batch, 8, 8, 1\), got \(8, 8, 1\)"
        ):
            model.run(images(1)[0])
        with pytest.raises(InputError, match="no input picture; it takes image"):
            model.run({"picture": images(1)})
        with pytest.raises(InputError, match="needs the input image"):
            model.run({})
        with pytest.raises(InputError, match="expected numbers"):
            model.run(np.full((1, 8, 8, 1), "x"))
        with pytest.raises(InputError, match="no samples"):
            model.run(images(0))


def test_a_closed_model_says_so(path: Path) -> None:
    model = open_model(path)
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        model.run(images(1))


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_an_error_that_names_it(
    converted: Path, tmp_path: Path, name: str
) -> None:
    content = (converted / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(ModelError, match=name):
        open_model(tmp_path / name)


def test_a_missing_file_and_an_unknown_kind_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        open_model(tmp_path / "model.tflite")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"\.tflite, \.onnx"):
        open_model(tmp_path / "model.bin")


def test_real_numbers_are_rounded_and_clipped_to_integers() -> None:
    spec = TensorSpec("x", (1, 4), "int8", scale=0.5, zero_point=10)
    real = np.array([0.0, 0.3, -100.0, 100.0], np.float32)
    np.testing.assert_array_equal(quantize(real, spec), np.array([10, 11, -128, 127], np.int8))
