"""``edgekit doctor``: whether what is installed on this machine works together."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from edgekit.project import FILE, ProjectError, read_project
from edgekit_runtimes.base import EXTRA
from edgekit_runtimes.formats.known_faults import installed_faults
from edgekit_runtimes.known_files import cache_folder

PROJECT = "edgekit-toolkit"

EXTRAS: dict[str, str] = {
    "litert": "run .tflite files",
    "onnx": "run .onnx files",
    "openvino": "run both by OpenVINO",
    "images": "images as input",
    "convert": "convert and tune Keras models",
    "validate": "the gate, without conversion",
    "verify": "check signatures",
    "sign": "sign folders",
    "serve": "answer over HTTP",
    "cluster": "work on other machines",
    "micro": "the kernels of microcontrollers",
    "qnn": "run on Snapdragon's NPU",
    "ethos-u": "compile for Arm's Ethos-U",
    "qualcomm": "compile for Snapdragon",
    "webgpu": "WebGPU by ONNX Runtime",
}
"""What each extra is for, in a user's words; those that only edgekit's own tests need are left out."""

_RUNTIMES = ("litert", "onnx", "openvino")

_SAME_MODULE = (
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
    ("tensorflow", "tensorflow-cpu", "tf-nightly"),
    ("ai-edge-litert", "ai-edge-litert-nightly"),
    ("keras", "keras-nightly"),
)
"""Distributions that write into one folder: of two, what runs is a mixture of both."""

_LEAST_FREE = 2_000_000_000
"""Bytes among the temporary files: a conversion of a large model keeps several copies there."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra, as it is here."""

    name: str
    what: str
    """What it is for."""
    missing: tuple[str, ...] = ()
    """Distributions of it that are not installed."""
    unfit: tuple[str, ...] = ()
    """Those that are, in a version that does not fit, as a sentence each."""
    here: bool = True
    """Whether this system can have it."""

    @property
    def ready(self) -> bool:
        """Whether all of it is here."""
        return self.here and not self.missing and not self.unfit

    @property
    def add(self) -> str:
        """The line that installs it."""
        return EXTRA.format(self.name)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands in the way."""

    what: str
    do: str
    """What to type, or to change."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found on this machine."""

    versions: dict[str, str]
    """Of edgekit, then of each distribution that an extra names, where it is installed."""
    system: str
    """Python and the operating system."""
    extras: tuple[Extra, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.findings


def diagnose() -> Diagnosis:
    """Look at what is installed on this machine, without importing any of it."""
    extras = tuple(map(_extra, EXTRAS))
    findings = tuple(finding for check in CHECKS for finding in check(extras))
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Diagnosis(
        _versions(), f"Python {platform.python_version()}, {machine}", extras, findings
    )


def _python(extras: Sequence[Extra]) -> Iterator[Finding]:  # noqa: ARG001
    wanted = metadata.metadata(PROJECT)["Requires-Python"]
    if not SpecifierSet(wanted).contains(platform.python_version()):
        yield Finding(
            f"Python {platform.python_version()} runs this, and edgekit needs {wanted}.",
            "python3.12 -m venv .venv, and install into that",
        )


def _unfit(extras: Sequence[Extra]) -> Iterator[Finding]:
    for extra in extras:
        for sentence in extra.unfit:
            yield Finding(sentence, f"pip install --upgrade '{PROJECT}[{extra.name}]'")


def _no_runtime(extras: Sequence[Extra]) -> Iterator[Finding]:
    if not any(extra.ready for extra in extras if extra.name in _RUNTIMES):
        yield Finding("No runtime is installed: no model file can be run.", EXTRA.format("litert"))


def _mixtures(extras: Sequence[Extra]) -> Iterator[Finding]:  # noqa: ARG001
    for names in _SAME_MODULE:
        there = [name for name in names if _installed(name)]
        if len(there) > 1:
            yield Finding(
                f"{' and '.join(there)} are installed, and write into one folder: what runs is a mixture.",
                f"pip uninstall {' '.join(there)}, then install the one that you want",
            )


def _faults(extras: Sequence[Extra]) -> Iterator[Finding]:  # noqa: ARG001
    for found in installed_faults():
        if found.fault.fixed:
            package = next(name for name in found.fault.packages if _installed(name))
            yield Finding(str(found), f"pip install --upgrade '{package}>={found.fault.fixed}'")


def _settings(extras: Sequence[Extra]) -> Iterator[Finding]:  # noqa: ARG001
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        yield Finding(
            f"KERAS_BACKEND={backend}: conversion needs Keras on TensorFlow.", "unset KERAS_BACKEND"
        )
    if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() in ("1", "true"):
        yield Finding(
            "TF_USE_LEGACY_KERAS makes TensorFlow load Keras 2: models of Keras 3 cannot be read.",
            "unset TF_USE_LEGACY_KERAS",
        )


def _folders(extras: Sequence[Extra]) -> Iterator[Finding]:  # noqa: ARG001
    folder = cache_folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            f"{folder} cannot be written: what is found out about files is found out each time again.",
            "set XDG_CACHE_HOME to a folder of yours",
        )
    scratch = Path(tempfile.gettempdir())
    free = shutil.disk_usage(scratch).free
    if free < _LEAST_FREE:
        yield Finding(
            f"{scratch} has {free / 1e9:.1f} GB left: a conversion of a large model keeps several copies there.",
            "set TMPDIR to a folder on a larger disk",
        )


def _project(extras: Sequence[Extra]) -> Iterator[Finding]:  # noqa: ARG001
    try:
        read_project(Path(FILE))
    except ProjectError as error:
        yield Finding(str(error), f"mend {FILE}")


CHECKS: tuple[Callable[[Sequence[Extra]], Iterator[Finding]], ...] = (
    _python,
    _no_runtime,
    _unfit,
    _mixtures,
    _faults,
    _settings,
    _folders,
    _project,
)
"""Each yields what it finds, most urgent first; one more function is one more check."""


def _extra(name: str) -> Extra:
    missing, unfit = [], []
    wanted = list(_requirements(name))
    for requirement in wanted:
        version = _installed(requirement.name) or _stand_in(requirement.name)
        if version is None:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(version, prereleases=True):
            unfit.append(
                f"{requirement.name} {version} is installed, and {requirement.specifier} is needed."
            )
    return Extra(name, EXTRAS[name], tuple(missing), tuple(unfit), here=bool(wanted))


def _requirements(extra: str) -> Iterator[Requirement]:
    """What an extra needs on this system."""
    here = {name: str(value) for name, value in default_environment().items()}
    without, having = {**here, "extra": ""}, {**here, "extra": extra}
    for line in metadata.requires(PROJECT) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and marker.evaluate(having) and not marker.evaluate(without):
            yield requirement


def _stand_in(name: str) -> str | None:
    """The version of another distribution that gives the same module."""
    others = next((names for names in _SAME_MODULE if name in names), ())
    return next((version for other in others if (version := _installed(other))), None)


@cache
def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> dict[str, str]:
    names = {requirement.name for extra in EXTRAS for requirement in _requirements(extra)}
    names_in_order = (PROJECT, *sorted(names))
    return {name: version for name in names_in_order if (version := _installed(name))}
