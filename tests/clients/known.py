"""What clients are known to do wrong with right files, each with its reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from edgekit_runtimes.formats.known_faults import FAULTS
from edgekit_runtimes.host import instruction_sets


@dataclass(frozen=True, slots=True)
class Known:
    """A fault of a client's."""

    package: str
    versions: tuple[str, str]
    """The first that has it, and the first that has it no more."""
    affects: Callable[[Path], bool]
    """Whether it is wrong with a file."""
    reason: str


def _files(models: tuple[str, ...], *precisions: str) -> Callable[[Path], bool]:
    """Files of these precisions, in folders whose names have one of these patterns."""
    return lambda path: (
        path.stem in {f"model_{precision}" for precision in precisions}
        and any(fnmatch(path.parent.name, pattern) for pattern in models)
    )


KNOWN = (
    # ONNX Runtime's and LiteRT's are those that edgekit itself warns of.
    *(
        Known(
            package,
            (fault.first, fault.fixed or "999"),
            fault.affects,
            f"{fault.runtime} {fault.what}",
        )
        for fault in FAULTS
        if not fault.processor or fault.processor & instruction_sets()
        for package in fault.packages
    ),
    Known(
        "onnx",
        ("1.15", "2"),
        _files(("masked-words-*",), "float32", "int8"),
        "the reference evaluator ignores the lengths of sequences (sequence_lens)",
    ),
    Known(
        "ethos-u-vela",
        ("0", "6"),
        _files(("lstm-gru-return_sequences", "masked-words-bidirectional-gru-gru"), "int8"),
        "Vela refuses a loop that collects its outputs, whose tensors have no fixed shape",
    ),
)


def reason(versions: Mapping[str, str], path: Path) -> str:
    """Why a client is known to fail on a file; "" where it is not."""
    for known in KNOWN:
        if (
            known.package in versions
            and _number(known.versions[0])
            <= _number(versions[known.package])
            < _number(known.versions[1])
            and known.affects(path)
        ):
            return known.reason
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
