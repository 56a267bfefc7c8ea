"""The pieces of a TFLite file: its operators, each with those that only unpack its weights."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit_converters.pieces import Part, Piece, Pieces, Port
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.cut import cut


def tflite_pieces(path: Path) -> Pieces:
    """Read a ``.tflite`` file in pieces.

    >>> found = tflite_pieces(Path("out/model_float32.tflite"))
    >>> [piece.kind for piece in found.pieces][:2]
    ['CONV_2D', 'CONV_2D']
    """
    model = flatbuffer.read(path)
    graph = model.subgraphs[0]
    _distinct(graph.tensors)
    pieces = tuple(_pieces(model))

    def cut_out(chosen: Sequence[int]) -> Part:
        content = cut(model, {place for at in chosen for place in pieces[at].places})
        alone = flatbuffer.read_packed(content).subgraphs[0]
        reads, makes = (
            tuple(flatbuffer.name(alone.tensors[i]) for i in ends)
            for ends in (alone.inputs, alone.outputs)
        )
        return Part(content, reads, makes)

    inputs, outputs = (
        tuple(flatbuffer.name(graph.tensors[i]) for i in ends)
        for ends in (graph.inputs, graph.outputs)
    )
    ports = {port.name: port for port in map(_port, graph.tensors)}
    return Pieces(path.suffix, pieces, cut_out, ports, inputs, outputs)


def _pieces(model: Any) -> Iterator[Piece]:
    graph = model.subgraphs[0]
    computed = {int(i) for i in graph.inputs}
    unpacking: dict[int, int] = {}  # from a tensor to the operator that makes it of constants alone
    for place, operator in enumerate(graph.operators):
        reads = [int(i) for i in operator.inputs if i >= 0]
        made = [int(i) for i in operator.outputs]
        if reads and not computed.intersection(reads):
            unpacking |= dict.fromkeys(made, place)
            continue
        computed.update(made)
        yield Piece(
            flatbuffer.name(graph.tensors[made[0]]) if made else "",
            flatbuffer.kind_name(model, operator),
            (*sorted(_needed(graph, unpacking, reads)), place),
            _is_dynamic(model, operator),
            flatbuffer.opcode(model, operator) in (flatbuffer.WHILE, flatbuffer.IF),
        )


def _is_dynamic(model: Any, operator: Any) -> bool:
    """Whether its weights are 8-bit integers and what it reads and makes is float32."""
    tensors = [
        model.subgraphs[0].tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0
    ]
    stored = [t for t in tensors if flatbuffer.constant(model, t) is not None]
    of_integers = [t for t in tensors if t.type == flatbuffer.INT8]
    return bool(of_integers) and all(any(t is s for s in stored) for t in of_integers)


def _needed(graph: Any, unpacking: dict[int, int], reads: Sequence[int]) -> set[int]:
    """The operators that make what is read of constants, and those that they need."""
    found, waiting = set[int](), [i for i in reads if i in unpacking]
    while waiting:
        place = unpacking[waiting.pop()]
        if place not in found:
            found.add(place)
            waiting += [int(i) for i in graph.operators[place].inputs if int(i) in unpacking]
    return found


def _distinct(tensors: Sequence[Any]) -> None:
    """Number names that several tensors have, so that each is one tensor's."""
    counts = Counter(map(flatbuffer.name, tensors))
    for index, tensor in enumerate(tensors):
        name = flatbuffer.name(tensor)
        if counts[name] > 1 or not name:
            tensor.name = f"{name}#{index}".encode()


def _port(tensor: Any) -> Port:
    name, stored = flatbuffer.name(tensor), tensor.quantization
    integers = flatbuffer.dtype(tensor.type) in ("int8", "uint8", "int16")
    if not integers or stored is None or stored.scale is None or len(stored.scale) != 1:
        return Port(name)
    zero = stored.zeroPoint
    return Port(name, float(stored.scale[0]), int(zero[0]) if zero is not None and len(zero) else 0)
