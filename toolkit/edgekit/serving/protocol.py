"""The Open Inference Protocol v2 over REST: bodies to arrays, and arrays to bodies; JSON and binary tensors.

The protocol: https://github.com/kserve/open-inference-protocol, ``specification/protocol/inference_rest.md``.
Binary tensors and classification are the extensions that Triton Inference Server documents under
``docs/protocol/extension_binary_data.md`` and ``extension_classification.md``.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from edgekit.data.samples import Array
from edgekit_runtimes import TensorSpec

DATATYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}
"""The protocol's names of the types that models here take, with NumPy's."""

_NAMES = {np.dtype(numpy): name for name, numpy in DATATYPES.items()}
HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that says where the JSON of a body ends and its binary tensors begin."""


class BadRequest(ValueError):
    """A request that says nothing that the model could be run on; the message says why."""


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that a request asks for, and how."""

    name: str
    binary: bool = False
    classes: int = 0
    """The first so many classes as ``"value:index:label"``; 0 for the numbers themselves."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request to run a model."""

    id: str | None
    inputs: dict[str, Array]
    rows: int
    """How many samples."""
    outputs: tuple[WantedOutput, ...]


def datatype(spec: TensorSpec) -> str:
    """The protocol's name of what a session takes and gives: float32 where the file has quantized integers."""
    return _NAMES[np.dtype("float32" if spec.scale is not None else spec.dtype)]


def tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    """An input or output as metadata has it; a session takes any batch, so the first axis is -1."""
    sizes = [-1 if n is None else n for n in spec.shape[1:]]
    return {"name": spec.name, "datatype": datatype(spec), "shape": [-1, *sizes]}


def read_request(
    body: bytes | memoryview,
    header_length: str | None,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
) -> InferRequest:
    """Read a request's body, and check it against the model.

    Args:
        body: of the request: JSON, and behind it binary tensors where it has some.
        header_length: the header ``HEADER_LENGTH``, or None.
        inputs: what the model takes.
        outputs: what it gives.

    Raises:
        BadRequest: it is no such request, or does not fit the model.
    """
    view = memoryview(body)
    head, binary = view, view[len(view) :]
    if header_length is not None:
        if not header_length.isdecimal() or int(header_length) > len(view):
            raise BadRequest(
                f"{HEADER_LENGTH} is {header_length!r}; the body has {len(view)} bytes."
            )
        head, binary = view[: int(header_length)], view[int(header_length) :]
    try:
        content = orjson.loads(head)
    except ValueError as error:
        raise BadRequest(
            f"the body is no JSON: {error}. NaN and infinity are none; binary tensors can hold them."
        ) from error
    if not isinstance(content, dict):
        raise BadRequest("the body is no JSON object.")
    given = _objects(content, "inputs", required=True)
    arrays = dict(_arrays(given, binary, {spec.name: spec for spec in inputs}))
    if missing := [spec.name for spec in inputs if spec.name not in arrays]:
        raise BadRequest(f"the model also needs the input {missing[0]!r}.")
    rows = {len(array) for array in arrays.values()}
    if len(rows) != 1:
        raise BadRequest(f"the inputs have different batch sizes: {sorted(rows)}.")
    if not (count := rows.pop()):
        raise BadRequest("the batch has no samples.")
    request_id = content.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise BadRequest("id is no string.")
    return InferRequest(request_id, arrays, count, _wanted(content, outputs))


def write_response(
    name: str,
    version: str,
    request_id: str | None,
    outputs: Mapping[str, Array],
    wanted: Sequence[WantedOutput],
    labels: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
) -> tuple[bytes, int | None]:
    """Write a response's body; with it the length of its JSON, where binary tensors follow.

    NaN and infinity are no JSON: there, they are ``null``. As binary tensors they are what they are.

    Args:
        name: of the model.
        version: of the model.
        request_id: of the request, or None.
        outputs: the arrays, by name.
        wanted: which of them, and how.
        labels: the classes' names, for outputs that are wanted as classes.
        more: further keys of the response.
    """
    described: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for output in wanted:
        array = outputs[output.name]
        if output.classes:
            array = np.array(_classes(array, output.classes, labels), dtype=object)
        entry: dict[str, Any] = {
            "name": output.name,
            "datatype": "BYTES" if output.classes else _NAMES[array.dtype],
            "shape": list(array.shape),
        }
        if output.binary:
            packed = _packed(array)
            binary.append(packed)
            entry["parameters"] = {"binary_data_size": len(packed)}
        else:
            flat = np.ascontiguousarray(array).ravel()
            entry["data"] = flat.tolist() if output.classes else flat
        described.append(entry)
    head = {"model_name": name, "model_version": version, "outputs": described}
    if request_id is not None:
        head["id"] = request_id
    head |= more or {}
    text = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join((text, *binary)), len(text) if binary else None


def _arrays(
    given: Sequence[Mapping[str, Any]], binary: memoryview, specs: Mapping[str, TensorSpec]
) -> Iterator[tuple[str, Array]]:
    at = 0
    seen: set[str] = set()
    for entry in given:
        name = entry.get("name")
        if not isinstance(name, str) or name not in specs:
            raise BadRequest(f"the model has no input {name!r}; its inputs are {', '.join(specs)}.")
        if name in seen:
            raise BadRequest(f"input {name!r}: given twice.")
        seen.add(name)
        spec = specs[name]
        if entry.get("datatype") != datatype(spec):
            raise BadRequest(
                f"input {name!r}: datatype {entry.get('datatype')!r} given, {datatype(spec)} wanted."
            )
        dtype, shape = np.dtype(DATATYPES[datatype(spec)]), _shape(entry, spec)
        size = _parameters(entry).get("binary_data_size")
        if size is None:
            yield name, _from_json(name, entry.get("data"), shape, dtype)
            continue
        wanted = math.prod(shape) * dtype.itemsize
        if size != wanted or at + wanted > len(binary):
            raise BadRequest(
                f"input {name!r}: binary_data_size is {size!r}; shape {list(shape)} of {datatype(spec)} takes "
                f"{wanted} bytes, and {len(binary) - at} are left in the body."
            )
        yield name, np.frombuffer(binary[at : at + wanted], dtype.newbyteorder("<")).reshape(shape)
        at += wanted
    if at != len(binary):
        raise BadRequest(f"{len(binary) - at} bytes behind the JSON belong to no input.")


def _shape(entry: Mapping[str, Any], spec: TensorSpec) -> tuple[int, ...]:
    shape: Any = entry.get("shape")
    whole = isinstance(shape, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in shape
    )
    if not (whole and _fits(shape, spec)):
        wanted = tensor_metadata(spec)["shape"]
        raise BadRequest(f"input {spec.name!r}: shape {shape!r} given, {wanted} wanted.")
    return tuple(shape)


def _fits(shape: Sequence[int], spec: TensorSpec) -> bool:
    """Whether a shape is the input's, in a batch of any size."""
    return len(shape) == len(spec.shape) and all(
        want in (None, have) for have, want in zip(shape[1:], spec.shape[1:], strict=True)
    )


def _from_json(name: str, data: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The numbers of a tensor, flat or nested, in a type that holds each of them."""
    try:
        numbers = np.asarray(data) if isinstance(data, list) else None
    except (ValueError, OverflowError):  # ragged, or nested too deeply
        numbers = None
    if numbers is None or (numbers.dtype.kind not in _FITTING[dtype.kind] and numbers.size):
        raise BadRequest(f"input {name!r}: data is no list of {_IN_WORDS[dtype.kind]}.")
    if numbers.size != math.prod(shape):
        raise BadRequest(
            f"input {name!r}: {numbers.size} numbers given, shape {list(shape)} takes {math.prod(shape)}."
        )
    if dtype.kind in "iu" and numbers.size:
        limits = np.iinfo(dtype)
        if numbers.min() < limits.min or numbers.max() > limits.max:
            raise BadRequest(f"input {name!r}: a number does not fit {_NAMES[dtype]}.")
    with np.errstate(over="ignore"):  # infinity, as a float32 of it has
        return numbers.astype(dtype).reshape(shape)


_FITTING = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}
_IN_WORDS = {"f": "numbers", "i": "whole numbers", "u": "whole numbers", "b": "true and false"}


def _wanted(content: Mapping[str, Any], outputs: Sequence[TensorSpec]) -> tuple[WantedOutput, ...]:
    names = [spec.name for spec in outputs]
    by_default = _parameters(content).get("binary_data_output") is True
    if "outputs" not in content:
        return tuple(WantedOutput(name, by_default) for name in names)
    wanted = []
    for entry in _objects(content, "outputs"):
        name, parameters = entry.get("name"), _parameters(entry)
        if name not in names:
            raise BadRequest(
                f"the model has no output {name!r}; its outputs are {', '.join(names)}."
            )
        classes = parameters.get("classification", 0)
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 0:
            raise BadRequest(
                f"output {name!r}: classification is {classes!r}, and no whole number."
            )
        binary = parameters.get("binary_data", by_default)
        wanted.append(WantedOutput(name, binary is True, classes))
    return tuple(wanted)


def _objects(content: Mapping[str, Any], key: str, *, required: bool = False) -> list[Any]:
    found = content.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise BadRequest(f"{key} is no list of objects.")
    if required and not found:
        raise BadRequest(f"{key} is empty.")
    return found


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadRequest("parameters is no object.")
    return parameters


def _classes(array: Array, count: int, labels: Sequence[str]) -> list[list[str]]:
    """The best classes of each sample, each as ``value:index:label``, or without a label."""
    rows = array.reshape(len(array), -1)
    best = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    return [
        [f"{row[i]:.6f}:{i}{f':{labels[i]}' if i < len(labels) else ''}" for i in chosen]
        for row, chosen in zip(rows, best.tolist(), strict=True)
    ]


def _packed(array: Array) -> bytes:
    """A tensor's bytes: little-endian and row by row; each text behind its length in four bytes."""
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [str(text).encode() for text in array.ravel()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
