"""The least versions of the runtimes that run a file, from what the file says of itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.formats import onnx_versions, tflite_versions
from edgekit_runtimes.formats.flatbuffer_walk import Table, Walk
from edgekit_runtimes.formats.protobuf import fields
from edgekit_runtimes.formats.release import release

TFLITE, LITERT, ONNX_RUNTIME = "tflite", "litert", "onnxruntime"
"""The runtimes: TensorFlow Lite, with the numbers of TensorFlow; LiteRT; ONNX Runtime."""

_MODEL_CODES, _MODEL_GRAPHS = 1, 2
_GRAPH_TENSORS, _GRAPH_OPERATORS = 0, 3
_OLD_CODE, _CUSTOM_NAME, _VERSION, _NEW_CODE = 0, 1, 2, 3
_CODE, _INPUTS, _OUTPUTS = 0, 1, 2
_TYPE, _QUANTIZATION, _SCALES = 1, 4, 2
_FLOAT, _INT16, _INT8, _INT4 = 0, 7, 9, 17
_CUSTOM = 32
_DATA = {49: 1, 67: 2, 94: 1}
"""Which input of an operator has the type that it computes in, where it is not the first."""
_WITH_WEIGHTS = (3, 4, 9, 67)

_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_DOMAIN, _OPSET_VERSION = 1, 2
_NODE, _KIND, _ATTRIBUTE, _NODE_DOMAIN = 1, 4, 5, 7
_SUBGRAPH = 6
_MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Need:
    """A part of a file that not every version of a runtime knows."""

    part: str
    """As a sentence begins: ``CONV_2D in int8``, ``opset 18``."""

    versions: dict[str, str]
    """The least version that knows it, by runtime; a runtime is left out where no version is known to."""


def least_versions(path: Path) -> dict[str, str]:
    """Finds the least versions of the runtimes that run a file.

    >>> least_versions(Path("out/model_float32.tflite"))
    {'tflite': '1.5', 'litert': '1.0'}

    Args:
        path: ``.tflite`` or ``.onnx``. It is not run.

    Returns:
        For ``.tflite`` the versions of ``tflite`` (TensorFlow Lite, with the numbers of TensorFlow) and of
        ``litert``; for ``.onnx`` that of ``onnxruntime``. A runtime is left out where the file has a part
        that no version is known to run, as an operator of one's own.

    Raises:
        ModelError: the file is of another kind, or damaged.
    """
    needs = needs_of(path)
    return {
        runtime: max((need.versions[runtime] for need in needs), key=release)
        for runtime in _RUNTIMES[path.suffix]
        if all(runtime in need.versions for need in needs)
    }


def needs_of(path: Path) -> list[Need]:
    """Lists what a file needs of its runtimes, each part once.

    Raises:
        ModelError: the file is of another kind, or damaged.
    """
    if path.suffix not in _READERS:
        raise ModelError(
            f"{path}: the versions that a file needs are read from {' and '.join(_READERS)} files; "
            "this is none."
        )
    try:
        needs = {need.part: need for need in _READERS[path.suffix](path.read_bytes())}
    except (ValueError, IndexError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error
    return list(needs.values())


def _tflite_needs(content: bytes) -> Iterator[Need]:
    model = Walk(content).model()
    codes = model[_MODEL_CODES] or []
    walk = Walk(content)
    for graph in model[_MODEL_GRAPHS] or []:
        tensors = graph[_GRAPH_TENSORS] or []
        for operator in graph[_GRAPH_OPERATORS] or []:
            code = codes[operator[_CODE] or 0]
            kind = max(code[_OLD_CODE] or 0, code[_NEW_CODE] or 0)
            if kind == _CUSTOM:
                yield Need(f"the custom operator {code[_CUSTOM_NAME]}", {})
                continue
            inputs = [tensors[i] if i >= 0 else None for i in walk.integers(operator[_INPUTS])]
            outputs = [tensors[i] for i in walk.integers(operator[_OUTPUTS]) if i >= 0]
            kept = _type(kind, inputs, outputs)
            name = tflite_versions.OPERATORS.get(kind, (f"operator {kind}", ""))[0]
            releases = tflite_versions.BY_TYPE.get((kind, kept))
            version, stated = _version(kind, kept, inputs), code[_VERSION] or 1
            if releases is None and stated >= version:
                yield Need(f"{name} in version {stated}", _tflite_releases(kind, stated))
            else:
                words = f"with {kept}" if "weights" in kept else f"in {kept}"
                yield Need(f"{name} {words}", releases or _tflite_releases(kind, version))


def _type(kind: int, inputs: list[Table | None], outputs: list[Table]) -> str:
    """What an operator computes in, where TensorFlow has versions for it; "" for the rest."""
    data = _DATA.get(kind, 0)
    types = [None if tensor is None else tensor[_TYPE] or 0 for tensor in inputs]
    computed = types[data] if len(types) > data else None
    weights = types[0 if data else 1] if len(types) > 1 else None
    made = outputs[0][_TYPE] or 0 if outputs else None
    if weights == _INT4 and kind in tflite_versions.INT4_WEIGHTS:
        return "4-bit weights"
    if _INT16 in (computed, made):
        return "int16"
    if _INT8 in (computed, made):
        return "int8"
    if computed == _FLOAT and _INT8 in types[:2] and kind in _WITH_WEIGHTS:
        return "int8 weights"
    return ""


def _version(kind: int, kept: str, inputs: list[Table | None]) -> int:
    """The version of an operator that its type needs."""
    _, _, in_int8, in_int16 = tflite_versions.OPERATORS.get(kind, ("", "", 1, 1))
    if kept == "int8 weights":
        tensor = inputs[1]
        scales = ((tensor and tensor[_QUANTIZATION]) or [None] * 7)[_SCALES]
        several = scales is not None and scales.length > 1
        return tflite_versions.INT8_WEIGHTS.get(kind, (1, 1))[several]
    if kept == "4-bit weights":
        return tflite_versions.INT4_WEIGHTS[kind]
    return {"int8": in_int8, "int16": in_int16}.get(kept, 1)


def _tflite_releases(kind: int, version: int) -> dict[str, str]:
    """The least release of each runtime that knows a version of an operator."""
    found = {}
    releases = (
        tflite_versions.OPERATORS[kind][1].split() if kind in tflite_versions.OPERATORS else []
    )
    if version <= len(releases):
        found[TFLITE] = releases[version - 1]
        found[LITERT] = tflite_versions.FIRST_LITERT
    if newer := tflite_versions.LITERT.get(kind, {}).get(version):
        found[LITERT] = newer
    return found


def _onnx_needs(content: bytes) -> Iterator[Need]:
    graphs = 0
    for number, value in fields(memoryview(content)):
        if number == _IR_VERSION and isinstance(value, int):
            yield Need(f"IR version {value}", _first(onnx_versions.IR, value))
        elif number == _OPSET and not isinstance(value, int):
            yield _opset_need(value)
        elif number == _GRAPH and not isinstance(value, int):
            graphs += 1
            yield from _node_needs(value)
    if not graphs:
        raise ValueError("there is no graph")


def _opset_need(message: memoryview) -> Need:
    domain, version = "", 1
    for number, value in fields(message):
        if number == _DOMAIN and not isinstance(value, int):
            domain = bytes(value).decode()
        elif number == _OPSET_VERSION and isinstance(value, int):
            version = value
    domain = "" if domain == "ai.onnx" else domain
    part = f"opset {version}" + (f" of {domain}" if domain else "")
    return Need(part, _first(onnx_versions.OPSETS.get(domain, {}), version))


def _node_needs(graph: memoryview) -> Iterator[Need]:
    """What the nodes of a graph need beside their opset, those inside loops too."""
    for number, node in fields(graph):
        if number != _NODE or isinstance(node, int):
            continue
        kind, domain = "", ""
        for place, value in fields(node):
            if isinstance(value, int):
                continue
            if place == _KIND:
                kind = bytes(value).decode()
            elif place == _NODE_DOMAIN:
                domain = bytes(value).decode()
            elif place == _ATTRIBUTE:
                for inner, subgraph in fields(value):
                    if inner == _SUBGRAPH and not isinstance(subgraph, int):
                        yield from _node_needs(subgraph)
        if domain == _MICROSOFT and kind in onnx_versions.MICROSOFT:
            yield Need(f"{kind} of {domain}", {ONNX_RUNTIME: onnx_versions.MICROSOFT[kind]})


def _first(table: dict[int, str], version: int) -> dict[str, str]:
    """The release that first knows a version, by a table of some of them."""
    for known, found in sorted(table.items()):
        if version <= known:
            return {ONNX_RUNTIME: found}
    return {}


_READERS: dict[str, Callable[[bytes], Iterator[Need]]] = {
    ".tflite": _tflite_needs,
    ".onnx": _onnx_needs,
}
_RUNTIMES = {".tflite": (TFLITE, LITERT), ".onnx": (ONNX_RUNTIME,)}
