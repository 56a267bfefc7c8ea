"""``edgekit inspect FILE --target``: what a target would make of a model file."""

from pathlib import Path

from edgekit.bundle.packages import require
from edgekit.data.samples import DataError
from edgekit.errors import OptionError
from edgekit.names import printable
from edgekit.targets.table import TARGETS, find_target
from edgekit_converters.targets.inspection import Inspection


def inspect_for(file: str | Path, target: str) -> Inspection:
    """Say which operators of a file a target would run, where, and what to change in the model; write nothing.

    Args:
        file: a model file.
        target: a name of ``TARGETS``, of those that know.

    Raises:
        OptionError: there is no such target, or it knows nothing of operators.
        DataError: the file is of a kind that the target does not take.
        TargetError: the target's tools cannot read it.
        RuntimeMissing: they are not installed.
    """
    file, chosen = Path(file), find_target(target)
    if chosen.inspect is None:
        able = [name for name, entry in TARGETS.items() if entry.inspect]
        raise OptionError(
            f"target={target!r} says nothing of operators before it runs there. Choose from "
            f"{', '.join(able) or 'no target yet'}, or name a device of edgekit devices."
        )
    suffixes = sorted({_suffix(form) for form in chosen.formats})
    if file.suffix not in suffixes:
        raise DataError(f"{printable(file)}: target {target} takes {' and '.join(suffixes)} files.")
    require(chosen.modules, f"target {target}", chosen.extra)
    return chosen.inspect(file)


def _suffix(form: str) -> str:
    from edgekit_converters import all_formats

    formats = all_formats()
    return formats[form].suffix if form in formats else f".{form}"
