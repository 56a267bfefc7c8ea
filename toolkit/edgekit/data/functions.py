"""Functions of the user's, named as ``module:function``."""

import importlib
import sys
from pathlib import Path
from typing import Any

from edgekit.data.samples import DataError


def names_function(text: str) -> bool:
    """Whether a text is ``module:function`` and not the path of a file.

    >>> names_function("my_package.calibration:samples"), names_function("C:/samples.npz")
    (True, False)
    """
    module, _, function = text.rpartition(":")
    return (
        module.replace(".", "").isidentifier()
        and function.isidentifier()
        and not Path(text).exists()
    )


def import_function(text: str) -> Any:
    """Import what ``module:function`` names; the module may lie in the current folder.

    >>> import_function("math:sqrt")(9)
    3.0

    Raises:
        DataError: there is no such module or function, or importing it fails.
    """
    module, _, function = text.rpartition(":")
    if str(Path.cwd()) not in sys.path:  # as `python -m` would find it
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever importing the user's code raises
        raise DataError(
            f"{text}: {type(error).__name__}: {error}. The module is looked for in this folder and on "
            "PYTHONPATH."
        ) from error
