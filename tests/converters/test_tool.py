"""A compiler in a child process: what it prints when it fails, and what is left of it."""

import sys
import time
from pathlib import Path

import pytest

from edgekit_converters.targets.inspection import TargetError
from edgekit_converters.targets.tool import run_tool


def test_what_it_prints_is_returned(tmp_path: Path) -> None:
    said = run_tool("it", [sys.executable, "-c", "print('hello')"], tmp_path, seconds=60)
    assert said.strip() == "hello"


def test_a_crash_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    program = "import os; print('deep inside', flush=True); os.abort()"
    with pytest.raises(TargetError, match="it crashed") as caught:
        run_tool("it", [sys.executable, "-c", program], tmp_path, seconds=60)
    assert "deep inside" in caught.value.__notes__[0]


def test_an_error_names_what_the_tool_said_last(tmp_path: Path) -> None:
    program = "print('Error: no such operator'); print('bye'); raise SystemExit(3)"
    with pytest.raises(TargetError, match="exit status 3: Error: no such operator"):
        run_tool("it", [sys.executable, "-c", program], tmp_path, seconds=60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills the process alone")
def test_what_it_started_is_killed_with_it(tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    endless = f"while True: open({str(grown)!r}, 'a').write('x'); __import__('time').sleep(0.05)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {endless!r}])"
    with pytest.raises(TargetError, match="did not end within"):
        run_tool("it", [sys.executable, "-c", program], tmp_path, seconds=3)
    assert grown.exists()
    size = grown.stat().st_size
    time.sleep(0.5)
    assert grown.stat().st_size == size
