"""A client: ONNX's own checker, and the evaluator that is its reference."""

from pathlib import Path
from typing import Any

import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator
from protocol import Sample, running, serve


def run(path: Path, samples: list[Sample], outputs: list[str]) -> list[list[Any]]:
    onnx.checker.check_model(str(path), full_check=True)
    # From onnx 1.16 on it has no DequantizeLinear of an earlier opset.
    session = ReferenceEvaluator(version_converter.convert_version(onnx.load(path), 19))
    return [session.run(outputs, dict(sample)) for sample in samples]


serve({"onnx": onnx.__version__}, running(run))
