"""What the machine and the libraries are: recorded beside every figure."""

import platform
from importlib import metadata

from edgekit_runtimes.devices import runtime_packages
from edgekit_runtimes.host import instruction_sets, processor_name

_PACKAGES = (
    "edgekit-toolkit",
    "numpy",
    "litert-quantizer",
    "onnx",
    "tf2onnx",
)  # and those of the runtimes
# What decides how int8 is computed: VNNI, AMX and ARM's dot products sum in 32 bits, where AVX2 alone
# can saturate in 16.
_TELLING = (
    "sse4_1",
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
)


def versions() -> dict[str, str]:
    """Return the version of each library that had a part, where it is installed."""
    installed = {}
    for name in (*_PACKAGES, *runtime_packages()):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), **installed}


def processor() -> dict[str, str | list[str]]:
    """The processor's architecture, name and instruction sets that matter to int8."""
    return {
        "architecture": platform.machine(),
        "name": processor_name(),
        "instruction_sets": [flag for flag in _TELLING if flag in instruction_sets()],
    }
