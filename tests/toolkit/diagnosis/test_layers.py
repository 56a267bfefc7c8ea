"""Every layer of a quantized file against its float file: the ranking, and the likely cause."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support import zoo
from support.broken import onnx_quantized, onnx_scales, onnx_tensor, tflite_scales, with_outlier

import edgekit
from edgekit.data.samples import Array, DataError
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.diagnosis.layers import LayerResult, compare_layers, worst_layers
from edgekit_runtimes import ModelError, open_layers, open_model
from edgekit_runtimes.host import exact_int8

FORMATS = ("tflite", "onnx")
CONV = "conv2d_1/Squeeze1"  # the digits CNN's second convolution, its Relu included


def stored(folder: Path, **arrays: Array) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add(arrays)
    return store.close()


@pytest.fixture(scope="module")
def images(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredArrays:
    """Digits that calibration has not seen."""
    return stored(tmp_path_factory.mktemp("i") / "s", image=np.load(digits / "eval.npz")["image"])


@pytest.fixture(scope="module")
def models(
    digits: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, dict[str, Array]]]:
    """Folders of converted models, and samples of each."""
    folder = tmp_path_factory.mktemp("models")
    calib, rows = np.load(digits / "calib.npz")["image"], np.load(digits / "rows.npz")["rows"]
    edgekit.convert(digits / "mlp.keras", digits / "calib.npz", folder / "mlp")
    edgekit.convert(digits / "lstm.keras", digits / "rows.npz", folder / "lstm")
    unet = zoo.unet()
    edgekit.convert(unet, zoo.samples(unet), folder / "unet")
    return {
        "cnn": (converted, {"image": calib}),
        "mlp": (folder / "mlp", {"image": calib}),
        "lstm": (folder / "lstm", {"rows": rows}),
        "unet": (folder / "unet", zoo.samples(unet)),
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("model", ["cnn", "mlp", "lstm", "unet"])
def test_the_last_layer_is_what_a_session_answers(
    model: str, precision: str, form: str, models: dict[str, tuple[Path, dict[str, Array]]]
) -> None:
    folder, samples = models[model]
    path = folder / f"model_{precision}.{form}"
    batch = {name: array[:1] for name, array in samples.items()}
    file = open_layers(path)

    found = file.run(batch)
    with open_model(path) as session:
        (answer,) = session.run(batch).values()

    last = file.layers[-1]
    assert len(found) == len(file.layers)
    assert [i for i, layer in enumerate(file.layers) if layer.kind == "input"] == [0]
    np.testing.assert_array_equal(found[-1].shape, answer.shape)
    # Another set of kernels may round the other way, and a step or two add up.
    np.testing.assert_allclose(found[-1], answer, atol=1e-5 + 4.01 * (last.scale or 0))
    assert (last.range is None) == (precision == "float32")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("model", ["cnn", "mlp", "unet"])
def test_a_good_file_strays_a_little_in_every_layer_and_all_of_it_is_shared_out(
    model: str, form: str, models: dict[str, tuple[Path, dict[str, Array]]], tmp_path: Path
) -> None:
    folder, samples = models[model]
    path = folder / f"model_int8.{form}"
    layers = compare_layers(
        folder / f"model_float32.{form}", path, stored(tmp_path / "s", **samples)
    )

    assert len(layers) >= 4
    assert all(20 < layer.sqnr_db < 90 for layer in layers), layers
    assert sum(layer.noise_added for layer in layers) == pytest.approx(1, abs=0.01)
    assert all(layer.representable is not None for layer in layers)
    assert len({layer.name for layer in layers}) == len(layers)
    ranked = worst_layers(layers, 3)
    assert [layer.noise_added for layer in ranked] == sorted(
        (x.noise_added for x in layers), reverse=True
    )[:3]
    with open_model(path) as session:
        values = session.run({name: array[:32] for name, array in samples.items()})
    with open_model(folder / f"model_float32.{form}") as session:
        expected = session.run({name: array[:32] for name, array in samples.items()})
    ((got, whole),) = zip(values.values(), expected.values(), strict=True)
    sqnr = 10 * math.log10((whole**2).sum() / ((got - whole) ** 2).sum())
    assert layers[-1].sqnr_db == pytest.approx(sqnr, abs=1)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_a_good_file_has_no_cause_of_anything(
    model: str,
    form: str,
    models: dict[str, tuple[Path, dict[str, Array]]],
    images: StoredArrays,
) -> None:
    """One value of hundreds a little outside of its range is no reason for what a layer adds."""
    folder, _ = models[model]
    layers = compare_layers(folder / f"model_float32.{form}", folder / f"model_int8.{form}", images)

    assert [f"{layer.name}: {layer.cause}" for layer in layers if layer.cause] == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_float_file_is_its_own_equal_in_every_layer(
    form: str, converted: Path, images: StoredArrays
) -> None:
    path = converted / f"model_float32.{form}"
    layers = compare_layers(path, path, images, count=4)

    assert {layer.sqnr_db for layer in layers} == {math.inf}
    assert {
        (layer.noise_added, layer.representable, layer.clipped, layer.cause) for layer in layers
    } == {(0, None, 0, "")}


@pytest.mark.parametrize(
    ("precision", "form"),
    [
        ("float16", "tflite"),  # in ONNX its tensors have other names
        ("dynamic", "tflite"),
        ("dynamic", "onnx"),
        ("int16x8", "tflite"),
        ("int16x8", "onnx"),
    ],
)
def test_files_of_other_precisions_are_compared_too(
    precision: str, form: str, converted: Path, images: StoredArrays
) -> None:
    layers = compare_layers(
        converted / f"model_float32.{form}", converted / f"model_{precision}.{form}", images
    )

    assert len(layers) >= 5
    assert layers[-1].sqnr_db > 35
    for layer in layers:  # unless values that calibration has not seen do leave a range
        assert not layer.cause or (layer.clipped > 0 and "range too narrow" in layer.cause)


@pytest.mark.parametrize("form", FORMATS)
def test_what_has_no_counterpart_is_not_blamed_on_the_next_that_has_one(
    form: str, models: dict[str, tuple[Path, dict[str, Array]]], tmp_path: Path
) -> None:
    """In int8 an LSTM is unrolled, in float it is a loop: what strays is the LSTM."""
    folder, samples = models["lstm"]
    layers = compare_layers(
        folder / f"model_float32.{form}",
        folder / f"model_int8.{form}",
        stored(tmp_path / "s", **samples),
    )

    dense = next(layer for layer in layers if "digit" in layer.name)
    assert dense.operator in ("FULLY_CONNECTED", "Gemm")
    assert dense.noise_added < 0.5 or "counterpart" in dense.cause


# Faults, made for real, and the layer and the words they are told by.


def told(layers: tuple[LayerResult, ...]) -> LayerResult:
    """The first layer with a cause, of those that add most."""
    named = [layer for layer in worst_layers(layers, 10) if layer.cause]
    assert named, [(layer.name, layer.noise_added) for layer in layers]
    return named[0]


# The tensors of a digits CNN that a fault is put into: where TFLite and ONNX name them.
FIRST = "batch_normalization/batchnorm/sub1"
ACTIVATION = {"tflite": (FIRST, False), "onnx": ("Relu", 0, False)}
POOLED = {"tflite": (CONV, False), "onnx": ("Relu", 1, False)}
KERNEL = {"tflite": (CONV, True), "onnx": ("Conv", 1, True)}
DENSE = {"tflite": ("dense/BiasAdd_1", True), "onnx": ("Gemm", 0, True)}


def scaled(converted: Path, form: str, named: Any, factor: float, folder: Path) -> Path:
    source, target = converted / f"model_int8.{form}", folder / f"scaled.{form}"
    if form == "tflite":
        name, weights = named
        return tflite_scales(source, target, name, factor, weights=weights)
    kind, number, weights = named
    tensor = onnx_tensor(source, kind, number, weights=weights)
    return onnx_scales(source, target, tensor, factor)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("factor", [1 / 4, 16])
def test_an_activations_wrong_scale_is_named_with_both_ranges(
    factor: float, form: str, converted: Path, images: StoredArrays, tmp_path: Path
) -> None:
    whole, good = converted / f"model_float32.{form}", converted / f"model_int8.{form}"
    path = scaled(converted, form, ACTIVATION[form], factor, tmp_path)
    layers = compare_layers(whole, path, images)

    (right,) = (x for x in compare_layers(whole, good, images) if x.name == FIRST)
    (broken,) = (x for x in layers if x.name == FIRST)
    assert right.representable and broken.representable
    assert broken.representable == pytest.approx([end * factor for end in right.representable])
    # The float file's values, which both comparisons see.
    assert broken.observed == right.observed
    ranges = (
        f"representable {broken.representable[0]:.3g}..{broken.representable[1]:.3g}, "
        f"observed {right.observed[0]:.3g}..{right.observed[1]:.3g}"
    )
    steps = (
        255
        * (right.observed[1] - right.observed[0])
        / (broken.representable[1] - broken.representable[0])
    )
    assert broken.cause.startswith(
        f"range too narrow: {ranges}; "
        if factor < 1
        else f"range too wide: {ranges}; {steps:.0f} of 256 steps are used"
    ), broken.cause
    assert (broken.clipped > 0.05) == (factor < 1)
    first = told(layers)
    if first is not broken:  # TFLite takes a bias's scale from its input's: it is wrong as well
        assert (form, first.name) == ("tflite", CONV)
        assert "scale" in first.cause


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("factor", [1 / 4, 16])
def test_before_a_pooling_that_passes_integers_on_it_is_named_as_well(
    factor: float, form: str, converted: Path, images: StoredArrays, tmp_path: Path
) -> None:
    """In TFLite, pooling keeps the integers: it takes the wrong scale out again, and strays more."""
    path = scaled(converted, form, POOLED[form], factor, tmp_path)
    layers = compare_layers(converted / f"model_float32.{form}", path, images)

    broken = next(layer for layer in layers if layer.name == CONV)
    assert ("range too narrow" if factor < 1 else "range too wide") in broken.cause
    if form == "tflite":
        pool = next(layer for layer in layers if layer.operator == "MAX_POOL_2D")
        assert "wrong scale" in pool.cause


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("tensors", "layer"), [(KERNEL, CONV), (DENSE, "dense/BiasAdd_1")], ids=["conv", "dense"]
)
@pytest.mark.parametrize(("factor", "words"), [(2.0, ("2", "1.8")), (0.5, ("0.5",))])
def test_a_wrong_scale_of_weights_is_named_with_its_factor(
    factor: float, words: tuple[str, ...], tensors: dict[str, Any], layer: str, form: str,
    converted: Path, images: StoredArrays, tmp_path: Path,
) -> None:  # fmt: skip
    path = scaled(converted, form, tensors[form], factor, tmp_path)
    layers = compare_layers(converted / f"model_float32.{form}", path, images)

    first = told(layers)
    assert first.name == layer
    assert first.noise_added > 0.9
    assert first.cause in {
        f"wrong scale of the weights or the tensor: values are {factor} times the float file's"
        for factor in words
    }


@pytest.mark.skipif(exact_int8(), reason="this processor sums 8-bit products without saturating")
@pytest.mark.parametrize("activations", ["S8", "U8"])
@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_signed_weights_saturate_and_the_kernel_is_blamed_for_it(
    model: str,
    activations: str,
    digits: Path,
    models: dict[str, tuple[Path, dict[str, Array]]],
    images: StoredArrays,
    tmp_path: Path,
) -> None:
    """As ONNX Runtime's own tools write them; the session strays 15 dB from what the file says."""
    folder, _ = models[model]
    whole = folder / "model_float32.onnx"
    calib = np.load(digits / "calib.npz")["image"][:100]
    batches = [{"image": image[np.newaxis]} for image in calib]
    path = onnx_quantized(whole, tmp_path / "signed.onnx", batches, activations=activations)

    layers = compare_layers(whole, path, images)

    first = told(layers)
    assert first.operator in ("Conv", "Gemm")
    assert first.cause == (
        "the runtime's integer kernel differs from the file's definition: its sums saturate, as signed "
        "weights do on x86 processors without VNNI"
    )


def test_one_channels_outlier_is_named_with_its_number(
    digits: Path, images: StoredArrays, tmp_path: Path
) -> None:
    model = with_outlier(keras.models.load_model(digits / "cnn.keras"))
    edgekit.convert(model, digits / "calib.npz", tmp_path)
    for form in FORMATS:
        layers = compare_layers(
            tmp_path / f"model_float32.{form}", tmp_path / f"model_int8.{form}", images
        )
        first = told(layers)
        assert first.name == CONV, form
        assert first.cause.startswith("outlier channel: channel 5 reaches 7")
        assert first.cause.endswith(", and one scale covers all")


def test_an_inputs_outlier_is_a_channel_and_not_a_row(tmp_path: Path) -> None:
    """Images are laid out height, width, channels, in both formats' inputs."""
    random = np.random.default_rng(0)
    x = random.normal(size=(150, 6, 7, 3)).astype(np.float32) * np.float32([1, 20, 1])
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((6, 7, 3), name="x"), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    edgekit.convert(model, x, tmp_path / "out")
    for form in FORMATS:
        found = compare_layers(
            tmp_path / f"out/model_float32.{form}",
            tmp_path / f"out/model_int8.{form}",
            stored(tmp_path / form, x=x),
        )
        assert found[0].operator == "input"
        assert found[0].cause.startswith("outlier channel: channel 1 reaches "), form


# Files that do not go together.


def test_files_of_different_models_have_nothing_in_common(
    converted: Path, models: dict[str, tuple[Path, dict[str, Array]]], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"model_float32\.tflite: its inputs are image"):
        compare_layers(
            converted / "model_float32.tflite",
            models["lstm"][0] / "model_int8.tflite",
            stored(tmp_path / "s", rows=np.zeros((2, 8, 8), np.float32)),
        )


@pytest.mark.parametrize("name", ["model.keras", "model.txt"])
def test_layers_are_seen_in_two_kinds_of_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"{name}: types and layers are read from \.tflite and \.onnx"
    ):
        open_layers(tmp_path / name)


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_is_refused_with_its_name(
    form: str, converted: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"cut.{form}"
    path.write_bytes((converted / f"model_int8.{form}").read_bytes()[:6000])
    with pytest.raises(ModelError, match=rf"cut\.{form}"):
        open_layers(path)
