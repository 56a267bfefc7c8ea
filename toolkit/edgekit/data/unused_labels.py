"""Arrays and columns that look like labels and are not used as such."""

import re
from collections.abc import Iterable

_LOOKS_LIKE_LABELS = re.compile(
    r"(y|labels?|targets?|class(es)?|categor(y|ies)|(ground_?)?truths?|y_.+|.+_(labels?|class|target))",
    re.IGNORECASE,
)


def unused_labels(available: Iterable[str], used: Iterable[str], source: str) -> tuple[str, ...]:
    """Warn of arrays or columns whose names look like labels' names and that nothing reads.

    >>> unused_labels(["x", "class"], ["x"], "samples.csv")[0].partition(". ")[0]
    "samples.csv: 'class' looks like labels and is not used"

    Args:
        available: the names in the data.
        used: those of inputs and of labels.
        source: for the message.
    """
    names = sorted(set(available) - set(used))
    unused = [repr(name) for name in names if _LOOKS_LIKE_LABELS.fullmatch(name)]
    if not unused:
        return ()
    verbs = ("looks", "is") if len(unused) == 1 else ("look", "are")
    return (
        f"{source}: {', '.join(unused)} {verbs[0]} like labels and {verbs[1]} not used. Labels are called y, "
        "or y_OUTPUT for the output OUTPUT; y is for all outputs",
    )
