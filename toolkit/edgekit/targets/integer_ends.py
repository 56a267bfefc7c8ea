"""Which file of a folder a chip takes: int8, with integers at both ends."""

from collections.abc import Sequence
from pathlib import Path

from edgekit.bundle.manifest import FileEntry
from edgekit.data.samples import DataError
from edgekit.names import printable


def integer_file(
    entries: Sequence[FileEntry], source: Path, target: str, original: str
) -> FileEntry:
    """Return the first entry whose file computes in int8 and takes and gives integers.

    Args:
        entries: those that the target could run, the best first.
        source: the folder, for the message.
        target: its name, for the message.
        original: the model that they were made from, for the message.

    Raises:
        DataError: there is none; the message has what to type.
    """
    for entry in entries:
        if entry.precision == "int8" and not _real_ends(entry):
            return entry
    there = "; ".join(f"{entry.file}: {_why_not(entry)}" for entry in entries)
    raise DataError(
        f"{printable(source)}: target {target} takes an int8 .tflite file with integer ends, and there is none "
        f"({there}). Convert again: edgekit convert {original} --data SAMPLES --precision int8 --io int8 "
        f"-o {printable(source)}"
    )


def _real_ends(entry: FileEntry) -> list[str]:
    ends = (*entry.inputs, *entry.outputs)
    return [end.name for end in ends if end.dtype.startswith(("float", "bfloat"))]


def _why_not(entry: FileEntry) -> str:
    if entry.precision != "int8":
        return entry.precision
    return f"float32 ends {', '.join(_real_ends(entry))}"
