"""The names that ``--to`` takes."""

from collections.abc import Iterable


def format_names() -> Iterable[str]:
    """The formats that are run anywhere."""
    from edgekit_converters import FORMATS

    return FORMATS


def all_format_names() -> Iterable[str]:
    """These, and those that are written beside them."""
    from edgekit_converters import all_formats

    return all_formats()
