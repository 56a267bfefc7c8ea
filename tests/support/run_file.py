"""Runs files in the runtime of the Python that runs it, which has NumPy and nothing of edgekit.

``python run_file.py SAMPLES.npz ANSWERS.json FILE ...``: for each file the outputs of each sample, flat, or what went
wrong; a process for each, for some end it.
"""

import json
import os
import sys
from typing import Any

import numpy as np


def run(path: str, samples: dict[str, Any]) -> list[list[float]]:
    if path.endswith(".onnx"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        rows = [
            session.run(None, {k: v[i : i + 1] for k, v in samples.items()})
            for i in range(len(next(iter(samples.values()))))
        ]
        return [np.concatenate([np.ravel(output) for output in row]).tolist() for row in rows]
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    model = Interpreter(path)
    model.allocate_tensors()
    rows = []
    for i in range(len(next(iter(samples.values())))):
        for end in model.get_input_details():
            model.set_tensor(end["index"], samples[end["name"]][i : i + 1])
        model.invoke()
        outputs = [np.ravel(model.get_tensor(e["index"])) for e in model.get_output_details()]
        rows.append(np.concatenate(outputs).tolist())
    return rows


def main() -> None:
    samples_file, answers_file, *paths = sys.argv[1:]
    samples = dict(np.load(samples_file))
    answers: dict[str, Any] = {}
    for path in paths:
        reading, writing = os.pipe()
        if not (child := os.fork()):
            try:
                answer: Any = run(path, samples)
            except Exception as error:  # whatever a runtime raises is the answer
                answer = f"{type(error).__name__}: {error}"
            with os.fdopen(writing, "w") as end:
                json.dump(answer, end)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as end:
            content = end.read()
        os.waitpid(child, 0)
        answers[path] = json.loads(content) if content else "the process ended"
    with open(answers_file, "w") as file:
        json.dump(answers, file)


main()
