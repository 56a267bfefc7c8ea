"""Where the runtimes have no wheels: 32-bit systems and musl."""

import sys
import sysconfig

from edgekit_runtimes.host import machine


def no_wheels_here() -> str | None:
    """Why pip finds no runtime for this Python, and what to do; None where it does."""
    libc = "musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "glibc"
    return lacks_wheels(machine(), 64 if sys.maxsize > 2**32 else 32, libc)


def lacks_wheels(machine: str, bits: int, libc: str) -> str | None:
    """Why there are no wheels of LiteRT and ONNX Runtime for a Linux system, and what to do instead.

    >>> print(lacks_wheels("aarch64", 64, "glibc"))
    None

    Args:
        machine: as ``uname -m`` has it; of the kernel.
        bits: of the programs: 32 on a 32-bit system, whatever its kernel.
        libc: ``glibc`` or ``musl``.
    """
    if bits == 32 or machine in ("armv6l", "armv7l", "i686"):
        return (
            f"There are no wheels of LiteRT or ONNX Runtime for 32-bit systems ({machine}). Where the "
            "processor is a 64-bit one (Raspberry Pi 3, 4, 5 and Zero 2 are), install the 64-bit system: "
            "Raspberry Pi OS (64-bit) in Raspberry Pi Imager. Otherwise run model_int8.tflite in C++: "
            "LiteRT is built for 32-bit ARM from source."
        )
    if libc == "musl":
        return (
            "There are no wheels of LiteRT or ONNX Runtime for systems with musl (Alpine, some OpenWrt). "
            "Use a system with glibc: Debian, Ubuntu, Raspberry Pi OS; or in a container the image "
            "python:3.12-slim instead of python:3.12-alpine."
        )
    return None
