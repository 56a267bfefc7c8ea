"""``TARGETS``: what ``edgekit export`` and ``edgekit inspect --target`` know. To add one: a function, and an entry here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import OptionError, nearest
from edgekit.targets.android import write_android
from edgekit.targets.cortex_m import inspect_with_arena, write_cortex_m
from edgekit.targets.cpp import write_cpp
from edgekit.targets.job import ExportJob
from edgekit.targets.web import write_web
from edgekit_converters.targets.inspection import Inspection


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of ``TARGETS``."""

    write: Callable[[ExportJob, Path], Sequence[str] | None]
    """Writes into an empty folder; returns sentences that whoever exports should read, if there are any."""
    what: str
    """What it writes."""
    formats: tuple[str, ...]
    """Those that it runs, the one that it runs best first."""
    next: str
    """What to type there."""
    note: str = ""
    """How far it was tested."""
    integer_ends: bool = False
    """Whether it takes a single int8 file, whose inputs and outputs are integers."""
    inspect: Callable[[Path], Inspection] | None = None
    """Says what the target makes of a model file, and writes nothing; None where its runtime alone knows."""
    modules: tuple[str, ...] = ()
    """What it imports, beside what every export does."""
    extra: str = ""
    """The extra of edgekit's that installs them."""
    family: str = ""
    """Of chips of one design, which ``edgekit devices`` lists in one line; their entries are alike in all
    that is shown."""


TARGETS: dict[str, Target] = {
    "web": Target(
        write_web,
        "a page and an ES module",
        formats=("tflite", "onnx"),
        next="npm install && npm start",
        note="tested in Chromium",
    ),
    "cpp": Target(
        write_cpp,
        "a C++17 program for a board",
        formats=("onnx", "tflite"),
        next="cat README.md",
        note="tested on x86-64",
    ),
    "android": Target(
        write_android,
        "a Gradle module in Kotlin",
        formats=("tflite",),
        next="cat README.md",
        note="not tested on hardware",
    ),
    "cortex-m": Target(
        write_cortex_m,
        "C++ for microcontrollers, by TensorFlow Lite Micro",
        formats=("micro", "tflite"),
        next="cat README.md",
        note="tested in qemu (Cortex-M4, M33)",
        integer_ends=True,
        inspect=inspect_with_arena,
        modules=("tflite_micro",),
        extra="micro",
    ),
}
"""Every target, by the name that ``--target`` takes."""


def find_target(name: str) -> Target:
    """The entry of a target.

    Raises:
        OptionError: there is none of that name.
    """
    if name not in TARGETS:
        raise OptionError(
            f"target={name!r} is none{nearest(name, TARGETS)}: choose from {', '.join(TARGETS)}."
        )
    return TARGETS[name]
