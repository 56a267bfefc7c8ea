"""The pieces of an ONNX file: its operators, with the pairs that quantize what they read and make.

A runtime replaces a quantized operator and the pairs around it by one kernel for integers, so all of them
are one piece, from integers to integers. So is an operator and the activation that only it feeds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit_converters.base import ConversionError
from edgekit_converters.onnx.edit import captured, sort_nodes
from edgekit_converters.pieces import Part, Piece, Pieces, Port

_PAIRS = ("QuantizeLinear", "DequantizeLinear")
_ACTIVATIONS = ("Relu", "Clip")
_WITH_GRAPHS = ("Loop", "Scan", "If")
_WITH_ACTIVATION = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Mul", "Sub")


def onnx_pieces(path: Path) -> Pieces:
    """Read an ``.onnx`` file in pieces.

    >>> found = onnx_pieces(Path("out/model_int8.onnx"))
    >>> [piece.kind for piece in found.pieces][:3]
    ['QuantizeLinear', 'Reshape', 'Conv+Relu']
    """
    import onnx

    model = onnx.load(str(path))
    known_first = {v.name for v in (*model.graph.input, *model.graph.initializer)}
    ordered = sort_nodes(
        model.graph.node, known_first
    )  # as the standard wants it; not all files are
    model.graph.ClearField("node")
    model.graph.node.extend(ordered)
    graph = _Graph(model.graph)
    pieces = tuple(graph.pieces())
    known = _types(model, [name for node in model.graph.node for name in node.output if name])

    def cut_out(chosen: Sequence[int]) -> Part:
        places = sorted({place for at in chosen for place in pieces[at].places})
        reads, makes = graph.ends(places)
        if unknown := [name for name in reads if name not in known]:
            raise ConversionError(
                f"the type of {unknown[0]!r} is not known: it cannot be cut there."
            )
        alone = onnx.ModelProto()
        alone.CopyFrom(model)
        alone.graph.ClearField("node")
        alone.graph.node.extend(model.graph.node[place] for place in places)
        inner = {name for node in alone.graph.node for name in (*node.input, *captured(node))}
        for field, kept in (
            ("initializer", [i for i in model.graph.initializer if i.name in inner]),
            ("value_info", []),
            ("input", [known[name] for name in reads]),
            ("output", [known.get(name) or _named(name) for name in makes]),
        ):
            alone.graph.ClearField(field)
            getattr(alone.graph, field).extend(kept)
        return Part(alone.SerializeToString(), tuple(reads), tuple(makes))

    return Pieces(
        path.suffix,
        pieces,
        cut_out,
        graph.ports(),
        tuple(graph.inputs),
        tuple(value.name for value in model.graph.output),
        channels_first=True,
    )


def _types(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """The types of values by name: as ONNX infers them, and of other domains' operators as its runtime does."""
    import onnx

    typed = onnx.shape_inference.infer_shapes(model)
    known = {
        value.name: value
        for value in (*typed.graph.value_info, *typed.graph.input, *typed.graph.output)
        if value.type.tensor_type.elem_type
    }
    unknown = [name for name in names if name not in known]
    if not unknown:
        return known
    import onnxruntime

    more = onnx.ModelProto()
    more.CopyFrom(model)
    more.graph.output.extend(map(_named, unknown))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            more.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # its exceptions share no base but Exception: those values stay unknown
        return known
    for port in session.get_outputs():
        kind = port.type.removeprefix("tensor(").removesuffix(")").upper()
        if port.name in unknown and kind in onnx.TensorProto.DataType.keys():  # noqa: SIM118
            code = onnx.TensorProto.DataType.Value(kind)
            known[port.name] = onnx.helper.make_tensor_value_info(port.name, code, port.shape)
    return known


def _named(name: str) -> Any:
    """An output of which only the name is known: ONNX Runtime finds the rest."""
    import onnx

    return onnx.ValueInfoProto(name=name)


class _Graph:
    """A graph's nodes by their places, and who makes and reads what."""

    def __init__(self, graph: Any) -> None:
        self._nodes = list(graph.node)
        self._constants = {i.name: i for i in graph.initializer}
        self.inputs = [v.name for v in graph.input if v.name not in self._constants]
        self._outputs = {value.name for value in graph.output}
        self._maker = {name: at for at, n in enumerate(self._nodes) for name in n.output if name}
        self._readers: dict[str, list[int]] = defaultdict(list)
        for at in range(len(self._nodes)):
            for name in self._reads(at):
                self._readers[name].append(at)
        self._unpacking = self._of_constants()

    def pieces(self) -> Iterator[Piece]:
        """The pieces, in the order of the nodes that end them."""
        inner = {at for at in range(len(self._nodes)) if self._is_inside(at)}
        for at in range(len(self._nodes)):
            if at in inner or at in self._unpacking:
                continue
            places = self._backwards(at, inner)
            named = [p for p in places if p not in self._unpacking]
            named = [p for p in named if self._nodes[p].op_type not in _PAIRS] or named[-1:]
            first = self._nodes[named[0]]
            kind = "+".join(self._nodes[p].op_type for p in named)
            loop = any(self._nodes[p].op_type in _WITH_GRAPHS for p in named)
            # A file that is made small has a layer's name as its node's, and numbers for what it makes.
            made = next(filter(None, first.output))
            name = first.name if first.name and made.isdigit() else made
            yield Piece(name, kind, tuple(places), loop=loop)

    def ends(self, places: Sequence[int]) -> tuple[list[str], list[str]]:
        """What some nodes read that they do not make, and what they make for others."""
        made = {name for place in places for name in self._nodes[place].output if name}
        reads = dict.fromkeys(
            name
            for place in places
            for name in self._reads(place)
            if name not in made and name not in self._constants
        )
        chosen = set(places)
        makes = [
            name
            for place in places
            if place not in self._unpacking
            for name in self._nodes[place].output
            if name
            and (
                name in self._outputs
                or not self._readers[name]
                or any(
                    reader not in chosen and not self._is_inside(place)
                    for reader in self._readers[name]
                )
            )
        ]
        return list(reads), makes

    def ports(self) -> dict[str, Port]:
        """Every tensor; with a scale where a QuantizeLinear made it, or passed on what one made."""
        from onnx import numpy_helper

        found: dict[str, Port] = {name: Port(name) for name in self.inputs}
        for node in self._nodes:
            scale = self._constants.get(node.input[1]) if len(node.input) > 1 else None
            if node.op_type != "QuantizeLinear" or scale is None:
                found |= {name: Port(name) for name in node.output}
                continue
            zero = self._constants.get(node.input[2]) if len(node.input) > 2 else None
            values = numpy_helper.to_array(scale).reshape(-1)
            point = 0 if zero is None else int(numpy_helper.to_array(zero).reshape(-1)[0])
            name = node.output[0]
            found[name] = Port(name, float(values[0]), point) if len(values) == 1 else Port(name)
        return found

    def _reads(self, at: int) -> list[str]:
        node = self._nodes[at]
        return [name for name in (*node.input, *captured(node)) if name]

    def _of_constants(self) -> set[int]:
        """The nodes that only unpack or make constants."""
        found, known = set[int](), set(self._constants)
        for at, node in enumerate(self._nodes):
            if all(name in known for name in self._reads(at)):
                found.add(at)
                known.update(node.output)
        return found

    def _is_inside(self, at: int) -> bool:
        """Whether what a node makes is read within its piece only."""
        node = self._nodes[at]
        if at in self._unpacking or any(name in self._outputs for name in node.output):
            return False
        readers = [r for name in node.output if name for r in self._readers[name]]
        if not readers:
            return False
        if node.op_type == "DequantizeLinear":
            return True
        kinds = [self._nodes[reader].op_type for reader in readers]
        if len(readers) > 1:
            return False
        if node.op_type == "QuantizeLinear":
            return False
        return kinds[0] == "QuantizeLinear" or (
            node.op_type in _WITH_ACTIVATION and kinds[0] in _ACTIVATIONS
        )

    def _backwards(self, last: int, inner: set[int]) -> list[int]:
        """A node and those that belong to it."""
        found, waiting = {last}, [last]
        while waiting:
            for name in self._reads(waiting.pop()):
                maker = self._maker.get(name)
                if maker in found or maker not in inner | self._unpacking:
                    continue
                found.add(maker)
                waiting.append(maker)
        return sorted(found)
