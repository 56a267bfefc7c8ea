"""``Option``: what there is to know of an option."""

from dataclasses import dataclass, field
from typing import Any

from edgekit.options.kinds import Kind


@dataclass(frozen=True, slots=True)
class Option:
    """What there is to know of an option beside its name and its type."""

    kind: Kind
    help: str
    default: Any = None
    default_help: str = ""
    """What happens by default, where the default itself does not say it."""
    short: str = field(default="", kw_only=True)
    """A second, short flag."""
    positional: bool = field(default=False, kw_only=True)
    """Whether the command takes it without a flag."""
