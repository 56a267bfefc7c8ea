"""Several inputs and outputs, whole numbers as inputs, and files that take and give integers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import edgekit
from edgekit_runtimes import InputError, ModelError, open_model

PLAIN = ("model_float32.tflite", "model_float32.onnx", "model_int8.tflite", "model_int8.onnx")
EIGHT_BIT = [
    ("model_int8.tflite", "xnnpack"),
    ("model_int8.tflite", "openvino"),
    ("model_int8.tflite", "micro"),
    ("model_int8.onnx", "mlas"),
    ("model_int8.onnx", "openvino"),
]
EVERYWHERE = [
    ("model_float32.tflite", "xnnpack"),
    ("model_float32.tflite", "openvino"),
    ("model_float32.onnx", "mlas"),
    ("model_float32.onnx", "openvino"),
]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of areas and a word out of 40, that gives two guesses and three sums, in four files."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    areas = layers.Input((16,), name="areas")
    word = layers.Input((1,), dtype="int32", name="word")
    meaning = layers.Flatten()(layers.Embedding(40, 8)(word))
    guess = layers.Dense(2, name="guess")(layers.Concatenate()([areas, meaning]))
    total = layers.Dense(3, kernel_initializer="ones", name="total")(areas)
    random = np.random.default_rng(0)
    samples = {
        "areas": random.random((400, 16), np.float32),
        "word": random.integers(0, 40, (400, 1)).astype(np.int32),
    }
    folder = tmp_path_factory.mktemp("ends")
    edgekit.convert(keras.Model([areas, word], [guess, total]), samples, folder)
    return folder


@pytest.fixture(scope="module")
def integers(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits CNN in int8, from end to end."""
    folder = tmp_path_factory.mktemp("integers")
    edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", folder, precision=["int8"], io="int8"
    )
    return folder


def samples(count: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "areas": random.random((count, 16), np.float32),
        "word": random.integers(0, 40, (count, 1)).astype(np.int32),
    }


def held_out(digits: Path) -> np.ndarray:
    images: np.ndarray = np.load(digits / "eval.npz")["image"][:100]
    return images


@pytest.mark.parametrize("name", PLAIN)
def test_a_bare_array_for_several_inputs_is_refused_with_their_names(ends: Path, name: str) -> None:
    with (
        open_model(ends / name) as model,
        pytest.raises(
            InputError, match=r"2 inputs and 2 outputs: pass arrays by name.*areas.*word"
        ),
    ):
        model.run(samples()["areas"])


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_several_ends_go_by_name_and_agree_in_both_formats(ends: Path, precision: str) -> None:
    answers: list[dict[str, np.ndarray]] = []
    for suffix in ("tflite", "onnx"):
        with open_model(ends / f"model_{precision}.{suffix}") as model:
            answers.append(model.run(dict(reversed(samples().items()))))
            apart = [model.run({k: x[i : i + 1] for k, x in samples().items()}) for i in range(5)]
        assert {name: y.shape for name, y in answers[-1].items()} == {
            "guess": (5, 2),
            "total": (5, 3),
        }
        for name, y in answers[-1].items():
            np.testing.assert_allclose(np.concatenate([a[name] for a in apart]), y, atol=1e-6)
    for name, y in answers[0].items():
        step = 1e-5 if precision == "float32" else np.ptp(y) / 100
        np.testing.assert_allclose(answers[1][name], y, atol=step)


@pytest.mark.parametrize(("name", "device"), [w for w in EIGHT_BIT if w[1] != "micro"])
def test_sums_of_eight_bit_products_are_not_cut_off(ends: Path, name: str, device: str) -> None:
    """Two products of 8-bit numbers in a 16-bit register overflow: 2 x 255 x 127 is over 32,767."""
    with open_model(ends / name, device=device) as model:
        total = model.run(samples(100))["total"]
    exact = samples(100)["areas"].sum(-1, keepdims=True)
    np.testing.assert_allclose(total, np.repeat(exact, 3, -1), rtol=0.02)


@pytest.mark.parametrize("name", PLAIN)
def test_one_input_for_several_is_told_and_so_are_uneven_batches(ends: Path, name: str) -> None:
    with open_model(ends / name) as model:
        with pytest.raises(InputError, match=r"also needs the input word \(1, 1\) int32"):
            model.run({"areas": samples()["areas"]})
        with pytest.raises(InputError, match=r"different batch sizes: \[4, 5\]"):
            model.run(samples(5) | {"word": samples(4)["word"]})


@pytest.mark.parametrize("device", ["mlas", "openvino"])
def test_several_outputs_of_one_input_come_by_name_and_never_for_a_bare_array(
    tmp_path: Path, device: str
) -> None:
    ends = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in "xyz"}
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    graph = helper.make_graph(nodes, "two", [ends["x"]], [ends["y"], ends["z"]])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "two.onnx")
    x = np.array([[-1, 0, 2], [3, -4, 5]], np.float32)
    with open_model(tmp_path / "two.onnx", device=device) as model:
        answers = model.run({"x": x})
        streamed = list(model.map({"x": sample} for sample in x))
        for use in (model.run, lambda bare: list(model.map(bare))):
            with pytest.raises(InputError, match="1 input and 2 outputs: pass arrays by name"):
                use(x)
    np.testing.assert_array_equal(answers["y"], np.maximum(x, 0))
    np.testing.assert_array_equal(answers["z"], -x)
    np.testing.assert_array_equal([s["z"] for s in streamed], -x)


@pytest.mark.parametrize(("name", "device"), EVERYWHERE)
def test_whole_numbers_are_taken_in_any_type_and_fractions_are_not(
    ends: Path, name: str, device: str
) -> None:
    given = samples()
    with open_model(ends / name, device=device) as model:
        expected = model.run(given)["guess"]
        for kind in (np.int64, np.uint8, np.float32, np.float64):
            answer = model.run(given | {"word": given["word"].astype(kind)})["guess"]
            np.testing.assert_array_equal(answer, expected)
        for wrong in (0.5, float("inf"), 2**31, 2**32 + 3, 1e12):
            with pytest.raises(InputError, match="'word': expected integers that fit int32"):
                model.run(given | {"word": np.full((5, 1), wrong)})
        with pytest.raises(InputError, match="expected numbers"):
            model.run(given | {"word": given["word"] * 1j})


@pytest.mark.parametrize(("name", "device"), [EVERYWHERE[0], EVERYWHERE[2]])
def test_a_runtime_that_fails_in_a_run_is_a_model_error(ends: Path, name: str, device: str) -> None:
    with open_model(ends / name, device=device) as model:
        with pytest.raises(ModelError, match=name):  # there are 40 words
            model.run(samples() | {"word": np.full((5, 1), 4000, np.int32)})
        assert model.run(samples())["guess"].shape == (5, 2)


@pytest.mark.parametrize(("name", "device"), EIGHT_BIT)
def test_a_file_of_integers_takes_and_gives_real_numbers(
    digits: Path, converted: Path, integers: Path, name: str, device: str
) -> None:
    with open_model(integers / name, device=device) as model:
        answers = model.run(held_out(digits))
        assert model.inputs[0].scale == pytest.approx(1 / 255, rel=1e-3)
        assert model.outputs[0].scale == 1 / 256
    usual = device in ("xnnpack", "mlas")
    with open_model(converted / name, device=device if usual else "cpu") as model:
        expected = model.run(held_out(digits))
    assert answers.dtype == np.float32
    away = np.abs(answers - expected) * 256
    if usual:
        assert away.max() <= 1
    else:  # other kernels; see test_every_device_answers_as_the_plain_one
        assert np.mean(away <= 1) >= 0.95
        assert np.mean(answers.argmax(-1) == expected.argmax(-1)) >= 0.99


@pytest.mark.parametrize(("name", "device"), EIGHT_BIT)
def test_raw_integers_go_in_and_out_unchanged(
    digits: Path, integers: Path, name: str, device: str
) -> None:
    with open_model(integers / name, device=device) as model:
        expected = model.run(held_out(digits)[:9])
    with open_model(integers / name, device=device, raw=True) as model:
        takes, gives = model.inputs[0], model.outputs[0]
        whole = np.rint(held_out(digits)[:9] / takes.scale) + takes.zero_point
        raw = model.run(whole.astype(takes.dtype))
        one = model.run(whole[:1].astype(takes.dtype))
        streamed = list(model.map(whole.astype(takes.dtype)))
    assert raw.dtype == one.dtype == gives.dtype == ("int8" if "tflite" in name else "uint8")
    np.testing.assert_array_equal((raw.astype(np.float32) - gives.zero_point) / 256, expected)
    np.testing.assert_array_equal(raw[:1], one)
    np.testing.assert_array_equal(raw, streamed)


@pytest.mark.parametrize(("name", "device"), EIGHT_BIT)
@pytest.mark.parametrize("wrong", [0.5, 300, 300.0, -200])
def test_raw_values_that_do_not_fit_are_refused(
    integers: Path, name: str, device: str, wrong: float
) -> None:
    with (
        open_model(integers / name, device=device, raw=True) as model,
        pytest.raises(InputError, match=r"'image': expected integers that fit u?int8"),
    ):
        model.run(np.full((1, 8, 8, 1), wrong))


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
def test_raw_integers_go_together_with_the_choice_of_the_fastest_device(
    integers: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with open_model(integers / name, device="auto", raw=True) as model:
        answer = model.run(np.zeros((1, 8, 8, 1), model.inputs[0].dtype))
    assert answer.dtype == model.outputs[0].dtype
