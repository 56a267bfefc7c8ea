"""Sensitivity: how far the outputs stray when one tensor alone is rounded as in the int8 file.

The float file gets a QUANTIZE and a DEQUANTIZE behind the tensor, and LiteRT runs it, so no operator is
written a second time. Noises of single tensors add up while they are small: their order says which
tensors are worth keeping in float.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, Sample, Samples
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.calibration import runs_over
from edgekit_converters.tflite.flatbuffer import DEQUANTIZE, INT8, QUANTIZE
from edgekit_converters.tflite.quantized_operators import (
    MAIN,
    TO_PROBABILITIES,
    Scale,
    read_operators,
)

_ENOUGH = 24  # samples, to rank tensors: ten times as many give the same order
_INT16 = 7

Outputs = Mapping[str, Sequence[Array]]
"""Values of tensors, by name; one a sample."""
Map = Callable[[Callable[[tuple[str, Scale]], float], Sequence[tuple[str, Scale]]], Iterable[float]]
"""Calls a function on each of some values, in this process or in others; the results in order."""


def sensitivities(
    graph: Path,
    quantized: Path,
    samples: Samples,
    *,
    count: int = _ENOUGH,
    mapped: Map = map,
    progress: Callable[[int, int], None] = lambda done, tensors: None,
) -> dict[str, float]:
    """Return the noise that rounding each tensor alone brings into the outputs, by tensor name.

    Noise is the squared error over the squared output, summed over outputs: 0.01 is an SQNR of 20 dB.
    Where probabilities leave the model it is taken before the softmax or sigmoid that makes them, for
    probabilities near 0 and 1 hide it. A tensor that is only reshaped has the noise of what it was
    before; noises that are to be added up must have one of the two.

    >>> import numpy as np
    >>> samples = [{"image": image} for image in np.load("samples.npz")["image"][:5]]
    >>> files = Path("out/model_float32.tflite"), Path("out/model_int8.tflite")
    >>> all(noise < 0.01 for noise in sensitivities(*files, samples).values())
    True

    Args:
        graph: the float TFLite file.
        quantized: the int8 file that was made from it, for the scales. A tensor that is float there has no
            noise, and no entry. Nor have the tensors in loops.
        samples: of which the first ``count`` are taken.
        count: how many samples are enough.
        mapped: ``map``, or that of a pool or a cluster; the results are the same.
        progress: called with the number of tensors measured, and of all, after each.

    Raises:
        ConversionError: the two files are not of one graph.
    """
    content, taken = graph.read_bytes(), list(islice(samples, count))
    scales = list(rounded_tensors(graph, quantized).items())
    model = flatbuffer.read(graph)
    ends = {end for name in [None, *_outputs(model)] for end in _compared(model, name)}
    measure = partial(_noise, content, samples=taken, expected=_run(model, taken, sorted(ends)))
    noises = {}
    for (name, _), noise in zip(scales, mapped(measure, scales), strict=True):
        noises[name] = noise
        progress(len(noises), len(scales))
    return noises


def rounded_tensors(graph: Path, quantized: Path) -> dict[str, Scale]:
    """Return the tensors of the main graph that are integers in a quantized file, with their scales.

    In the order of the graph: first its inputs, then the results of its operators.
    """
    scales: dict[str, Scale] = {}
    made: set[str] = set()
    operations = read_operators(graph, quantized)[MAIN]
    for operation in operations:
        for name, scale in zip(operation.inputs, operation.input_scales, strict=True):
            if scale is not None and name not in made:  # an input, or made by an operator in float
                scales.setdefault(name, scale)
        for name, scale in zip(operation.outputs, operation.output_scales, strict=True):
            if scale is not None:
                scales[name] = scale
                made.add(name)
    return scales


def _noise(
    graph: bytes, rounded: tuple[str, Scale], *, samples: Sequence[Sample], expected: Outputs
) -> float:
    """Return the noise that rounding one tensor brings into the outputs of a float TFLite file.

    It depends on its arguments alone, so it can be called in any process.

    Args:
        graph: the content of the file.
        rounded: the tensor's name there, and what it is rounded to.
        samples: without the batch axis, by the names of the file's inputs.
        expected: the outputs, and what goes into those that are probabilities, without the rounding.
    """
    tensor, scale = rounded
    model = flatbuffer.read_packed(graph)
    ends = _compared(model, tensor)
    moved = _round(model, tensor, scale)
    got = _run(model, samples, [moved if end == tensor else end for end in ends])
    return sum(
        _relative(expected[end], values) for end, values in zip(ends, got.values(), strict=True)
    )


def _relative(expected: Sequence[Array], got: Sequence[Array]) -> float:
    power = error = 0.0
    for right, value in zip(expected, got, strict=True):
        exact = right.astype(np.float64)
        power += float(np.sum(exact**2))
        error += float(np.sum((value - exact) ** 2))
    return error / max(power, 1e-30)


def _outputs(model: Any) -> list[str]:
    main = model.subgraphs[0]
    return [flatbuffer.name(main.tensors[index]) for index in main.outputs]


def _compared(model: Any, rounded: str | None) -> list[str]:
    """Return the tensors that the noise is measured on: for each output itself, or its logits."""
    main = model.subgraphs[0]
    logits = {
        operator.outputs[0]: operator.inputs[0]
        for operator in main.operators
        if flatbuffer.opcode(model, operator) in TO_PROBABILITIES
    }
    names = {index: flatbuffer.name(main.tensors[index]) for index in main.outputs}
    return [
        name
        if name == rounded or index not in logits
        else flatbuffer.name(main.tensors[logits[index]])
        for index, name in names.items()
    ]


def _round(model: Any, tensor: str, scale: Scale) -> str:
    """Put a QUANTIZE and a DEQUANTIZE behind a tensor of the main graph; return the result's name."""
    main = model.subgraphs[0]
    index = next(i for i, t in enumerate(main.tensors) if flatbuffer.name(t) == tensor)
    made = [place for place, op in enumerate(main.operators) if index in op.outputs]
    behind = made[0] + 1 if made else 0
    integers = _add_tensor(model, index, f"{tensor}/integers", scale)
    rounded = _add_tensor(model, index, f"{tensor}/rounded")
    for operator in main.operators[behind:]:
        operator.inputs = [rounded if i == index else i for i in operator.inputs]
    main.outputs = [rounded if i == index else i for i in main.outputs]
    main.operators[behind:behind] = [
        flatbuffer.make_operator(model, QUANTIZE, [index], [integers]),
        flatbuffer.make_operator(model, DEQUANTIZE, [integers], [rounded]),
    ]
    model.signatureDefs = []  # names the outputs as they were
    return flatbuffer.name(main.tensors[rounded])


def _add_tensor(model: Any, like: int, name: str, scale: Scale | None = None) -> int:
    from ai_edge_litert import schema_py_generated as schema

    main = model.subgraphs[0]
    made = main.tensors[flatbuffer.add_tensor(model, name, main.tensors[like].shape)]
    if scale is not None:
        made.type = INT8 if scale.bits == 8 else _INT16
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array([scale.scale], np.float32)
        made.quantization.zeroPoint = np.array([scale.zero_point], np.int64)
    return len(main.tensors) - 1


def _run(model: Any, samples: Iterable[Sample], tensors: Sequence[str]) -> dict[str, list[Array]]:
    """Run a model on samples, each of which fills the whole batch; return the tensors' values."""
    main = model.subgraphs[0]
    places = {flatbuffer.name(tensor): index for index, tensor in enumerate(main.tensors)}
    values: dict[str, list[Array]] = {name: [] for name in tensors}
    for run in runs_over(bytes(flatbuffer.packed(model)), samples, threads=1):
        for name in tensors:
            values[name].append(run.get_tensor(places[name]))
    return values
