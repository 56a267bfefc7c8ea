"""What an engineer would write for NNCF: ``nncf_script.py FLOAT.onnx SAMPLES.npz INT8.onnx``."""

import sys
from collections.abc import Iterable
from typing import Any

import nncf
import numpy as np
import onnx
import onnxruntime


def main(source: str, samples: str, to: str) -> None:
    """Quantize as far as accuracy drops by at most one point on the samples to choose by."""
    model = onnx.load(source)
    name = model.graph.input[0].name
    with np.load(samples) as data:
        calibrate, choose, labels = data["calibrate"], data["choose"], data["labels"]

    def right(candidate: Any, rows: Iterable[Any]) -> tuple[float, list[float]]:
        session = onnxruntime.InferenceSession(
            candidate.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        scores = [float((session.run(None, {name: x})[0].argmax(-1) == y).mean()) for x, y in rows]
        return float(np.mean(scores)), scores

    quantized = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset([{name: x[np.newaxis]} for x in calibrate]),
        nncf.Dataset(
            [(x[np.newaxis], y) for x, y in zip(choose, labels, strict=True)],
            lambda row: {name: row[0]},
        ),
        right,
        max_drop=0.01,
        subset_size=len(calibrate),
    )
    onnx.save(quantized, to)


if __name__ == "__main__":
    main(*sys.argv[1:])
