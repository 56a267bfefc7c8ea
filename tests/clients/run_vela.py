"""A client: Vela, the compiler for Arm's Ethos-U NPUs. It runs nothing: it says what the NPU takes.

The last of the versions that it tells is the accelerator; ``CLIENTS_NPU`` names it.
"""

import csv
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from protocol import Case, serve

NPU = os.environ["CLIENTS_NPU"]


def compile_for_npu(path: Path, case: Case, folder: Path) -> dict[str, Any]:
    """Compiles a file; returns the kinds of operators that stay on the processor."""
    vela = Path(sys.executable).with_name("vela")
    with tempfile.TemporaryDirectory() as compiled:
        command = [vela, path, "--accelerator-config", NPU, "--output-dir", compiled]
        done = subprocess.run(
            [*command, "--verbose-performance"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(_reason(done.stdout + done.stderr))
        (table,) = Path(compiled).glob("*_per-layer.csv")
        with table.open() as rows:
            left = [r["Original Operator"] for r in csv.DictReader(rows) if r["Target"] == "CPU"]
    return {"on_cpu": left}


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if "Error" in line] or output.splitlines()
    return lines[-1]


serve({"ethos-u-vela": version("ethos-u-vela"), "npu": NPU}, compile_for_npu)
