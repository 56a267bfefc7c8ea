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


def machine() -> str:
    """The processor's kind: ``x86_64``, ``aarch64``, ... (without importing ``platform``)."""
    return os.uname().machine if hasattr(os, "uname") else os.environ["PROCESSOR_ARCHITECTURE"]
