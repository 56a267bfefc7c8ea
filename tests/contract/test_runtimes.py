"""One contract for every runtime: names, batches, types, and errors that tell."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgekit_runtimes import InputError, ModelError, Session, TensorSpec, open_model
from edgekit_runtimes.arrays import quantize

FILES = ("model_float32.tflite", "model_float32.onnx", "model_int8.tflite", "model_int8.onnx")
PLAIN = {".tflite": "xnnpack", ".onnx": "mlas"}
OTHERS = {".tflite": ("openvino", "micro"), ".onnx": ("openvino",)}
ELSEWHERE = [(name, device) for name in FILES for device in OTHERS[Path(name).suffix]]
WAYS = [*((name, PLAIN[Path(name).suffix]) for name in FILES), *ELSEWHERE, ("cnn.keras", "keras")]
QUANTUM = 1 / 256
"""A step of a softmax's int8 output."""

Opener = partial[Session]


@pytest.fixture(params=WAYS, ids="-".join)
def opener(request: pytest.FixtureRequest, digits: Path, converted: Path) -> Opener:
    """Opens a file on a device: each file on every device that needs no accelerator."""
    name, device = request.param
    folder = digits if name.endswith(".keras") else converted
    return partial(open_model, folder / name, device=device)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 8, 8, 1), np.float32)


def held_out(digits: Path) -> np.ndarray:
    samples: np.ndarray = np.load(digits / "eval.npz")["image"][:200]
    return samples


def test_a_session_tells_what_was_opened(opener: Opener) -> None:
    with opener() as model:
        assert (Path(model.path), model.device, model.threads) == (
            opener.args[0],
            opener.keywords["device"],
            1,
        )
        assert [(s.name, s.shape[1:], s.dtype) for s in model.inputs] == [
            ("image", (8, 8, 1), "float32")
        ]
        assert [(s.name, s.shape[1:], s.dtype) for s in model.outputs] == [
            ("digit", (10,), "float32")
        ]


def test_bare_in_is_bare_out_and_names_in_are_names_out(opener: Opener) -> None:
    with opener() as model:
        bare, named = model.run(images(3)), model.run({"image": images(3)})
    assert bare.shape == (3, 10)
    assert list(named) == ["digit"]
    np.testing.assert_array_equal(bare, named["digit"])


@pytest.mark.parametrize("count", [1, 5])
def test_batches_of_any_size_answer_as_one_by_one(opener: Opener, count: int) -> None:
    with opener() as model:
        together = model.run(images(count))
        apart = np.concatenate([model.run(images(count)[i : i + 1]) for i in range(count)])
    np.testing.assert_allclose(together, apart, atol=1e-6)


def test_answers_stay_when_the_model_runs_again(opener: Opener) -> None:
    with opener() as model:
        first = model.run(images(1))
        kept = first.copy()
        model.run(images(1) * 0)
        np.testing.assert_array_equal(first, kept)


def test_other_number_types_are_taken(opener: Opener) -> None:
    with opener() as model:
        expected = model.run(images(1))
        np.testing.assert_array_equal(model.run(images(1).astype(np.float64)), expected)
        np.testing.assert_array_equal(model.run(images(1).astype(">f4")), expected)
        np.testing.assert_array_equal(model.run(images(1).tolist()), expected)


def test_any_layout_in_memory_is_taken(opener: Opener) -> None:
    with opener() as model:
        for count in (1, 3):
            expected = model.run(images(count))
            frozen = images(count)
            frozen.flags.writeable = False
            gaps = images(count).repeat(2, axis=1)[:, ::2]
            mirrored = np.flip(np.ascontiguousarray(np.flip(images(count), 2)), 2)
            for laid in (frozen, gaps, mirrored, np.asfortranarray(images(count))):
                np.testing.assert_array_equal(model.run(laid), expected)
            backwards = model.run(images(count)[::-1])[::-1]
            np.testing.assert_allclose(backwards, expected, atol=1e-6)


def test_wrong_input_is_told_with_what_was_expected(opener: Opener) -> None:
    with opener() as model:
        with pytest.raises(
            InputError, match=r"'image': expected \(batch, 8, 8, 1\), got \(8, 8, 1\)"
        ):
            model.run(images(1)[0])
        with pytest.raises(InputError, match="no input picture; its inputs are image"):
            model.run({"picture": images(1)})
        with pytest.raises(InputError, match="needs the input image"):
            model.run({})
        with pytest.raises(InputError, match="expected numbers"):
            model.run(np.full((1, 8, 8, 1), "x"))
        with pytest.raises(InputError, match="no samples"):
            model.run(images(0))
        np.testing.assert_allclose(model.run(images(1)).sum(), 1, atol=0.1)  # it goes on


def test_a_closed_model_says_so(opener: Opener) -> None:
    model = opener()
    model.run(images(1))
    model.close()
    model.close()
    for use in (lambda: model.run(images(1)), lambda: model.run({}), lambda: model.placement):
        with pytest.raises(ModelError, match="is closed"):
            use()


@pytest.mark.parametrize(("name", "device"), ELSEWHERE)
def test_every_device_answers_as_the_plain_one(
    digits: Path, converted: Path, name: str, device: str
) -> None:
    with open_model(converted / name, device=device) as model, open_model(converted / name) as cpu:
        assert cpu.device == PLAIN[Path(name).suffix]
        answers, expected = model.run(held_out(digits)), cpu.run(held_out(digits))
    away = np.abs(answers - expected)
    if "int8" not in name:
        assert away.max() <= 1e-4
        return
    # One step of a score before the softmax, where another kernel rounds otherwise, is several after it.
    assert np.mean(away <= 2 * QUANTUM) >= 0.99
    assert away.max() <= 8 * QUANTUM
    assert np.mean(answers.argmax(-1) == expected.argmax(-1)) >= 0.99


@pytest.mark.parametrize("name", ["model_float32.tflite", "model_float32.onnx"])
def test_the_float_files_answer_as_the_original(digits: Path, converted: Path, name: str) -> None:
    with open_model(digits / "cnn.keras") as original, open_model(converted / name) as model:
        np.testing.assert_allclose(
            model.run(held_out(digits)), original.run(held_out(digits)), atol=1e-5
        )


@pytest.mark.parametrize("precision", ["float16", "dynamic", "int16x8"])
@pytest.mark.parametrize("device", ["mlas", "openvino"])
def test_other_precisions_have_the_same_names_at_their_ends(
    converted: Path, precision: str, device: str
) -> None:
    with open_model(converted / f"model_{precision}.onnx", device=device) as model:
        assert list(model.run({"image": images(1)})) == ["digit"]


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_an_error_that_names_it(
    converted: Path, tmp_path: Path, name: str
) -> None:
    content = (converted / name).read_bytes()
    for part in (0, 0.01, 1 / 3, 0.9):
        (tmp_path / name).write_bytes(content[: int(len(content) * part)])
        for device in (PLAIN[Path(name).suffix], *OTHERS[Path(name).suffix]):
            with pytest.raises(ModelError, match=name):
                open_model(tmp_path / name, device=device)


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
