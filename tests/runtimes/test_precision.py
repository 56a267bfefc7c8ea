"""A file's precision, detected from the file alone: what its folder's manifest says is not read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekit_runtimes import ModelError, precision_of

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


@pytest.mark.parametrize("form", ["tflite", "onnx"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_convert_wrote_is_detected_from_the_file_alone(
    precision: str, form: str, converted: Path, tmp_path: Path
) -> None:
    """Elsewhere and under another name, so that nothing else can give it away."""
    alone = tmp_path / f"model.{form}"
    shutil.copy(converted / f"model_{precision}.{form}", alone)

    assert precision_of(alone) == precision


@pytest.mark.parametrize(
    ("setting", "precision"),
    [("float32", "float32"), ("float16", "float16"), ("dynamic", "dynamic"), ("int8", "int8"),
     ("int8 ends", "int8"), ("int16x8", "int16x8")],
)  # fmt: skip
def test_what_tensorflows_own_converter_wrote_is_detected_too(
    setting: str, precision: str, digits: Path, tmp_path: Path
) -> None:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(digits / "mlp.keras")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if setting != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if setting == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if setting.startswith("int"):
        images = np.load(digits / "calib.npz")["image"][:20]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if setting == "int16x8"
            else ops.TFLITE_BUILTINS_INT8
        ]
    if setting == "int8 ends":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path = tmp_path / "theirs.tflite"
    path.write_bytes(converter.convert())

    assert precision_of(path) == precision


@pytest.mark.parametrize(
    ("setting", "precision"),
    [("QDQ S8S8", "int8"), ("QDQ U8U8", "int8"), ("QDQ U16S8", "int16x8"),
     ("QOperator", "int8"), ("dynamic", "dynamic"), ("float16", "float16")],
)  # fmt: skip
def test_what_onnx_runtimes_own_tools_wrote_is_detected_too(
    setting: str, precision: str, digits: Path, converted: Path, tmp_path: Path
) -> None:
    import onnx
    from onnxruntime import quantization as q

    source, path = converted / "model_float32.onnx", tmp_path / "theirs.onnx"
    images = np.load(digits / "calib.npz")["image"][:20]

    class Reader(q.CalibrationDataReader):  # type: ignore[misc, name-defined]
        rest = iter([{"image": image[np.newaxis]} for image in images])

        def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[type-arg]
            return next(self.rest, None)

    kinds = {"S": q.QuantType.QInt8, "U": q.QuantType.QUInt8, "U16": q.QuantType.QUInt16}
    if setting == "dynamic":
        q.quantize_dynamic(source, path)
    elif setting == "float16":
        model = onnx.load(source)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                array = onnx.numpy_helper.to_array(tensor).astype(np.float16)
                name = tensor.name
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, f"{name}_half"))
                cast = onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=1)
                model.graph.node.insert(0, cast)
        onnx.save(model, path)
    else:
        activations, weights = {
            "QDQ S8S8": ("S", "S"), "QDQ U8U8": ("U", "U"), "QDQ U16S8": ("U16", "S"),
            "QOperator": ("U", "S"),
        }[setting]  # fmt: skip
        q.quantize_static(
            source, path, Reader(),
            quant_format=q.QuantFormat.QOperator if setting == "QOperator" else q.QuantFormat.QDQ,
            activation_type=kinds[activations], weight_type=kinds[weights],
            extra_options={"UseQDQContribOps": setting == "QDQ U16S8"},
        )  # fmt: skip

    assert precision_of(path) == precision


def test_a_loop_counts_by_what_is_inside(digits: Path, tmp_path: Path) -> None:
    import edgekit

    edgekit.convert(digits / "lstm.keras", digits / "rows.npz", tmp_path, precision=["dynamic"])
    for form in ("tflite", "onnx"):
        assert precision_of(tmp_path / f"model_dynamic.{form}") == "dynamic", form


@pytest.mark.parametrize("form", ["tflite", "onnx"])
@pytest.mark.parametrize("content", [b"", b"no model at all", "cut", "text"])
def test_what_is_no_model_is_refused_with_its_name(
    form: str, content: bytes | str, converted: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"broken.{form}"
    whole = (converted / f"model_int8.{form}").read_bytes()
    path.write_bytes(
        content if isinstance(content, bytes) else whole[:9000] if content == "cut" else b"a" * 9000
    )
    with pytest.raises(ModelError, match=re_name(path)):
        precision_of(path)


def re_name(path: Path) -> str:
    return f"broken{path.suffix}".replace(".", r"\.")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"model\.keras: types and layers are read from \.tflite and \.onnx"
    ):
        precision_of(tmp_path / "model.keras")
