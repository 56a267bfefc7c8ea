"""A client of the protocol that knows nothing of any server: plain HTTP by Python's own library."""

import json
import math
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np

NUMPY = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The JSON, without binary tensors behind it."""
        length = self.headers.get(HEADER_LENGTH.lower())
        return json.loads(self.body[: int(length)] if length else self.body)

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """An output, however it came."""
        at = int(self.headers.get(HEADER_LENGTH.lower(), 0))
        for output in self.content["outputs"]:
            dtype = np.dtype(NUMPY[output["datatype"]])
            size = output.get("parameters", {}).get("binary_data_size")
            if output["name"] == name and size is None:
                return np.array(output["data"], dtype).reshape(output["shape"])
            if output["name"] == name:
                return np.frombuffer(self.body[at : at + size], dtype).reshape(output["shape"])
            at += size or 0
        raise KeyError(name)


def ask(
    url: str,
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """One request: POST where there is a body (an object becomes JSON), else GET."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if sent is not None and not headers else {}
    try:
        connection.request(
            method or ("GET" if body is None else "POST"), path, sent, {**kind, **(headers or {})}
        )
        response = connection.getresponse()
        return Reply(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
    finally:
        connection.close()


def tensor(
    described: dict[str, Any], *, rows: int = 1, nested: bool = False, seed: int = 0
) -> dict[str, Any]:
    """A request's input for a tensor of the model's metadata: numbers that nobody would mind."""
    array = values(described, rows=rows, seed=seed)
    return {
        "name": described["name"],
        "datatype": described["datatype"],
        "shape": list(array.shape),
        "data": array.tolist() if nested else array.ravel().tolist(),
    }


def values(described: dict[str, Any], *, rows: int = 1, seed: int = 0) -> np.ndarray[Any, Any]:
    """Random numbers of a tensor's type and shape; axes of any size have 1, the first has so many rows."""
    sizes = [1 if n < 0 else n for n in described["shape"]]
    if described["shape"][0] < 0:
        sizes[0] = rows
    random = np.random.default_rng(seed)
    dtype = np.dtype(NUMPY[described["datatype"]])
    if dtype.kind != "f":
        return random.integers(0, 2, sizes).astype(dtype)
    return (random.integers(0, 256, sizes) / 256).astype(dtype)  # exact in JSON and in binary


def in_binary(
    described: list[dict[str, Any]], *, rows: int = 1, **more: Any
) -> tuple[bytes, dict[str, str]]:
    """A request whose tensors follow its JSON, and the header that says so."""
    packed = [values(d, rows=rows).tobytes() for d in described]
    inputs = [
        {k: v for k, v in tensor(d, rows=rows).items() if k != "data"}
        | {"parameters": {"binary_data_size": len(p)}}
        for d, p in zip(described, packed, strict=True)
    ]
    head = json.dumps({"inputs": inputs, **more}).encode()
    return head + b"".join(packed), {
        HEADER_LENGTH: str(len(head)),
        "Content-Type": "application/octet-stream",
    }


def count(described: dict[str, Any]) -> int:
    return math.prod(described["shape"])
