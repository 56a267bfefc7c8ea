"""What clients are known to do wrong with right files, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(frozen=True, slots=True)
class Known:
    """A fault of a client's."""

    package: str
    versions: tuple[str, str]
    """The first that has it, and the first that has it no more."""
    models: tuple[str, ...]
    """Patterns of the folders' names."""
    precisions: tuple[str, ...]
    reason: str


KNOWN = (
    Known(
        "ai-edge-litert",
        ("2.0", "2.1.3"),
        ("transformer-block-*", "vision-transformer"),
        ("int8",),
        "LiteRT 2.0.2 to 2.1.2 computes DIV of 8-bit integers otherwise",
    ),
    Known(
        "onnx",
        ("1.15", "2"),
        ("masked-words-*",),
        ("float32", "int8"),
        "the reference evaluator ignores the lengths of sequences (sequence_lens)",
    ),
    Known(
        "ethos-u-vela",
        ("0", "6"),
        ("lstm-gru-return_sequences", "masked-words-bidirectional-gru-gru"),
        ("int8",),
        "Vela refuses a loop that collects its outputs, whose tensors have no fixed shape",
    ),
)


def reason(versions: Mapping[str, str], model: str, precision: str) -> str:
    """Why a client is known to fail on a file; "" where it is not."""
    for known in KNOWN:
        if (
            known.package in versions
            and _number(known.versions[0])
            <= _number(versions[known.package])
            < _number(known.versions[1])
            and precision in known.precisions
            and any(fnmatch(model, pattern) for pattern in known.models)
        ):
            return known.reason
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
