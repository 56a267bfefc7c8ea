"""TensorFlow Lite Micro: the kernels that microcontrollers run, on this processor.

They end the whole process on an error, so they run in a child process.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgekit_runtimes.base import Array, Engine, Missing, ModelError, RuntimeMissing
from edgekit_runtimes.formats.tflite_file import Graph, node_macs, node_precision, read_graph
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement

_SOFTMAX = 25  # BuiltinOperator
_MOST = 256 * 1024 * 1024  # bytes of memory to try; no microcontroller has as much


def open_micro(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file with the kernels of microcontrollers.

    Raises:
        RuntimeMissing: tflite-micro is not installed.
        ModelError: the file has an operator that TensorFlow Lite Micro lacks, or needs too much
            memory.
    """
    if missing := micro_missing():
        raise missing
    from edgekit_runtimes.subprocess_engine import open_in_child

    return open_in_child(_open, path, threads, simulated=True)


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
        try:
            interpreter = runtime.Interpreter.from_bytes(content, arena_size=size)
            break
        except RuntimeError as error:
            size *= 4
            if size > _MOST:
                kinds = sorted({op.kind for op in _placement(graph).operators})
                raise ModelError(
                    f"{path}: TensorFlow Lite Micro cannot open it: it lacks an operator, or the "
                    f"types that one needs. The file has {', '.join(kinds)}."
                ) from error

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
