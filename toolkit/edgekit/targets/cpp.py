"""The target ``cpp``: a C++17 program for a board, by ONNX Runtime's and LiteRT's C interfaces."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.targets.info import bundle_info, write_info
from edgekit.targets.job import ExportJob
from edgekit.targets.rendering import render

_RUNTIMES = {"onnx": "runtime_onnx.cc", "tflite": "runtime_litert.cc"}


def write_cpp(job: ExportJob, folder: Path) -> None:
    """Write the sources, their CMakeLists.txt, the files and the golden samples.

    Args:
        job: what is exported.
        folder: an empty one.
    """
    golden = write_info(job, folder)
    formats = {entry.format for entry in job.files}
    values = {
        "title": job.title,
        **bundle_info(job),
        "golden": golden,
        **{form: form in formats for form in _RUNTIMES},
        "image": bool(job.manifest.preprocessing),
    }
    left_out = [name for form, name in _RUNTIMES.items() if form not in formats]
    render("cpp", folder, values, filters=_FILTERS, without=left_out)


def c_string(text: str) -> str:
    r"""Write text as a C++ literal of UTF-8 bytes.

    >>> print(c_string('a"b'), c_string("é?"))
    "a\042b" "\303\251\077"
    """
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "backslashreplace")
    )
    return f'"{plain}"'


def c_comment(text: str) -> str:
    """Write text so that a C++ comment can hold it, whatever it is."""
    return c_string(text)[1:-1]


def _float(value: float) -> str:
    """Write a number so that a compiler reads the same float."""
    return f"{float(value)!r}f"


def _joined(write: Callable[[Any], str]) -> Callable[[Sequence[Any]], str]:
    return lambda values: ", ".join(map(write, values))


_TYPES = {"bool": "boolean"}
_FILTERS: dict[str, Callable[[Any], str]] = {
    "cpp_string": c_string,
    "cpp_comment": c_comment,
    "cpp_float": _float,
    "cpp_double": lambda value: repr(float(value)),
    "cpp_floats": _joined(_float),
    "cpp_type": lambda dtype: f"Type::{_TYPES.get(dtype, dtype)}",
    "cpp_shape": _joined(lambda size: "-1" if size is None else str(size)),
}
