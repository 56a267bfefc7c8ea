"""The target ``android``: a Gradle module with a Kotlin class, by LiteRT, and an instrumented test."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.data.samples import DataError
from edgekit.targets.info import bundle_info, write_info
from edgekit.targets.job import ExportJob
from edgekit.targets.rendering import render

_ASSETS = "src/main/assets/model"


def write_android(job: ExportJob, folder: Path) -> None:
    """Write the module's sources, and the file and the golden samples as its assets.

    Args:
        job: what is exported.
        folder: an empty one.

    Raises:
        DataError: there is more than one file, or a size of an end is open.
    """
    if len(job.files) > 1:
        names = ", ".join(entry.file for entry in job.files)
        raise DataError(f"target android takes one file, and these are {names}. Name one by files.")
    (entry,) = job.files
    for end in (*entry.inputs, *entry.outputs):
        if None in end.shape:
            raise DataError(
                f"{entry.file}: {end} has an open size, and target android needs it fixed."
            )
    assets = folder / _ASSETS
    assets.mkdir(parents=True)
    golden = write_info(job, assets)
    info = bundle_info(job)
    values = {"title": job.title, **info, "file": info["files"][0], "golden": golden}
    values["kind_of_module"] = "library"  # of Gradle's: what an app depends on
    render("android", folder, values, filters=_FILTERS)


def _string(text: str) -> str:
    r"""Write text as a Kotlin literal.

    >>> print(_string('a"b$c'), _string("é"))
    "a\u0022b\u0024c" "\u00e9"
    """
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    plain = "".join(
        chr(code) if 32 <= code < 127 and chr(code) not in '"\\$' else f"\\u{code:04x}"
        for code in codes
    )
    return f'"{plain}"'


def _float(value: float) -> str:
    return f"{float(value)!r}f"


def _floats(values: Sequence[float]) -> str:
    return ", ".join(map(_float, values))


_FILTERS: dict[str, Callable[[Any], str]] = {
    "kotlin_string": _string,
    "kotlin_float": _float,
    "kotlin_floats": _floats,
    "kotlin_double": lambda value: repr(float(value)),
    "kotlin_type": lambda dtype: f"Type.{dtype.upper()}",
    "kotlin_shape": lambda sizes: f"intArrayOf({', '.join(map(str, sizes))})",
}
