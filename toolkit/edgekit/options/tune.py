"""The options of tune, declared once, as ``edgekit.options.declared`` has those of convert and validate."""

from typing import TYPE_CHECKING, Annotated

from edgekit.options.declared import (
    CardForm,
    ConvertInputs,
    EngineOptions,
    FileOptions,
    LimitOptions,
    RunOptions,
    Strictness,
)
from edgekit.options.formats import format_names
from edgekit.options.kinds import Choice, Duration, Names, Switch, Text, Whole
from edgekit.options.option import Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit_converters import Format


class TuneOptions(RunOptions, LimitOptions, FileOptions, EngineOptions, total=False):
    """The options of ``edgekit.tune``."""

    to: Annotated[
        "Format | Sequence[Format] | str",
        Option(
            Names(format_names, "FORMATS"),
            "File formats to search in, each for itself.",
            ("tflite", "onnx"),
        ),
    ]
    prefer: Annotated[
        str,
        Option(
            Choice(lambda: ("speed", "size", "accuracy"), "speed|size|accuracy"),
            "What is wanted within the limits: the fastest file, the smallest, or the most accurate of those "
            "that are faster or smaller than float32.",
            "speed",
        ),
    ]
    device: Annotated[
        str, Option(Text("DEVICE"), "Where candidates are timed and evaluated.", "cpu")
    ]
    budget: Annotated[
        float | None,
        Option(
            Duration(),
            "Search no longer than this, as 90s or 10min; then the best so far is judged.",
            default_help="until all is tried",
        ),
    ]
    integer_only: Annotated[
        bool,
        Option(
            Switch(),
            "Only files that compute in integers from end to end, for microcontrollers and NPUs.",
            False,
        ),
    ]
    frontier: Annotated[
        bool,
        Option(
            Switch(), "Evaluate all candidates, also those that cannot be chosen any more.", False
        ),
    ]
    samples: Annotated[
        int,
        Option(
            Whole(),
            "The most samples to calibrate on; as many others choose, and others judge.",
            200,
        ),
    ]
    cache: Annotated[
        bool | None,
        Option(
            Switch(),
            "Keep what was measured, so that a search that was stopped goes on.",
            default_help="yes, at most 2 GiB, unless EDGEKIT_CACHE=off",
        ),
    ]


class TuneCommand(ConvertInputs, TuneOptions, Strictness, CardForm, total=False):
    """What ``edgekit tune`` takes, and the keys of ``[tune]`` in ``edgekit.toml``."""
