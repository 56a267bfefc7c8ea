"""Unsigned weights made signed as an ONNX file is opened: which ones, and with what results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from support.broken import onnx_quantized
from support.once import once
from support.signed import Array, initializers, outputs, signed

from edgekit_runtimes import open_model
from edgekit_runtimes.engines.signed_weights import with_signed_weights
from edgekit_runtimes.files import open_layers
from edgekit_runtimes.host import has_vnni

vnni = pytest.mark.skipif(not has_vnni(), reason="this processor has no VNNI")


def wide_mlp() -> Any:
    import keras

    layers = keras.layers
    hidden, last = layers.Dense(1024, activation="relu"), layers.Dense(10, activation="softmax")
    return keras.Sequential([layers.Input((8, 8, 1), name="image"), layers.Flatten(), hidden, last])


def attention() -> Any:
    """A transformer block that reads an image row by row."""
    import keras

    layers = keras.layers
    rows = layers.Input((8, 8), name="rows")
    x = layers.Dense(256)(rows)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 64)(x, x))
    x = x + layers.Dense(256)(layers.Dense(256, activation="gelu")(x))
    pooled = layers.GlobalAveragePooling1D()(x)
    return keras.Model(rows, layers.Dense(10, activation="softmax")(pooled))


@pytest.fixture(scope="module")
def quantized(
    digits: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> Path:
    """A folder of quantized files: edgekit's, and ONNX Runtime's own in its settings."""
    import keras
    from support.models import train

    import edgekit

    def convert(folder: Path) -> None:
        keras.utils.set_random_seed(0)
        data = {"cnn": "calib", "mlp": "calib", "attention": "rows"}
        models: dict[str, Any] = {"cnn": digits / "cnn.keras"}
        for name, make in (("mlp", wide_mlp), ("attention", attention)):
            arrays = np.load(digits / f"{data[name]}.npz")
            models[name] = train(make(), arrays[arrays.files[0]], arrays["y"], epochs=3)
        for name, model in models.items():
            source = digits / f"{data[name]}.npz"
            edgekit.convert(model, source, folder / name, to="onnx", precision=["float32", "int8"])
            batches = _batches(folder / name / "model_float32.onnx", np.load(source))
            for per_channel in (False, True):
                for symmetric in (False, True):
                    onnx_quantized(
                        folder / name / "model_float32.onnx",
                        folder / name / f"{_name(per_channel, symmetric)}.onnx",
                        batches,
                        activations="U8",
                        weights="U8",
                        per_channel=per_channel,
                        symmetric=symmetric,
                    )

    return once(tmp_path_factory, "signed weights", convert)


def samples_for(name: str, digits: Path) -> dict[str, Array]:
    return dict(np.load(digits / ("rows.npz" if name.startswith("attention") else "calib.npz")))


def _name(per_channel: bool, symmetric: bool) -> str:
    return f"{'channels' if per_channel else 'tensors'}_{'symmetric' if symmetric else 'free'}"


def _batches(path: Path, data: Mapping[str, Array]) -> list[dict[str, Array]]:
    """The first 20 samples, for the inputs that a file has."""
    inputs = [i.name for i in onnxruntime.InferenceSession(path).get_inputs()]
    return [{name: data[name][i : i + 1] for name in inputs} for i in range(20)]


FILES = [
    f"{model}/{kind}"
    for model in ("cnn", "mlp", "attention")
    for kind in (
        "model_int8",
        *(_name(channels, symmetric) for channels in (False, True) for symmetric in (False, True)),
    )
]


@pytest.mark.parametrize("name", FILES)
def test_only_weights_and_their_zero_points_change(
    quantized: Path, digits: Path, name: str
) -> None:
    path, samples = quantized / f"{name}.onnx", samples_for(name, digits)
    changed = with_signed_weights(path)
    assert changed is not None
    written = path.read_bytes()
    before = onnx.load(path)
    after, count = signed(path)
    assert path.read_bytes() == written
    onnx.checker.check_model(after)
    old, new = initializers(before), initializers(after)
    turned = [n for n, values in old.items() if new[n].dtype != values.dtype]
    by_output = {n.output[0]: n for n in before.graph.node}
    fewest = {"Conv": 1, "MatMul": 256 * 256, "Gemm": 256 * 256}
    weights = {
        weight
        for node in before.graph.node
        if node.op_type in fewest
        and (weight := by_output[node.input[1]].input[0]) in old
        and old[weight].size >= fewest[node.op_type]
    }
    assert set(turned) == weights
    assert count == len(turned) > 0
    for tensor, values in old.items():
        if tensor in weights:
            np.testing.assert_array_equal(new[tensor], values.astype(np.int16) - 128)
        else:
            np.testing.assert_array_equal(new[tensor], values)
    for one, other in zip(before.graph.node, after.graph.node, strict=True):
        if one.input[0] in weights:
            zero, exchanged = old[one.input[2]], new[other.input[2]]
            assert exchanged.dtype == np.int8
            assert exchanged.shape == zero.shape
            np.testing.assert_array_equal(exchanged, zero.astype(np.int16) - 128)
            other.input[2] = one.input[2]
        assert one == other
    for a, b in zip(
        outputs(path, samples, as_written=True),
        outputs(changed.content, samples, as_written=True),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@vnni
@pytest.mark.parametrize("name", FILES)
def test_integer_kernels_give_the_same_bits(quantized: Path, digits: Path, name: str) -> None:
    path, samples = quantized / f"{name}.onnx", samples_for(name, digits)
    changed = with_signed_weights(path)
    assert changed is not None
    for a, b in zip(outputs(path, samples), outputs(changed.content, samples), strict=True):
        assert np.ptp(a) > 0
        np.testing.assert_array_equal(a, b)


@vnni
def test_a_session_reads_signed_weights_and_says_so(converted: Path) -> None:
    x = np.random.default_rng(0).random((50, 8, 8, 1), np.float32)
    with open_model(converted / "model_int8.onnx") as model:
        y = model.run(x)
        assert model.placement.notes == ["weights: 2 tensors read as signed (VNNI)"]
        assert str(model.placement).endswith("; weights: 2 tensors read as signed (VNNI)")
        mapped = np.stack(list(model.map(iter(x))))
        kinds = {op.kind for op in model.placement.operators if op.macs}
    assert kinds == {"QLinearConv", "QGemm"}
    np.testing.assert_array_equal(mapped, y)
    with open_model(converted / "model_int8.onnx", threads=2) as model:
        np.testing.assert_array_equal(model.run(x), y)
    layers = open_layers(converted / "model_int8.onnx")
    np.testing.assert_array_equal(layers.run({"image": x[:1]})[-1], y[:1])


def test_the_reference_kernels_run_the_file_as_it_is(converted: Path) -> None:
    with open_model(converted / "model_int8.onnx", device="reference") as model:
        assert model.placement.notes == []


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int16x8"])
def test_other_precisions_stay_as_they_are(converted: Path, precision: str) -> None:
    assert with_signed_weights(converted / f"model_{precision}.onnx") is None
    with open_model(converted / f"model_{precision}.onnx") as model:
        assert model.placement.notes == []
