"""What the processor is called."""

import functools
import os
from pathlib import Path


@functools.cache
def processor_name() -> str:
    """The processor's name as the system tells it: ``AMD EPYC``, ``Cortex-A72``, ``arm64``."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = dict(line.partition("\t")[::2] for line in lines)
    for key in ("model name", "Model", "Hardware"):
        if found := named.get(key, "").strip(" \t:"):
            return found
    return machine()


def exact_int8() -> bool:
    """Whether 8-bit products are summed up without saturating.

    x86 before VNNI sums pairs of them in 16 bits, where the largest do not fit. Kernels that use that
    instruction answer wrongly there, without a word.
    """
    if machine().lower() not in ("x86_64", "amd64"):
        return True
    return bool(instruction_sets() & {"avx_vnni", "avx512_vnni", "amx_int8"})


@functools.cache
def instruction_sets() -> frozenset[str]:
    """The processor's instruction sets, by Linux's names; none where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    told = (line.partition(":") for line in lines)
    return frozenset(
        flag
        for key, _, flags in told
        if key.strip() in ("flags", "Features")
        for flag in flags.split()
    )


def machine() -> str:
    """The processor's kind: ``x86_64``, ``aarch64``, ... (without importing ``platform``)."""
    return os.uname().machine if hasattr(os, "uname") else os.environ["PROCESSOR_ARCHITECTURE"]
