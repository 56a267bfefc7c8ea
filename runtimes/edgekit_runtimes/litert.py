"""LiteRT: runs ``.tflite`` files on the CPU by XNNPACK, or by a delegate library of your own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import (
    Array,
    DeviceUnavailable,
    Engine,
    ModelError,
    RuntimeMissing,
    TensorSpec,
)
from edgekit_runtimes.captured_output import quiet
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement
from edgekit_runtimes.tflite_file import node_macs, node_precision

_RESOURCES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")


def open_litert(
    path: Path, threads: int = 1, delegate: str | None = None, *, plain: bool = False
) -> Engine:
    """Opens a TFLite file.

    Args:
        path: the file.
        threads: of XNNPACK.
        delegate: the path of a delegate's library, asked before XNNPACK is.
        plain: without XNNPACK: LiteRT's own kernels.

    Raises:
        RuntimeMissing: ai-edge-litert is not installed.
        DeviceUnavailable: the delegate cannot be loaded.
        ModelError: the file is no TFLite file, is cut short, or holds an operator LiteRT lacks.
    """
    interpreter = load(path, threads, delegate, plain=plain)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    # A model with state starts clean at each call. Variables that are tensors (of a fused LSTM) are
    # reset; those that are resources live as long as their interpreter.
    stateful = any("variable" in str(d["name"]).lower() for d in interpreter.get_tensor_details())
    if any(op.kind in _RESOURCES for op in operators(interpreter, "")[0]):
        return _forgetful(path, threads, delegate)
    takes = [d["index"] for d in inputs]
    gives = [d["index"] for d in outputs]
    set_tensor, invoke, get_tensor = _bare(interpreter)

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        if stateful:
            interpreter.reset_all_variables()
        try:
            for index, array in zip(takes, arrays, strict=True):
                set_tensor(index, array)
            invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: LiteRT cannot run it: {error}") from error
        return [get_tensor(index) for index in gives]

    takes_one, gives_one = takes[0], gives[0]

    def one(array: Array) -> Array:
        try:
            set_tensor(takes_one, array)
            invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: LiteRT cannot run it: {error}") from error
        return get_tensor(gives_one)  # type: ignore[no-any-return]

    accelerator = Path(delegate).name if delegate else "LiteRT" if plain else "XNNPACK"
    device = delegate or ("reference" if plain else "xnnpack")
    return Engine(
        [spec(d) for d in inputs],
        [spec(d) for d in outputs],
        call,
        lambda: _placement(interpreter, device, accelerator),
        None if stateful else one,
    )


def _forgetful(path: Path, threads: int, delegate: str | None) -> Engine:
    """A file with resource variables: a new interpreter for each call."""
    first = load(path, threads, delegate)
    takes, gives = first.get_input_details(), first.get_output_details()
    content = path.read_bytes()

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        interpreter = load(path, threads, delegate, content=content)
        try:
            for detail, array in zip(takes, arrays, strict=True):
                interpreter.set_tensor(detail["index"], array)
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: LiteRT cannot run it: {error}") from error
        return [interpreter.get_tensor(detail["index"]) for detail in gives]

    accelerator = Path(delegate).name if delegate else "XNNPACK"
    return Engine(
        [spec(d) for d in takes],
        [spec(d) for d in gives],
        call,
        lambda: _placement(first, delegate or "xnnpack", accelerator),
    )


def _bare(interpreter: Any) -> tuple[Any, Any, Any]:
    """The three calls of a run; where LiteRT lets us, without its wrappers.

    Those check at each call that nobody holds a view of its memory. Nobody does here.
    """
    inner = getattr(interpreter, "_interpreter", None)
    try:
        return inner.SetTensor, inner.Invoke, inner.GetTensor  # type: ignore[union-attr]
    except AttributeError:
        return interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor


def load(
    path: Path,
    threads: int = 1,
    delegate: str | None = None,
    *,
    plain: bool = False,
    every_tensor: bool = False,
    content: bytes | None = None,
) -> Any:
    """A LiteRT interpreter with its tensors allocated.

    Args:
        path: the file.
        threads: of XNNPACK.
        delegate: the path of a delegate's library.
        plain: without XNNPACK: LiteRT's own kernels, operators as the file has them.
        every_tensor: keep the value of each tensor after a call.
        content: of the file, where it has been read.
    """
    try:
        from ai_edge_litert import interpreter as litert
    except ImportError as error:
        raise RuntimeMissing(
            "LiteRT is not installed: pip install 'edgekit-toolkit[litert]'"
        ) from error
    delegates = None
    if delegate:
        why = None
        with quiet():  # what it half made complains as it goes
            try:
                delegates = [litert.load_delegate(delegate)]
            except (ValueError, OSError) as error:
                why = str(error)
        if why is not None:
            raise DeviceUnavailable(f"{delegate}: cannot be loaded as a LiteRT delegate: {why}")
    kind = litert.OpResolverType
    try:
        with quiet():
            interpreter = litert.Interpreter(
                None if content else str(path),
                model_content=content,
                num_threads=threads,
                experimental_delegates=delegates,
                experimental_preserve_all_tensors=every_tensor,
                experimental_op_resolver_type=kind.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                if plain
                else kind.AUTO,
            )
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: LiteRT cannot open it: {error}") from error
    return interpreter


def spec(detail: dict[str, Any]) -> TensorSpec:
    """What LiteRT tells of an input or an output."""
    scale, zero_point = detail["quantization"]
    return TensorSpec(
        name=detail["name"],
        # As allocated: an open size (-1 in shape_signature) stands at 1, and batches are run in turn.
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale) or None,
        zero_point=int(zero_point),
    )


def operators(interpreter: Any, accelerator: str) -> tuple[list[Operator], int]:
    """The operators of the main graph, each with who runs it, and the number of partitions.

    LiteRT lists a delegate's nodes behind the operators that they stand for, with the tensors that
    go in and come out; what lies between is theirs.
    """
    try:
        nodes = interpreter._get_ops_details()  # LiteRT has no public list
    except AttributeError:
        return [], 0
    tensors = {d["index"]: d for d in interpreter.get_tensor_details()}
    plain = [n for n in nodes if n["op_name"] != "DELEGATE"]
    delegates = [n for n in nodes if n["op_name"] == "DELEGATE"]
    maker = {int(t): i for i, node in enumerate(plain) for t in node["outputs"]}
    taken: set[int] = set()
    for node in delegates:
        border = set(map(int, node["inputs"]))
        waiting = [int(t) for t in node["outputs"]]
        while waiting:
            tensor = waiting.pop()
            if tensor in border or tensor not in maker or maker[tensor] in taken:
                continue
            taken.add(maker[tensor])
            waiting += [int(t) for t in plain[maker[tensor]]["inputs"]]
    return [
        Operator(
            node["op_name"],
            accelerator if i in taken else "CPU",
            node_precision(node["op_name"], *_types(node, tensors)),
            node_macs(node["op_name"], *_shapes(node, tensors)),
            str(tensors[int(node["outputs"][0])]["name"]) if len(node["outputs"]) else "",
        )
        for i, node in enumerate(plain)
    ], len(delegates)


def _placement(interpreter: Any, device: str, accelerator: str) -> Placement:
    listed, partitions = operators(interpreter, accelerator)
    return Placement(device, processor_name(), accelerator, listed, partitions)


def _types(node: dict[str, Any], tensors: dict[int, dict[str, Any]]) -> tuple[list[str], str]:
    reads, writes = _ends(node, tensors)
    names = [np.dtype(d["dtype"]).name for d in reads]
    return names, np.dtype(writes[0]["dtype"]).name if writes else "?"


def _shapes(
    node: dict[str, Any], tensors: dict[int, dict[str, Any]]
) -> tuple[list[list[int]], list[int]]:
    reads, writes = _ends(node, tensors)
    shapes = [[int(n) for n in d["shape"]] for d in reads]
    return shapes, [int(n) for n in writes[0]["shape"]] if writes else []


def _ends(
    node: dict[str, Any], tensors: dict[int, dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is told of the tensors that a node reads and writes; optional ones left out are -1."""
    reads, writes = (
        [tensors[int(i)] for i in node[side] if int(i) in tensors] for side in ("inputs", "outputs")
    )
    return reads, writes
