"""What each operator of a model takes in float32 and in int8 in ONNX Runtime on this machine.

From profiles of the two whole files: ONNX Runtime lays out and fuses whole graphs, so that an operator
alone takes another time than in its place. What its nodes take goes back to the operators of the float
TFLite file, which both files are made from, by the names of tensors.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.inference.assignment import GraphCosts, OperatorCost
from edgekit.inference.kept_costs import crossing_sizes, kept, tensor_costs
from edgekit.inference.paired_operators import PairedFiles, output_names, pair_files
from edgekit_runtimes.engines.ort_times import FileTimes, node_seconds
from edgekit_runtimes.formats.onnx_file import Graph, Node, read_graph
from edgekit_runtimes.known_files import sha256 as sha256_of

# By ONNX Runtime, to names of tensors and nodes.
_ADDED = re.compile(r"(_nchwc|_nhwc|_token_\d+)+$")
_LAYOUT = ("ReorderInput", "ReorderOutput")
_BLOCKED = "_nchwc"
_VERSION = 2  # of how things are timed and kept: counts in the key of what is kept


def ort_costs(
    float_file: Path,
    int8_file: Path,
    float_onnx: Path,
    int8_onnx: Path,
    *,
    threads: int = 1,
    seconds: float = 4.0,
) -> GraphCosts:
    """Profile two ONNX files of one model, float32 and int8, and share out what their nodes take.

    Kept for the next time, by the content of the files and by the machine.

    Args:
        float_file: the TFLite file in float32, whose operators get the times.
        int8_file: the TFLite file in int8.
        float_onnx: the ONNX file in float32.
        int8_onnx: the ONNX file in int8.
        threads: of one call.
        seconds: of measuring.

    Raises:
        DataError: the TFLite files are not of one model.
        ModelError: ONNX Runtime cannot run a file.
    """
    pair = pair_files(float_file, int8_file)
    main = pair.floats.subgraphs[0]
    places = {
        name: place
        for place, operator in enumerate(main.operators)
        for name in output_names(main, operator)
    }
    in_float, in_int8, crossings = _kept_times(
        places, float_onnx, int8_onnx, pair, threads, seconds
    )
    operators = []
    for operator in pair.operators:
        float_us, int8_us = in_float.get(operator.place, 0.0), in_int8.get(operator.place, 0.0)
        operators.append(
            OperatorCost(operator.name, operator.kind, int8_us, None)
            if operator.stays_float
            else OperatorCost(operator.name, operator.kind, float_us, int8_us)
        )
    tensors = tensor_costs(pair.tensors, crossing_sizes(pair.tensors), *crossings)
    return GraphCosts(operators, tensors, pair.ends)


def ort_times(file: Path, *, threads: int = 1, seconds: float = 2.0) -> GraphCosts:
    """Profile one ONNX file, of whatever precision; all times are ``float_us``, of nodes as they run."""
    (times,) = node_seconds([file], threads=threads, seconds=seconds)
    operators = [
        OperatorCost(
            _ADDED.sub("", timed.node.name or next(iter(timed.node.outputs), "")),
            timed.node.kind,
            1e6 * timed.seconds,
            None,
        )
        for timed in times.nodes
    ]
    return GraphCosts(operators, [])


_Times = tuple[dict[int, float], dict[int, float], list[list[float]]]
"""Microseconds by operator in float32 and in int8, and of crossings there and back, by size."""


def _kept_times(
    places: Mapping[str, int],
    float_onnx: Path,
    int8_onnx: Path,
    pair: PairedFiles,
    threads: int,
    seconds: float,
) -> _Times:
    files = (float_onnx, int8_onnx)

    def measure() -> list[Any]:
        measured = node_seconds(files, threads=threads, seconds=seconds)
        of_files = (
            _by_operator(read_graph(path), times, places)
            for path, times in zip(files, measured, strict=True)
        )
        return [*([*of_file.items()] for of_file in of_files), _crossings(pair, threads)]

    question = [threads, _VERSION, *map(sha256_of, files), dict(places)]
    floats, integers, crossings = kept("onnxruntime", question, measure)
    return dict(floats), dict(integers), crossings


def _by_operator(graph: Graph, times: FileTimes, places: Mapping[str, int]) -> dict[int, float]:
    """Microseconds of each operator: those of its nodes, and its share of the layout of the whole graph."""
    finder = _Finder(graph, [timed.node for timed in times.nodes], places)
    found: dict[int, float] = {}
    blocked: dict[int, float] = {}
    layout = 0.0
    for timed in times.nodes:
        us = 1e6 * timed.seconds
        node = timed.node
        if node.kind in _LAYOUT:
            layout += us
            continue
        if _is_crossing(node, graph):
            continue
        place = finder.operator(node)
        found[place] = found.get(place, 0.0) + us
        if node.name.endswith(_BLOCKED):
            blocked[place] = blocked.get(place, 0.0) + us
    together = sum(blocked.values())
    for place, us in blocked.items():  # reordering is what these are so fast by
        found[place] += layout * us / together if together else 0.0
    return found


def _is_crossing(node: Node, graph: Graph) -> bool:
    """Whether a node is the QuantizeLinear of an input, or the DequantizeLinear of an output."""
    return (node.kind == "QuantizeLinear" and node.inputs[0] in graph.inputs) or (
        node.kind == "DequantizeLinear" and node.outputs[0] in graph.outputs
    )


class _Finder:
    """Finds the operator that a node of the graph which ONNX Runtime has made computes a part of."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], places: Mapping[str, int]) -> None:
        self._places = places
        self._file = {name: node for node in graph.nodes for name in (*node.outputs, node.name)}
        self._made = {name: node for node in nodes for name in node.outputs}

    def operator(self, node: Node) -> int:
        """Return its place: by the names of its outputs, by its own, or by what it computes from."""
        for _ in range(64):  # a chain of nodes without a name that is known
            texts = [_ADDED.sub("", text) for text in (*node.outputs, node.name) if text]
            for text in texts:
                if (place := self._named(text)) is not None:
                    return place
            for text in texts:
                if (place := self._in_file(text)) is not None:
                    return place
            above = next((self._made[name] for name in node.inputs if name in self._made), None)
            if above is None:
                break
            node = above
        return 0  # before the first operator

    def _named(self, text: str) -> int | None:
        """By a tensor's name, or one that begins with it, as ``conv/BiasAdd__95:0`` does."""
        if text in self._places:
            return self._places[text]
        for end in range(len(text) - 1, 0, -1):
            if text[end] in "_/:" and text[:end] in self._places:
                return self._places[text[:end]]
        return None

    def _in_file(self, text: str) -> int | None:
        """By what a tensor of the file is computed from: a Relu belongs to what is before it."""
        for _ in range(8):
            node = self._file.get(text)
            if node is None or not node.inputs:
                return None
            text = node.inputs[0]
            if (place := self._named(text)) is not None:
                return place
        return None


def _crossings(pair: PairedFiles, threads: int) -> list[list[float]]:
    """Microseconds of QuantizeLinear and of DequantizeLinear for each of ``crossing_sizes``."""
    sizes = crossing_sizes(pair.tensors)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crossings.onnx"
        _write_crossings(path, sizes)
        (times,) = node_seconds([path], threads=threads, seconds=0.5)
    us = {timed.node.name: 1e6 * timed.seconds for timed in times.nodes}
    return [[us[f"{kind} {n}"] for n in sizes] for kind in ("quantize", "dequantize")]


def _write_crossings(path: Path, sizes: Sequence[int]) -> None:
    import onnx
    from onnx import TensorProto, helper

    scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [0.02])
    zero = helper.make_tensor("zero", TensorProto.UINT8, [], [3])
    nodes, inputs, outputs = [], [], []
    for n in sizes:
        for kind, given, made in (
            ("quantize", TensorProto.FLOAT, TensorProto.UINT8),
            ("dequantize", TensorProto.UINT8, TensorProto.FLOAT),
        ):
            inputs.append(helper.make_tensor_value_info(f"{kind} {n} in", given, [1, n]))
            outputs.append(helper.make_tensor_value_info(f"{kind} {n} out", made, [1, n]))
            nodes.append(
                helper.make_node(
                    f"{kind.capitalize()}Linear",
                    [f"{kind} {n} in", "scale", "zero"],
                    [f"{kind} {n} out"],
                    name=f"{kind} {n}",
                )
            )
    graph = helper.make_graph(nodes, "crossings", inputs, outputs, [scale, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
