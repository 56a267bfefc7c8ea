"""Names as people write them, and as they can be printed."""

import os
from collections.abc import Sequence
from math import isfinite


def names(value: str | Sequence[str]) -> tuple[str, ...]:
    """Read names from one text, with commas between them, or from several texts.

    >>> names("f1, top3"), names(["f1", "top3"]), names("")
    (('f1', 'top3'), ('f1', 'top3'), ())
    """
    texts = [value] if isinstance(value, str) else value
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def class_name(number: float, names: Sequence[str]) -> str:
    """Return the name of a class; its number where it has none, as where a detector says NaN.

    >>> class_name(1.0, ["cat", "dog"]), class_name(2, ["cat", "dog"]), class_name(float("nan"), ["cat"])
    ('dog', '2', 'nan')
    """
    if not isfinite(number):
        return str(number)
    at = round(number)
    return names[at] if 0 <= at < len(names) else str(at)


def printable(path: str | os.PathLike[str]) -> str:
    r"""Make a path a text that can be printed and written as UTF-8.

    On Linux a name is bytes, and Python keeps those that are not UTF-8 as characters that nothing prints.

    >>> printable("caf\udce9.npz"), printable("out/model.keras")
    ('caf\\xe9.npz', 'out/model.keras')
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")
