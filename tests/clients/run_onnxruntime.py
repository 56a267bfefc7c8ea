"""A client: ONNX Runtime on the processor, as its documentation calls it."""

from pathlib import Path
from typing import Any

import onnxruntime
from protocol import Sample, running, serve


def run(path: Path, samples: list[Sample], outputs: list[str]) -> list[list[Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [session.run(outputs, dict(sample)) for sample in samples]


serve({"onnxruntime": onnxruntime.__version__}, running(run))
