"""LiteRT: runs ``.tflite`` files on the CPU by XNNPACK, or by a delegate's library."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import (
    Array,
    Call,
    DeviceUnavailable,
    Engine,
    ModelError,
    RuntimeMissing,
    TensorSpec,
)
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.formats.tflite_file import has_variables, node_macs, node_precision
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement

_FAULTS = (ValueError, RuntimeError, TypeError, KeyError, IndexError, MemoryError, SystemError)
"""What LiteRT's Python part raises on files that it cannot take; a name that is not UTF-8, too."""

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
        ModelError: the file is not TFLite, is cut short, or has an operator that LiteRT lacks.
    """
    interpreter = load(path, threads, delegate, plain=plain)
    try:
        inputs = [spec(d) for d in interpreter.get_input_details()]
        outputs = [spec(d) for d in interpreter.get_output_details()]
        kinds = {op.kind for op in operators(interpreter, "")[0]}
    except _FAULTS as error:
        raise ModelError(f"{path}: LiteRT cannot read its tensors: {error}") from error
    accelerator = Path(delegate).name if delegate else "LiteRT" if plain else "XNNPACK"
    device = delegate or ("reference" if plain else "xnnpack")

    def place() -> Placement:
        listed, partitions = operators(interpreter, accelerator)
        if plain:  # all of them: there is nothing else
            listed, partitions = [replace(op, processor=accelerator) for op in listed], 1
        return Placement(device, processor_name(), accelerator, listed, partitions)

    # A model with state starts clean at each call. Variables that are tensors (of a fused LSTM) are
    # reset; those that are resources live as long as their interpreter, so each call gets a new one.
    if kinds.intersection(_RESOURCES):
        content = path.read_bytes()

        def call_anew(arrays: Sequence[Array]) -> Sequence[Array]:
            return _caller(path, load(path, threads, delegate, plain=plain, content=content))(
                arrays
            )

        return Engine(inputs, outputs, call_anew, place)
    if has_variables(path):
        call = _caller(path, interpreter)

        def call_reset(arrays: Sequence[Array]) -> Sequence[Array]:
            interpreter.reset_all_variables()
            return call(arrays)

        return Engine(inputs, outputs, call_reset, place)
    return Engine(
        inputs, outputs, _caller(path, interpreter), place, one=_caller_of_one(path, interpreter)
    )


def _caller(path: Path, interpreter: Any) -> Call:
    """The call of an interpreter: arrays in, arrays out."""
    takes = [d["index"] for d in interpreter.get_input_details()]
    gives = [d["index"] for d in interpreter.get_output_details()]
    set_tensor, invoke, get_tensor = _bare(interpreter)

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        try:
            for index, array in zip(takes, arrays, strict=True):
                set_tensor(index, array)
            invoke()
        except _FAULTS as error:
            raise ModelError(f"{path}: LiteRT cannot run it: {error}") from error
        return [get_tensor(index) for index in gives]

    return call


def _caller_of_one(path: Path, interpreter: Any) -> Callable[[Array], Array]:
    """The same for the first input and the first output, without lists: half of a small call's time."""
    (takes, *_), (gives, *_) = interpreter.get_input_details(), interpreter.get_output_details()
    index_in, index_out = takes["index"], gives["index"]
    set_tensor, invoke, get_tensor = _bare(interpreter)

    def call_one(array: Array) -> Array:
        try:
            set_tensor(index_in, array)
            invoke()
        except _FAULTS as error:
            raise ModelError(f"{path}: LiteRT cannot run it: {error}") from error
        return get_tensor(index_out)  # type: ignore[no-any-return]

    return call_one


def _bare(interpreter: Any) -> tuple[Any, Any, Any]:
    """The three calls of a run, where possible without LiteRT's wrappers.

    Those check at each call that no array is a view of its memory. None is here.
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
        reason = None
        with quiet():  # its destructor prints after a failure
            try:
                delegates = [litert.load_delegate(delegate)]
            except (ValueError, OSError) as error:
                reason = str(error)
        if reason is not None:
            raise DeviceUnavailable(f"{delegate}: cannot be loaded as a LiteRT delegate: {reason}")
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
    except _FAULTS as error:
        raise ModelError(f"{path}: LiteRT cannot open it: {error}") from error
    return interpreter


def spec(detail: dict[str, Any]) -> TensorSpec:
    """An input or an output, from LiteRT's details of a tensor."""
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "iu":  # training with quantization leaves scales in float32 files
        scale, zero_point = 0.0, 0
    return TensorSpec(
        name=detail["name"],
        # As allocated: a dynamic dimension (-1 in shape_signature) is 1, and samples run in turn.
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=dtype.name,
        scale=float(scale) or None,
        zero_point=int(zero_point),
    )


def operators(interpreter: Any, accelerator: str) -> tuple[list[Operator], int]:
    """The operators of the main graph with their processors, and the number of partitions.

    LiteRT lists a delegate's nodes behind the operators that they replace, with the tensors that
    go in and come out; the operators between these belong to the delegate.
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
    """LiteRT's details of the tensors that a node reads and writes; optional ones left out are -1."""
    reads, writes = (
        [tensors[int(i)] for i in node[side] if int(i) in tensors] for side in ("inputs", "outputs")
    )
    return reads, writes
