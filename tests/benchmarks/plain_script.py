"""What a person writes without edgekit: the same four files, opened and compared once.

TFLiteConverter for TFLite, Keras' own ONNX export, ONNX Runtime's static quantization with its
default settings. Usage: plain_script.py MODEL SAMPLES.npz OUT
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from onnxruntime.quantization import CalibrationDataReader, quantize_static


def main(model_path: str, samples_path: str, out: Path) -> None:
    model = keras.saving.load_model(model_path, compile=False)
    name = model.inputs[0].name
    images = np.load(samples_path)[name].astype(np.float32)
    calibration, held_out = images[:200], images[200:]

    def representative_dataset():
        for image in calibration:
            yield [image[np.newaxis]]

    (out / "float.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (out / "int8.tflite").write_bytes(converter.convert())

    model.export(str(out / "float.onnx"), format="onnx", verbose=False)
    exported = onnxruntime.InferenceSession(str(out / "float.onnx")).get_inputs()[0].name

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(calibration)

        def get_next(self):
            image = next(self.rest, None)
            return None if image is None else {exported: image[np.newaxis]}

    quantize_static(out / "float.onnx", out / "int8.onnx", Reader())

    expected = model.predict(held_out, verbose=0)
    for path in ("float.tflite", "int8.tflite"):
        interpreter = Interpreter(str(out / path))
        interpreter.allocate_tensors()
        given, got = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        answers = []
        for image in held_out:
            interpreter.set_tensor(given["index"], image[np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(got["index"])[0])
        print(path, np.abs(np.array(answers) - expected).max())
    for path in ("float.onnx", "int8.onnx"):
        session = onnxruntime.InferenceSession(str(out / path))
        answers = [session.run(None, {exported: image[np.newaxis]})[0][0] for image in held_out]
        print(path, np.abs(np.array(answers) - expected).max())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
