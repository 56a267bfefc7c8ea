"""Calibration: the smallest and the largest value of every tensor over the samples.

Inside a recurrent layer's loop these are the operands and results of its matrix products, over all
steps. One sample is in memory at a time, and two numbers a tensor are kept, so memory does not grow
with the number of samples.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError, Range, Sample, Samples
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.interpreter import open_interpreter
from edgekit_converters.tflite.loops import Replay, find_loops

Ranges = dict[str, Range]
"""By tensor name."""


def ranges_over(graph: Path, samples: Samples) -> Ranges:
    """Run a float TFLite file on the samples and return the extremes of each computed tensor.

    >>> import numpy as np
    >>> samples = [{"image": image} for image in np.load("samples.npz")["image"][:5]]
    >>> ranges = ranges_over(Path("out/model_float32.tflite"), samples)
    >>> all(low <= high for low, high in ranges.values())
    True

    True extremes, not a moving average: an average forgets the rare large values, which are then
    clipped.

    Args:
        graph: the float TFLite file, with a fixed batch size; each sample fills the whole batch.
        samples: without the batch axis, by the names of the file's inputs.

    Returns:
        By tensor name; in the units of the tensors.

    Raises:
        ConversionError: there are no samples, or a tensor becomes NaN or infinite on one of them.
    """
    computed = computed_tensors(graph)
    replays = [Replay(graph, loop) for loop in find_loops(flatbuffer.read(graph))]
    ranges: Ranges = {}

    def see(name: str, value: Array) -> None:
        if value.size:
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = (np.minimum(low, value.min()), np.maximum(high, value.max()))

    for run in runs_over(graph, samples):
        for name, index in computed.items():
            see(name, run.get_tensor(index))
        for replay in replays:
            replay.run([run.get_tensor(index) for index in replay.inputs], see)
    for name, (low, high) in ranges.items():
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ConversionError(
                f"tensor {name!r} becomes {low}..{high} on the calibration samples: no range can hold "
                "that. Look for NaN or infinite values in the samples, or a division by zero."
            )
    return ranges


def runs_over(graph: Path | bytes, samples: Iterable[Sample], *, threads: int = 2) -> Iterator[Any]:
    """Run a float TFLite file on each sample, and yield its interpreter, in which tensors can be read.

    Raises:
        ConversionError: there are no samples.
    """
    interpreter = open_interpreter(graph, threads=threads)
    interpreter.allocate_tensors()
    inputs = {d["name"]: d for d in interpreter.get_input_details()}
    batch = next(iter(inputs.values()))["shape"][0]
    count = 0
    for sample in samples:
        for name, detail in inputs.items():
            value = np.asarray(sample[name], detail["dtype"])
            interpreter.set_tensor(detail["index"], np.repeat(value[np.newaxis], batch, axis=0))
        interpreter.invoke()
        yield interpreter
        count += 1
    if not count:
        raise ConversionError("calibration needs at least one sample, and there is none.")


def computed_tensors(graph: Path) -> dict[str, int]:
    """Return the index of each float tensor of the main graph that depends on the inputs and is read.

    By name. Constants get their scale elsewhere, and a loop's unread results are nowhere in memory.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    produced = set(main.inputs).union(*(set(op.outputs) for op in main.operators))
    read = set(main.outputs).union(*(set(op.inputs) for op in main.operators))
    return {
        flatbuffer.name(main.tensors[index]): int(index)
        for index in sorted(produced & read)
        if main.tensors[index].type == flatbuffer.FLOAT32
    }
