"""int8 files as other tools write them, from the same model and the same samples."""

import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array

_NNCF = ("nncf==3.4.0", "onnx==1.23.2", "onnxruntime==1.32.0")


def converter_int8(model: Any, samples: Array) -> bytes:
    """TFLiteConverter's full int8 with real inputs and outputs."""
    import tensorflow as tf

    def representative_dataset() -> Any:
        for sample in samples:
            yield [sample[np.newaxis]]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def static_int8(float_onnx: Path, samples: Array, to: Path) -> None:
    """ONNX Runtime's own: QDQ, weights per channel and signed, its advised preparation before it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.rest: Iterator[dict[str, Array]] = ({name: s[np.newaxis]} for s in samples)

        def get_next(self) -> dict[str, Array] | None:
            return next(self.rest, None)

    prepared = to.with_suffix(".prepared.onnx")
    quant_pre_process(str(float_onnx), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        prepared, to, Reader(input_of(prepared)), quant_format=QuantFormat.QDQ, per_channel=True
    )
    prepared.unlink()


def input_of(onnx_file: Path) -> str:
    """The name of its only input."""
    import onnx

    model = onnx.load(onnx_file)
    constants = {tensor.name for tensor in model.graph.initializer}
    (name,) = [entry.name for entry in model.graph.input if entry.name not in constants]
    return str(name)


def nncf_python() -> Path | None:
    """The Python of an environment with NNCF, made the first time; None where it does not install.

    Its requirements are its own: it brings OpenVINO, and other versions than ours.
    """
    folder = Path.home() / ".cache" / "edgekit" / "-".join(_NNCF).replace("==", "-")
    python = folder / "bin" / "python"
    if (folder / "whole").exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    install = [python, "-m", "pip", "install", "--quiet", *_NNCF]
    if subprocess.run(install, capture_output=True).returncode:
        return None
    (folder / "whole").touch()
    return python


def nncf_int8(python: Path, float_onnx: Path, samples: Path, to: Path) -> str:
    """NNCF's ``quantize_with_accuracy_control``, at most one point below float; what stopped it, or "".

    Args:
        python: of its environment.
        float_onnx: what it quantizes.
        samples: an ``.npz`` of ``calibrate``, ``choose`` and the ``labels`` of the latter.
        to: the file to write.
    """
    script = Path(__file__).with_name("nncf_script.py")
    done = subprocess.run(
        [python, script, float_onnx, samples, to], capture_output=True, text=True, timeout=900
    )
    return "" if done.returncode == 0 else done.stderr or f"ended with status {done.returncode}"
