"""Bias correction: biases that make up for the mean error of what comes before them.

Rounding moves the mean of a channel, and the error of the mean adds up from layer to layer. Operator by
operator the float model runs on the same samples twice, as it is and with rounded weights and tensors,
each operator by LiteRT as a file of its own; a bias takes the mean difference, before the activation, and
the rounded one goes on with it. No integer kernel is run: what one of them adds of its own is no error of
the model, and other runtimes do not have it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError, Sample, Samples
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.constants import set_constant
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.cut import cut
from edgekit_converters.tflite.flatbuffer import IF, WHILE
from edgekit_converters.tflite.interpreter import open_interpreter
from edgekit_converters.tflite.quantized_operators import (
    BIAS_INPUT,
    MAIN,
    Operation,
    Scale,
    read_operators,
    real_constant,
    real_values,
)

_ENOUGH = 200  # samples
_MEMORY = 256_000_000  # bytes of activations, of all samples


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
    model = flatbuffer.read(graph)
    operations = read_operators(graph, quantized)[MAIN]
    if any(flatbuffer.opcode(model, op) in (WHILE, IF) for op in model.subgraphs[0].operators):
        return Corrected(note="biases are not corrected: the model has a loop")
    taken = list(islice(samples, min(count, max(1, memory // _peak(model)))))
    exact, rounded = _Run(model, taken, operations), _Run(model, taken, operations, rounded=True)
    biases: dict[str, Array] = {}
    for place, operation in enumerate(operations):
        try:
            if bias := _bias(operation, operations):
                before = exact.constant(bias)
                change = _mean_error(exact, rounded, place)
                biases[bias] = rounded.own[bias] = (before + change).astype(np.float32)
            exact.step(place)
            rounded.step(place)
        except (ConversionError, RuntimeError, ValueError) as error:
            kind = flatbuffer.kind_name(model, model.subgraphs[0].operators[place])
            return Corrected(note=f"biases are not corrected: {kind} does not run alone: {error}")
        progress(place + 1, len(operations))
    return Corrected(biases)


class _Run:
    """A float file that runs operator by operator on all samples, perhaps with rounded tensors."""

    def __init__(
        self,
        model: Any,
        samples: Sequence[Sample],
        operations: Sequence[Operation],
        *,
        rounded: bool = False,
    ) -> None:
        self.model, self.operations, self.rounded = model, operations, rounded
        self.count, self.own = len(samples), dict[str, Array]()
        self.last = {n: place for place, op in enumerate(operations) for n in op.inputs}
        main = model.subgraphs[0]
        self.values = {
            flatbuffer.name(main.tensors[i]): [_batch(main.tensors[i], s) for s in samples]
            for i in main.inputs
        }
        self.scales: dict[str, Scale | None] = {}

    def constant(self, name: str) -> Array:
        """Return the value of a constant of the file."""
        tensors = self.model.subgraphs[0].tensors
        found = next(tensor for tensor in tensors if flatbuffer.name(tensor) == name)
        return np.asarray(flatbuffer.constant(self.model, found))

    def results(self, place: int, *, fused: bool = True) -> Iterator[dict[str, Array]]:
        """Yield what an operator computes, sample by sample, in float."""
        operation = self.operations[place]
        content = cut(self.model, [place], fused=fused)
        if self.rounded:
            own = {
                name: real_constant(constant)
                for position, (name, constant) in enumerate(
                    zip(operation.inputs, operation.constants, strict=True)
                )
                if constant is not None and position != BIAS_INPUT.get(operation.kind)
            }
            own |= {name: self.own[name] for name in operation.inputs if name in self.own}
            content = _with_constants(content, own)
        return _outputs(content, self._rows(operation))

    def step(self, place: int) -> None:
        """Run the next operator, and drop what nothing reads after it."""
        operation = self.operations[place]
        scales = operation.output_scales if self.rounded else [None] * len(operation.outputs)
        self.scales.update(zip(operation.outputs, scales, strict=True))
        made: dict[str, list[Array]] = {}
        for results in self.results(place):
            for name, value in results.items():
                if self.last.get(name, -1) > place:
                    made.setdefault(name, []).append(_stored(value, self.scales[name]))
        self.values.update(made)
        for name in operation.inputs:
            if self.last[name] == place:
                self.values.pop(name, None)

    def _rows(self, operation: Operation) -> Iterator[dict[str, Array]]:
        """Yield the operands of an operator that are computed, sample by sample."""
        for sample in range(self.count):
            row = {}
            for name, scale in zip(operation.inputs, operation.input_scales, strict=True):
                if name in self.values:
                    at = self.scales.get(name)
                    value = real_values(self.values[name][sample], at)
                    if self.rounded and scale is not None and scale != at:
                        value = real_values(_stored(value, scale), scale)
                    row[name] = value
            yield row


def _mean_error(exact: _Run, rounded: _Run, place: int) -> Array:
    """Return what a rounded operator lacks on average, in each channel, before its activation."""
    (name,) = exact.operations[place].outputs
    total: Any = 0
    pairs = zip(exact.results(place, fused=False), rounded.results(place, fused=False), strict=True)
    for right, wrong in pairs:
        difference = right[name].astype(np.float64) - wrong[name]
        total = total + difference.reshape(-1, difference.shape[-1]).mean(0)
    return np.asarray(total / exact.count)


def _outputs(content: bytes, rows: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
    """Run a TFLite file on values of its inputs, by name; yield those of its outputs."""
    interpreter = open_interpreter(content, threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    for row in rows:
        for detail in inputs:
            interpreter.set_tensor(detail["index"], row[detail["name"]])
        interpreter.invoke()
        yield {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in outputs}


def _bias(operation: Operation, operations: Sequence[Operation]) -> str | None:
    """Return the name of an integer operator's bias, unless it is another operator's too."""
    position = BIAS_INPUT.get(operation.kind, len(operation.inputs))
    if position >= len(operation.inputs):
        return None
    if operation.constants[1] is None or operation.constants[position] is None:
        return None
    name = operation.inputs[position]
    readers = sum(other.inputs.count(name) for other in operations)
    return name if readers == 1 else None


def _with_constants(content: bytes, values: Mapping[str, Array]) -> bytes:
    """Return a file with other values of some constants."""
    model = flatbuffer.read_packed(content)
    for tensor in model.subgraphs[0].tensors:
        if (value := values.get(flatbuffer.name(tensor))) is not None:
            set_constant(model, tensor, value)
    return bytes(flatbuffer.packed(model))


def _stored(value: Array, scale: Scale | None) -> Array:
    """Return float values as the integers that they are rounded to, if they are."""
    if scale is None:
        return value
    half = 2 ** (scale.bits - 1)
    steps = np.rint(value / np.float32(scale.scale)) + scale.zero_point
    return steps.clip(-half, half - 1).astype(np.int8 if scale.bits == 8 else np.int16)


def _batch(tensor: Any, sample: Sample) -> Array:
    """Return a sample as an input of the file takes it: the whole batch of it."""
    value = np.asarray(sample[flatbuffer.name(tensor)], flatbuffer.dtype(tensor.type))
    return np.repeat(value[np.newaxis], flatbuffer.shape(tensor)[0], axis=0)


def _peak(model: Any) -> int:
    """Return the most bytes that are alive at once for one sample: a tensor in float and in integers."""
    main = model.subgraphs[0]
    last = {int(i): place for place, op in enumerate(main.operators) for i in op.inputs}

    def size(index: int) -> int:
        return 5 * int(np.prod(flatbuffer.shape(main.tensors[index])))

    alive = {int(i): size(i) for i in main.inputs}
    peak = sum(alive.values())
    for place, operator in enumerate(main.operators):
        alive |= {int(i): size(i) for i in operator.outputs}
        peak = max(peak, sum(alive.values()))
        alive = {i: bytes_ for i, bytes_ in alive.items() if last.get(i, -1) > place}
    return max(peak, 1)
