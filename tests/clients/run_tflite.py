"""A client: the interpreter of LiteRT, or of tflite-runtime, as its documentation calls it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from protocol import Sample, running, serve

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter


def run(path: Path, samples: list[Sample], outputs: list[str]) -> list[list[Any]]:
    model = Interpreter(str(path))
    model.allocate_tensors()
    inputs = {detail["name"]: detail["index"] for detail in model.get_input_details()}
    indices = {detail["name"]: detail["index"] for detail in model.get_output_details()}
    rows = []
    for sample in samples:
        for name, values in sample.items():
            model.set_tensor(inputs[name], values)
        model.invoke()
        rows.append([model.get_tensor(indices[name]) for name in outputs])
    return rows


def installed() -> dict[str, str]:
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return {name: version(name)}
        except PackageNotFoundError:
            continue
    raise AssertionError("the interpreter is of neither package")


serve(installed(), running(run))
