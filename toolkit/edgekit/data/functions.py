"""Functions of the user's, named as ``module:function``."""

import contextlib
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.data.samples import DataError
from edgekit.names import printable

_EDGEKIT = str(Path(__file__).parents[1])


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
    with users_code(text, "The module is looked for in this folder and on PYTHONPATH."):
        return getattr(importlib.import_module(module), function)


@contextlib.contextmanager
def users_code(source: str, hint: str = "") -> Iterator[None]:
    """Make an error of whatever ends the user's own code: an exception, and ``sys.exit`` too.

    Args:
        source: what the message calls the code.
        hint: what the message ends with.

    Raises:
        DataError: it raised something; the message says what, and in which line.
    """
    try:
        yield
    except (DataError, KeyboardInterrupt):
        raise
    except BaseException as error:  # it is the user's code, and may not end the process unheard
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise DataError(f"{source}: {what}{_line(error)}. {hint}".strip()) from error


def _line(error: BaseException) -> str:
    """The innermost line that is neither Python's, nor a package's, nor edgekit's."""
    others = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<", *others, _EDGEKIT)):
            return f" ({printable(frame.filename)}, line {frame.lineno})"
    return ""
