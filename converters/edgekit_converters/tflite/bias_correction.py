"""Bias correction: biases that make up for the mean error of what comes before them.

Rounding moves the mean of a channel, and the error of the mean adds up from layer to layer. Operator by
operator the float model and the int8 one run side by side on the same samples, each by LiteRT as a file
of its own; a bias takes the mean difference, before the activation, and the int8 one goes on with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError, Sample, Samples
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.cut import cut
from edgekit_converters.tflite.flatbuffer import DEQUANTIZE, IF, QUANTIZE, WHILE
from edgekit_converters.tflite.interpreter import open_interpreter
from edgekit_converters.tflite.quantized_operators import (
    MAIN,
    Operation,
    read_operators,
    real_constant,
    real_values,
)

_ENOUGH = 200  # samples
_MEMORY = 256_000_000  # bytes of activations, of all samples
_BIAS = {3: 2, 4: 2, 9: 2, 67: 3}
"""Which input the bias is, by ``BuiltinOperator``: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and
TRANSPOSE_CONV. The weights are input 1."""


def corrected_biases(
    graph: Path,
    quantized: Path,
    samples: Samples,
    *,
    count: int = _ENOUGH,
    memory: int = _MEMORY,
    progress: Callable[[int, int], None] = lambda done, operators: None,
) -> Corrected:
    """Return biases that make up for the mean error of their operators in a quantized file.

    >>> import numpy as np
    >>> samples = [{"image": image} for image in np.load("samples.npz")["image"][:5]]
    >>> files = Path("out/model_float32.tflite"), Path("out/model_int8.tflite")
    >>> len(corrected_biases(*files, samples).constants)
    4

    Args:
        graph: the float TFLite file.
        quantized: the file that was made from it. Operators that are float there keep their biases.
        samples: of which the first ``count`` are taken, or so many as fit into ``memory``.
        count: how many samples are enough.
        memory: bytes for the activations of all samples, which are dropped after their last reader.
        progress: called with the number of operators done, and of all, after each.

    Returns:
        The biases by tensor name; or none and the reason, where the graph has a loop, or an operator that
        does not run alone.

    Raises:
        ConversionError: the two files are not of one graph.
    """
    floats, ints = flatbuffer.read(graph), flatbuffer.read(quantized)
    operations = read_operators(graph, quantized)[MAIN]
    if any(flatbuffer.opcode(floats, op) in (WHILE, IF) for op in floats.subgraphs[0].operators):
        return Corrected(note="biases are not corrected: the model has a loop")
    most = max(1, memory // (_peak(floats) + _peak(ints)))
    taken = list(islice(samples, min(count, most)))
    exact, rounded = _Run(floats, taken), _Run(ints, taken)
    values, biases = _constants(floats), dict[str, Array]()
    pairs = enumerate(operations)
    for place, operator in enumerate(ints.subgraphs[0].operators):
        try:
            if flatbuffer.opcode(ints, operator) not in (QUANTIZE, DEQUANTIZE):
                number, operation = next(pairs)
                if bias := _bias(operation, operations):
                    change = _mean_error(exact, rounded, number, operation, operator)
                    biases[bias] = (values[bias] + change).astype(np.float32)
                    _set_bias(ints, operator, operation, biases[bias])
                exact.step(number)
            rounded.step(place)
        except (ConversionError, RuntimeError, ValueError) as error:
            kind = flatbuffer.kind_name(ints, operator)
            return Corrected(note=f"biases are not corrected: {kind} does not run alone: {error}")
        progress(place + 1, len(ints.subgraphs[0].operators))
    return Corrected(biases)


class _Run:
    """A file that runs operator by operator, on all samples at once."""

    def __init__(self, model: Any, samples: Sequence[Sample]) -> None:
        self.model, self.count = model, len(samples)
        main = model.subgraphs[0]
        self.last = {int(i): place for place, op in enumerate(main.operators) for i in op.inputs}
        self.values = {
            flatbuffer.name(main.tensors[i]): [_input(main.tensors[i], s) for s in samples]
            for i in main.inputs
        }

    def step(self, place: int) -> None:
        """Run the next operator, and drop what nothing reads after it."""
        main = self.model.subgraphs[0]
        made: dict[str, list[Array]] = {}
        for results in runs(cut(self.model, [place]), self.rows()):
            for name, value in results.items():
                made.setdefault(name, []).append(value)
        self.values.update(made)
        operator = main.operators[place]
        for index in {*operator.inputs, *operator.outputs}:
            if self.last.get(index, -1) <= place:
                self.values.pop(flatbuffer.name(main.tensors[index]), None)

    def rows(self) -> Iterator[dict[str, Array]]:
        """Yield the tensors that are alive, sample by sample."""
        return ({n: values[k] for n, values in self.values.items()} for k in range(self.count))


def _mean_error(
    exact: _Run, rounded: _Run, number: int, operation: Operation, integer: Any
) -> Array:
    """Return the mean difference of each channel, without the activation: float minus quantized.

    The quantized one is computed in float, from the integers' values: integers would be cut off.
    """
    bare = cut(exact.model, [number], fused=False)
    names = [flatbuffer.name(rounded.model.subgraphs[0].tensors[i]) for i in integer.inputs]
    scales = {
        theirs: (ours, scale)
        for ours, theirs, scale in zip(operation.inputs, names, operation.input_scales, strict=True)
    }
    given = (
        {
            ours: real_values(row[name], scale)
            for name, (ours, scale) in scales.items()
            if name in row
        }
        for row in rounded.rows()
    )
    weight = operation.constants[1]
    assert weight is not None
    rough = _with_weight(bare, operation.inputs[1], real_constant(weight))
    total: Any = 0
    for right, wrong in zip(runs(bare, exact.rows()), runs(rough, given), strict=True):
        difference = right[operation.outputs[0]].astype(np.float64) - wrong[operation.outputs[0]]
        total = total + difference.reshape(-1, difference.shape[-1]).mean(0)
    return np.asarray(total / exact.count)


def runs(content: bytes, rows: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
    """Run a TFLite file on values of its inputs, by name; yield those of its outputs."""
    interpreter = open_interpreter(content, threads=2)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    for row in rows:
        for detail in inputs:
            interpreter.set_tensor(detail["index"], row[detail["name"]])
        interpreter.invoke()
        yield {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in outputs}


def _set_bias(model: Any, operator: Any, operation: Operation, value: Array) -> None:
    """Give an integer operator another bias, of a value that is rounded as the quantizer does."""
    from ai_edge_litert import schema_py_generated as schema

    position = _BIAS[operation.kind]
    before = operation.constants[position]
    assert before is not None
    most = np.iinfo(before.values.dtype)
    steps = np.rint(value / before.scales.astype(np.float64)).clip(most.min, most.max)
    buffer = schema.BufferT()
    buffer.data = steps.astype(before.values.dtype).reshape(-1).view(np.uint8)
    model.subgraphs[0].tensors[operator.inputs[position]].buffer = len(model.buffers)
    model.buffers.append(buffer)


def _bias(operation: Operation, operations: Sequence[Operation]) -> str | None:
    """Return the name of an integer operator's bias, unless it is another operator's too."""
    position = _BIAS.get(operation.kind, len(operation.inputs))
    if position >= len(operation.inputs):
        return None
    if operation.constants[1] is None or operation.constants[position] is None:
        return None
    name = operation.inputs[position]
    readers = sum(other.inputs.count(name) for other in operations)
    return name if readers == 1 else None


def _with_weight(content: bytes, name: str, value: Array) -> bytes:
    """Return a file with another value of one constant."""
    model = flatbuffer.read_packed(content)
    for tensor in model.subgraphs[0].tensors:
        if flatbuffer.name(tensor) == name:
            model.buffers[tensor.buffer].data = value.reshape(-1).view(np.uint8)
    return bytes(flatbuffer.packed(model))


def _input(tensor: Any, sample: Sample) -> Array:
    """Return a sample as a file's input takes it: the whole batch of it, rounded if that is quantized."""
    name, shape = flatbuffer.name(tensor), flatbuffer.shape(tensor)
    value = np.repeat(np.asarray(sample[name])[np.newaxis], shape[0], axis=0)
    dtype = np.dtype(flatbuffer.dtype(tensor.type))
    stored = tensor.quantization
    if stored is not None and stored.scale is not None and len(stored.scale):
        most = np.iinfo(dtype)
        steps = np.rint(value / stored.scale[0]) + stored.zeroPoint[0]
        value = steps.clip(most.min, most.max)
    return value.astype(dtype)


def _constants(model: Any) -> dict[str, Array]:
    tensors = {
        flatbuffer.name(t): flatbuffer.constant(model, t) for t in model.subgraphs[0].tensors
    }
    return {name: value for name, value in tensors.items() if value is not None}


def _bytes(tensor: Any) -> int:
    return int(np.prod(flatbuffer.shape(tensor)) * np.dtype(flatbuffer.dtype(tensor.type)).itemsize)


def _peak(model: Any) -> int:
    """Return the most bytes of activations that are alive at once, for one sample."""
    main = model.subgraphs[0]
    last = {int(i): place for place, op in enumerate(main.operators) for i in op.inputs}
    alive = {int(i): _bytes(main.tensors[i]) for i in main.inputs}
    peak = 0
    for place, operator in enumerate(main.operators):
        alive |= {int(i): _bytes(main.tensors[i]) for i in operator.outputs}
        peak = max(peak, sum(alive.values()))
        alive = {i: size for i, size in alive.items() if last.get(i, -1) > place}
    return max(peak, 1)
