"""Releases of runtimes that are known to compute wrongly, and what a file must hold to be affected."""

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.formats import fault_conditions
from edgekit_runtimes.formats.release import release
from edgekit_runtimes.host import instruction_sets

ONNX_RUNTIME = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
LITERT = ("ai-edge-litert",)
_MODULES = {ONNX_RUNTIME: "onnxruntime", LITERT: "ai_edge_litert"}


class KnownFault(UserWarning):
    """An installed runtime is known to compute a file wrongly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of ``FAULTS``."""

    packages: tuple[str, ...]
    """The distributions that have it: ``ONNX_RUNTIME`` or ``LITERT``."""

    runtime: str
    first: str
    """The first release with it."""

    fixed: str | None
    """The first one without it; None: there is none yet."""

    what: str
    """What is computed wrongly, as a sentence goes on after the runtime's name."""

    affects: Callable[[Path], bool]
    """Whether a file that such a runtime opens holds it."""

    processor: frozenset[str] = frozenset()
    """The instruction sets of which a processor must have one; none: all processors."""

    source: str
    """Where it is reported, or how it was found."""


FAULTS: list[Fault] = [
    Fault(
        packages=ONNX_RUNTIME,
        runtime="ONNX Runtime",
        first="1.20",
        fixed="1.32",
        what="takes zeros around values that may be negative for the padding of the max pooling behind "
        "them, and leaves them out",
        affects=fault_conditions.pads_before_max_pools,
        source="found with each minor release from 1.15 to 1.32; PadFusion, microsoft/onnxruntime#18136",
    ),
    Fault(
        packages=ONNX_RUNTIME,
        runtime="ONNX Runtime",
        first="1.21",
        fixed="1.25",
        what="multiplies quantized matrices of 24 or 28 columns wrongly by AMX",
        affects=fault_conditions.narrow_products,
        processor=frozenset({"amx_int8"}),
        source="microsoft/onnxruntime#26324, mended by microsoft/onnxruntime#27671",
    ),
    Fault(
        packages=ONNX_RUNTIME,
        runtime="ONNX Runtime",
        first="1.21",
        fixed="1.25",
        what="multiplies quantized matrices of more than four rows wrongly by AVX-VNNI-INT8",
        affects=fault_conditions.products,
        processor=frozenset({"avx_vnni_int8"}),
        source="microsoft/onnxruntime#27671, which mended it",
    ),
    Fault(
        packages=ONNX_RUNTIME,
        runtime="ONNX Runtime",
        first="1.18",
        fixed="1.19",
        what="reads the lengths of sequences from memory that it has used for something else",
        affects=fault_conditions.lengths,
        source="found with 1.18.1; 1.17.3 and 1.19.2 are right",
    ),
    Fault(
        packages=ONNX_RUNTIME,
        runtime="ONNX Runtime",
        first="1.17",
        fixed="1.18",
        what="computes dense layers of 16-bit activations wrongly",
        affects=fault_conditions.wide_integers,
        source="found with 1.17.3; 1.18.1 is right, and 1.16 opens no such file",
    ),
    Fault(
        packages=LITERT,
        runtime="LiteRT",
        first="1.1",
        fixed="1.4",
        what="refuses some convolutions with float16 weights, and computes others wrongly",
        affects=fault_conditions.half_convolutions,
        source="found with 1.1.2, 1.2 and 1.3; 1.0.1 and 1.4 are right",
    ),
    Fault(
        packages=LITERT,
        runtime="LiteRT",
        first="2.0",
        fixed="2.1.3",
        what="multiplies int8 matrices that are both computed wrongly (BATCH_MATMUL by XNNPACK)",
        affects=fault_conditions.integer_matrix_products,
        source="found with each release from 2.0.2 to 2.1.2; 1.4 and 2.1.3 are right",
    ),
    Fault(
        packages=LITERT,
        runtime="LiteRT",
        first="1.4",
        fixed="2.1.6",
        what="refuses to divide by an int8 value whose integer is 0, whatever its zero point",
        affects=fault_conditions.divides_integers,
        source="found with each release from 1.4 to 2.3",
    ),
    Fault(
        packages=LITERT,
        runtime="LiteRT",
        first="1.4",
        fixed=None,
        what="divides int8 values that are negative and small, and gets the lowest value there is",
        affects=fault_conditions.divides_integers,
        source="found with each release from 1.4 to 2.3",
    ),
]
"""One more entry is one more fault that ``open_model`` warns of and ``edgekit devices`` lists."""


@dataclass(frozen=True, slots=True)
class InstalledFault:
    """A fault of a runtime that is installed here, on a processor that has it."""

    fault: Fault
    version: str

    def __str__(self) -> str:
        fault = self.fault
        end = f"Mended in {fault.fixed}." if fault.fixed else "No release has mended it."
        return f"{fault.runtime} {self.version} {fault.what} ({fault.source}). {end}"


def installed_faults(packages: Sequence[str] | None = None) -> list[InstalledFault]:
    """The faults of the runtimes that are installed here, on this processor.

    Args:
        packages: only of these distributions.
    """
    versions = {
        names: _installed(names)
        for names in _MODULES
        if packages is None or set(names) & set(packages)
    }
    return [
        InstalledFault(fault, version)
        for fault in FAULTS
        if (version := versions.get(fault.packages)) and _has(fault, version)
    ]


def faults_of(path: Path, packages: Sequence[str]) -> list[InstalledFault]:
    """The faults of installed runtimes that a file's outputs suffer from.

    Args:
        path: the file.
        packages: the distributions that run it.
    """
    found = []
    for installed in installed_faults(packages):
        try:
            if installed.fault.affects(path):
                found.append(installed)
        except (ModelError, OSError):  # a file of another kind, or one gone meanwhile
            continue
    return found


_warned: set[tuple[str, str]] = set()


def warn_of_faults(path: Path, packages: Sequence[str]) -> None:
    """Warn, once for each file, of what an installed runtime computes wrongly in it."""
    for installed in faults_of(path, packages):
        key = str(path), installed.fault.what
        if key not in _warned:
            _warned.add(key)
            warnings.warn(f"{path}: {installed}", KnownFault, stacklevel=4)


def _has(fault: Fault, version: str) -> bool:
    if fault.processor and not fault.processor & instruction_sets():
        return False
    late = fault.fixed is not None and release(version) >= release(fault.fixed)
    return release(version) >= release(fault.first) and not late


def _installed(packages: tuple[str, ...]) -> str | None:
    """The version of the first of these distributions that is installed."""
    module = sys.modules.get(_MODULES[packages])
    if version := getattr(module, "__version__", None):
        return str(version)
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as find_version

    for package in packages:
        try:
            return find_version(package)
        except PackageNotFoundError:
            continue
    return None
