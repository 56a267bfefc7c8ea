"""The options of push, declared once, as ``edgekit.options.declared`` has those of convert and validate."""

from typing import Annotated, TypedDict

from edgekit.options.declared import PathName, Several
from edgekit.options.kinds import File, Names, Seconds, Text
from edgekit.options.option import Option


class PushOptions(TypedDict, total=False):
    """The options of ``edgekit.push``."""

    python: Annotated[
        str | None,
        Option(
            Text("PATH"),
            "The Python there.",
            default_help="~/.edgekit/bin/python, or python3",
        ),
    ]
    install: Annotated[
        PathName | None,
        Option(
            File(),
            "First install this wheel of edgekit there, with its runtimes, into ~/.edgekit; `make wheel` "
            "makes one.",
        ),
    ]
    devices: Annotated[
        Several,
        Option(Names(), "Devices to verify and time on there, joined by commas.", ("cpu",)),
    ]
    seconds: Annotated[
        float, Option(Seconds(), "Measuring time of each file, here and there.", 1.0)
    ]
