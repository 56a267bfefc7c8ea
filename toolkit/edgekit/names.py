"""Lists of names as people write them."""

from collections.abc import Sequence


def names(value: str | Sequence[str]) -> tuple[str, ...]:
    """Read names from one text, with commas between them, or from several texts.

    >>> names("f1, top3"), names(["f1", "top3"]), names("")
    (('f1', 'top3'), ('f1', 'top3'), ())
    """
    texts = [value] if isinstance(value, str) else value
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
