"""Systems that have no wheels of the runtimes are told so, and what to do, instead of a pip line."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgekit_runtimes
from edgekit_runtimes.engines.wheels import lacks_wheels


@pytest.mark.parametrize(
    ("machine", "bits", "libc", "words"),
    [
        ("aarch64", 64, "glibc", None),
        ("x86_64", 64, "glibc", None),
        ("armv7l", 32, "glibc", "install the 64-bit system"),
        ("aarch64", 32, "glibc", "install the 64-bit system"),  # 32-bit programs on a 64-bit kernel
        ("aarch64", 64, "musl", "python:3.12-slim instead of python:3.12-alpine"),
    ],
)
def test_which_systems_have_none(machine: str, bits: int, libc: str, words: str | None) -> None:
    reason = lacks_wheels(machine, bits, libc)

    assert reason is None if words is None else words in str(reason)


@pytest.mark.skipif(shutil.which("setarch") is None, reason="setarch is Linux's")
@pytest.mark.parametrize("file", ["m.tflite", "m.onnx"])
def test_open_model_says_so_where_no_runtime_is_installed(file: str, tmp_path: Path) -> None:
    """In a Python without runtimes, on a machine that says that it is a 32-bit one."""
    for name in ("numpy", "numpy.libs"):
        (tmp_path / name).symlink_to(Path(np.__file__).parents[1] / name)
    (tmp_path / file).touch()
    paths = [str(tmp_path), str(Path(edgekit_runtimes.__file__).parents[1])]
    code = (
        f"import sys; sys.path[:0] = {paths}; import edgekit_runtimes as r\n"
        f"try: r.open_model({str(tmp_path / file)!r})\n"
        "except r.RuntimeMissing as error: print(error)"
    )
    python = [sys.executable, "-I", "-S", "-c", code]

    here = subprocess.run(python, capture_output=True, text=True, check=True).stdout
    on_32_bits = ["setarch", "i686", *python]
    there = subprocess.run(on_32_bits, capture_output=True, text=True, check=True).stdout

    assert "pip install" in here and "32-bit" not in here
    assert "no wheels of LiteRT or ONNX Runtime for 32-bit systems (i686)" in there
