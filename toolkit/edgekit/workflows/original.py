"""What a user calls "my model": a path, module:function, a SavedModel folder, or a Keras object."""

from pathlib import Path
from typing import Any

from edgekit.names import printable


def source_of(model: Any, scratch: Path) -> str:
    """Return what a child process can open: the path or name as given, or the file that an object is saved to.

    Args:
        model: a path, ``module:function``, or a Keras model.
        scratch: a folder for the saved object.
    """
    if isinstance(model, (str, Path)):
        return str(model)
    path = scratch / "model.keras"
    model.save(path)
    return str(path)


def name_of(model: Any) -> str:
    """Return what a report calls the model: the path, or the class of an object."""
    return printable(model) if isinstance(model, (str, Path)) else type(model).__name__
