"""The table of ranges: the least and the greatest value of every tensor over the samples.

Inside a recurrent layer's loop, of what its matrix products read and give, over all steps.

One sample is in memory at a time, and two numbers a tensor are kept, so memory does not grow with
the number of samples.
"""

from pathlib import Path

import numpy as np

from edgekit_converters.base import Array, ConversionError, Range, Samples
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.loops import Replay, loops

Ranges = dict[str, Range]
"""By tensor name."""


def ranges_over(graph: Path, samples: Samples) -> Ranges:
    """Runs a float TFLite file over the samples and keeps each computed tensor's extremes.

    True extremes, not a moving average: an average forgets the rare large values that then
    saturate.

    Raises:
        ConversionError: there are no samples, or a tensor is not a number on one of them.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(graph),
        # XNNPACK hides the tensors between the operators that it takes.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=2,
    )
    interpreter.allocate_tensors()
    inputs = {d["name"]: d for d in interpreter.get_input_details()}
    batch = next(iter(inputs.values()))["shape"][0]
    computed = _computed(graph)
    watched = [
        (d["index"], d["name"])
        for d in interpreter.get_tensor_details()
        if d["name"] in computed and d["dtype"] is np.float32
    ]
    replays = [Replay(graph, loop) for loop in loops(flatbuffer.read(graph))]
    ranges: Ranges = {}

    def see(name: str, value: Array) -> None:
        if value.size:
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = (np.minimum(low, value.min()), np.maximum(high, value.max()))

    count = 0
    for sample in samples:
        for name, detail in inputs.items():
            value = np.asarray(sample[name], detail["dtype"])
            interpreter.set_tensor(detail["index"], np.repeat(value[np.newaxis], batch, axis=0))
        interpreter.invoke()
        for index, name in watched:
            see(name, interpreter.get_tensor(index))
        for replay in replays:
            replay.run([interpreter.get_tensor(index) for index in replay.inputs], see)
        count += 1
    if not count:
        raise ConversionError("calibration got no samples.")
    for name, (low, high) in ranges.items():
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ConversionError(
                f"tensor {name!r} becomes {low}..{high} on the calibration samples: no range can hold "
                "that. Look for NaN or infinite values in the samples, or a division by zero."
            )
    return ranges


def _computed(graph: Path) -> set[str]:
    """The names of float tensors that depend on the input: constants get their scale elsewhere.

    Nor those that nobody reads: a loop's unread results are nowhere in memory.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    produced = set(main.inputs).union(*(set(op.outputs) for op in main.operators))
    read = set(main.outputs).union(*(set(op.inputs) for op in main.operators))
    return {
        flatbuffer.name(main.tensors[index])
        for index in produced & read
        if main.tensors[index].type == flatbuffer.FLOAT32
    }
