"""TensorFlow Lite Micro: the kernels that microcontrollers run, on this processor.

They end the whole process on an error, so they run in a child process.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgekit_runtimes.base import Array, Engine, Missing, ModelError, RuntimeMissing
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.engines.micro_kernels import NO_KERNEL, missing_kernels
from edgekit_runtimes.formats.tflite_file import Graph, node_macs, node_precision, read_graph
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement

LARGEST_ARENA = 256 * 1024 * 1024
"""Bytes of memory to try; no microcontroller has as much."""

ENDLESS = (
    "TensorFlow Lite Micro never leaves some loops: convert with to='micro', which writes LSTM layers as one "
    "operator, or build recurrent layers with unroll=True."
)
"""What to do about a call that does not return."""

_SOFTMAX = 25  # BuiltinOperator
_PRODUCTS = {
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED",
    44: "UNIDIRECTIONAL_SEQUENCE_LSTM",
    67: "TRANSPOSE_CONV",
}
_SECONDS = 20.0  # that opening a file, or a call, may take
_MACS = 1e7  # that any processor does in a second more


def open_micro(path: Path, threads: int = 1, *, seconds: float | None = None) -> Engine:
    """Opens a TFLite file with the kernels of microcontrollers.

    A call that takes much longer than the file's products can is ended, for some loops never are.

    Args:
        path: the file.
        threads: there is one.
        seconds: how long opening it, or a call, may take; by default, by its number of products.

    Raises:
        RuntimeMissing: tflite-micro is not installed.
        ModelError: the file has an operator that TensorFlow Lite Micro lacks, or needs too much
            memory, or time.
    """
    if missing := micro_missing():
        raise missing
    from edgekit_runtimes.subprocess_engine import open_in_child

    limit = seconds or _SECONDS + _macs(read_graph(path)) / _MACS
    return open_in_child(_open, path, threads, simulated=True, timeout=limit, advice=ENDLESS)


def micro_missing() -> Missing:
    """What TensorFlow Lite Micro lacks on this machine; None where it is ready."""
    return None if find_spec("tflite_micro") else RuntimeMissing("tflite-micro is not installed")


def _open(path: Path, threads: int) -> Engine:  # noqa: ARG001
    from tflite_micro import runtime

    graph = read_graph(path)
    _refuse_tiny_softmax(path, graph)
    content = path.read_bytes()
    size = 64 * 1024
    while True:
        with quiet() as printed:
            try:
                interpreter = runtime.Interpreter.from_bytes(content, arena_size=size)
                break
            except RuntimeError as error:
                size *= 4
                if NO_KERNEL in printed() or size > LARGEST_ARENA:
                    raise refusal(path, printed()) from error

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        for i, array in enumerate(arrays):
            interpreter.set_input(array, i)
        interpreter.invoke()
        return [np.array(interpreter.get_output(i)) for i in range(len(graph.outputs))]

    return Engine(graph.inputs, graph.outputs, call, lambda: _placement(graph))


def _placement(graph: Graph) -> Placement:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    kinds = {n: k for k, n in vars(schema.BuiltinOperator).items() if isinstance(n, int)}
    operators = []
    for node in graph.nodes:
        kind = kinds.get(node.code, str(node.code))
        reads = [graph.tensors[i] for i in node.inputs if i >= 0]
        out = graph.tensors[node.outputs[0]]
        operators.append(
            Operator(
                kind,
                "Micro",
                node_precision(kind, [t.dtype for t in reads], out.dtype),
                node_macs(kind, [_sizes(t.shape) for t in reads], _sizes(out.shape)),
                out.name,
            )
        )
    return Placement("micro", processor_name(), "Micro", operators, simulated=True)


def refusal(path: Path, printed: str) -> ModelError:
    """The error for a file that TensorFlow Lite Micro does not open in any memory.

    Args:
        path: the file.
        printed: what it printed.
    """
    missing = missing_kernels(path.read_bytes())
    if missing:
        there = sorted({op.kind for op in _placement(read_graph(path)).operators} - set(missing))
        more = f"; it has those of {', '.join(there)}" if there else ""
        return ModelError(
            f"{path}: TensorFlow Lite Micro has no kernel for {', '.join(missing)}{more}. Compute it outside "
            "the model, or by other layers."
        )
    said = "; ".join(line.strip() for line in printed.splitlines()[-2:] if line.strip())
    return ModelError(f"{path}: TensorFlow Lite Micro cannot open it: {said or 'it says no more'}.")


def _macs(graph: Graph) -> int:
    """Multiply-accumulate operations of a call; those in loops are not counted."""
    return sum(
        node_macs(
            _PRODUCTS[node.code],
            [_sizes(graph.tensors[i].shape) for i in node.inputs if i >= 0],
            _sizes(graph.tensors[node.outputs[0]].shape),
        )
        for node in graph.nodes
        if node.code in _PRODUCTS
    )


def _sizes(shape: Sequence[int | None]) -> list[int]:
    return [n or 1 for n in shape]


def _refuse_tiny_softmax(path: Path, graph: Graph) -> None:
    """The reference kernel of an int8 softmax ends the process where scale x 2^26 is at most 1."""
    for node in graph.nodes:
        given = graph.tensors[node.inputs[0]] if node.inputs else None
        if node.code == _SOFTMAX and given and given.scale and given.scale * 2**26 <= 1:
            raise ModelError(
                f"{path}: TensorFlow Lite Micro cannot run a softmax of {given.name!r}, whose scale "
                f"is {given.scale:.3g}: all its values are practically equal. Is the model trained?"
            )
