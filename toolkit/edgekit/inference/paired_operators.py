"""The operators of a float TFLite file, each with those of the int8 file that compute the same."""

from collections import defaultdict
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from edgekit.data.samples import DataError
from edgekit.inference.assignment import Side
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import DEQUANTIZE, FLOAT32, INT8, QUANTIZE


@dataclass(frozen=True, slots=True)
class PairedOperator:
    """An operator of the float file, and its counterpart."""

    name: str
    """Of its first output in the float file."""

    kind: str
    place: int
    """Among the operators of the float file."""

    in_int8: tuple[int, ...]
    """The places of its counterparts in the int8 file: several where it was rewritten, none where it was
    rewritten together with the operators behind it."""

    stays_float: bool
    """Whether it computes in float32 in the int8 file, too."""


@dataclass(frozen=True, slots=True)
class PairedTensor:
    """A float tensor that is computed, or given."""

    name: str
    maker: int | None
    readers: tuple[int, ...]
    elements: int
    is_output: bool


@dataclass(frozen=True, slots=True)
class PairedFiles:
    """The main graph of a float file and of its int8 file."""

    floats: Any
    """A ``ModelT``, as ``flatbuffer.read`` returns it."""

    integers: Any
    operators: tuple[PairedOperator, ...]
    tensors: tuple[PairedTensor, ...]
    ends: Side


def pair_files(float_file: Path, int8_file: Path) -> PairedFiles:
    """Pair the operators of two TFLite files of one model.

    They are matched by the names of what they compute, which quantization keeps. What an operator was
    rewritten to for its integer kernels counts as one with it, or with the next one that has its name still.

    Raises:
        DataError: the files are not of one model.
    """
    floats, integers = flatbuffer.read(float_file), flatbuffer.read(int8_file)
    ours, theirs = floats.subgraphs[0], integers.subgraphs[0]
    names = [output_names(ours, operator) for operator in ours.operators]
    maker = {name: place for place, made in enumerate(names) for name in made}
    groups: dict[int, list[int]] = defaultdict(list)
    waiting: list[int] = []
    aliases = _aliases(integers)
    for place, operator in enumerate(theirs.operators):
        if flatbuffer.opcode(integers, operator) in (QUANTIZE, DEQUANTIZE):
            continue
        waiting.append(place)
        known = [maker[name] for i in operator.outputs for name in aliases[i] if name in maker]
        if known:
            groups[known[0]] += waiting
            waiting = []
    ends = {flatbuffer.name(ours.tensors[i]) for i in ours.outputs}
    lost = next(
        (n for place, made in enumerate(names) for n in made if n in ends and place not in groups),
        None,
    )
    if lost is not None or 2 * len(groups) < len(names):
        lost = lost or next(made[0] for place, made in enumerate(names) if place not in groups)
        raise DataError(
            f"{int8_file}: it does not compute {lost!r}, which {float_file} does: they are not of one "
            "model. Pass the float32 file of the same conversion."
        )
    operators = tuple(
        PairedOperator(
            made[0],
            flatbuffer.kind_name(floats, ours.operators[place]),
            place,
            tuple(groups[place]),
            bool(groups[place])
            and not any(_is_int8(integers, theirs.operators[i]) for i in groups[place]),
        )
        for place, made in enumerate(names)
    )
    given = [theirs.tensors[i].type for i in theirs.inputs]
    return PairedFiles(
        floats, integers, operators, _tensors(ours), "int8" if INT8 in given else "float32"
    )


def output_names(graph: Any, operator: Any) -> list[str]:
    """The names of what an operator makes."""
    return [flatbuffer.name(graph.tensors[i]) for i in operator.outputs if i >= 0]


def _aliases(model: Any) -> dict[int, list[str]]:
    """The names of each tensor of an int8 file: its own, and those of what it is cast to."""
    graph = model.subgraphs[0]
    names = {i: [flatbuffer.name(tensor)] for i, tensor in enumerate(graph.tensors)}
    for operator in graph.operators:
        if flatbuffer.opcode(model, operator) in (QUANTIZE, DEQUANTIZE):
            names[operator.inputs[0]] += names[operator.outputs[0]]
    return names


def _is_int8(model: Any, operator: Any) -> bool:
    """Whether an operator reads or makes 8-bit numbers that are computed, or no float ones at all."""
    tensors = [
        model.subgraphs[0].tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0
    ]
    computed = [t.type for t in tensors if flatbuffer.constant(model, t) is None]
    return INT8 in computed or FLOAT32 not in computed


def _tensors(graph: Any) -> tuple[PairedTensor, ...]:
    maker = {int(i): place for place, op in enumerate(graph.operators) for i in op.outputs}
    readers: dict[int, dict[int, None]] = defaultdict(dict)
    for place, operator in enumerate(graph.operators):
        for index in operator.inputs:
            readers[int(index)][place] = None
    found = dict.fromkeys([*(int(i) for i in graph.inputs), *maker])
    return tuple(
        PairedTensor(
            flatbuffer.name(graph.tensors[index]),
            maker.get(index),
            tuple(readers[index]),
            prod(flatbuffer.shape(graph.tensors[index])),
            index in graph.outputs,
        )
        for index in found
        if graph.tensors[index].type == FLOAT32
    )
