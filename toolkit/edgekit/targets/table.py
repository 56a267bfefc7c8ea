"""``TARGETS``: what ``edgekit export`` and ``edgekit inspect --target`` know. To add one: a function, and an entry here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgekit.errors import OptionError, nearest
from edgekit.targets.android import write_android
from edgekit.targets.compiled import Compiler, inspect_compiled, write_compiled
from edgekit.targets.cortex_m import inspect_with_arena, write_cortex_m
from edgekit.targets.cpp import write_cpp
from edgekit.targets.job import ExportJob
from edgekit.targets.web import write_web
from edgekit_converters.targets.compiled import NEVER_RUN
from edgekit_converters.targets.inspection import Inspection
from edgekit_converters.targets.openvino import INTEL_NPUS, compile_with_openvino
from edgekit_converters.targets.qualcomm import QUALCOMM, compile_for_qualcomm
from edgekit_converters.targets.vela import ETHOS_U, compile_for_ethos_u


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


_ETHOS_U = Compiler("ethos-u", compile_for_ethos_u, ("ethos-u-vela",))
_QUALCOMM = Compiler("qualcomm", compile_for_qualcomm, ("ai-edge-litert", "onnxruntime-qnn"))
_OPENVINO = Compiler("openvino", compile_with_openvino, ("openvino",), suffix=".blob")


def _ethos_u(chip: str) -> Target:
    return Target(
        partial(write_compiled, _ETHOS_U, (chip,)),
        "a file for Arm's NPU, compiled by Vela",
        formats=("micro", "tflite"),
        next="cat README.md",
        note=NEVER_RUN,
        integer_ends=True,
        inspect=partial(inspect_compiled, _ETHOS_U, chip),
        modules=("ethosu", "ai_edge_litert"),
        extra="ethos-u",
        family="ethos-u",
    )


def _qualcomm(chip: str) -> Target:
    return Target(
        partial(write_compiled, _QUALCOMM, (chip,)),
        "files for a Snapdragon's NPU",
        formats=("tflite", "onnx"),
        next="cat README.md",
        note=NEVER_RUN,
        inspect=partial(inspect_compiled, _QUALCOMM, chip),
        modules=("ai_edge_litert", "onnxruntime", "onnxruntime_qnn"),
        extra="qualcomm",
        family="qualcomm",
    )


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
        note="tested on a Cortex-M4 of qemu's",
        integer_ends=True,
        inspect=inspect_with_arena,
        modules=("tflite_micro",),
        extra="micro",
    ),
    **{chip: _ethos_u(chip) for chip in ETHOS_U},
    **{chip: _qualcomm(chip) for chip in QUALCOMM},
    "openvino": Target(
        partial(write_compiled, _OPENVINO, tuple(INTEL_NPUS)),
        "blobs for Intel's NPUs",
        formats=("onnx",),
        next="cat README.md",
        note=f"{NEVER_RUN}; needs a compiler that the package from PyPI lacks",
        inspect=partial(inspect_compiled, _OPENVINO, next(iter(INTEL_NPUS))),
        modules=("openvino", "onnx"),
        extra="openvino",
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
