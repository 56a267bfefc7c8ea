"""How the command ends: by signals, on pipes that nobody reads, full disks and closed streams."""

import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgekit.bundle.folder import workplace
from edgekit.cli.main import main

SLOW = partial(pytest.param, marks=pytest.mark.slow)
ENDLESS = """
import time
import numpy as np

def rows():
    while True:
        yield {"image": np.zeros((8, 8, 1), np.float32)}
        time.sleep(0.05)
"""


def edgekit(*arguments: object, **how: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how},
    )


def until(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    while words not in process.stderr.readline():
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, SLOW(signal.SIGHUP)])
def test_a_signal_leaves_neither_samples_nor_logs(
    number: signal.Signals, converted: Path, tmp_path: Path
) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = edgekit(
        "validate", converted / "model_float32.tflite", converted / "model_int8.tflite",
        "--data", "endless:rows", "--samples", 100_000, "--verbose",
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    until(process, "reading samples")
    assert list(temporary.iterdir())

    process.send_signal(number)
    _, said = process.communicate(timeout=30)

    assert process.returncode == 128 + number
    assert "Terminated" in said
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []


def test_a_killed_conversion_leaves_nothing_in_its_folder_and_the_next_removes_the_rest(
    digits: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = edgekit(
        "convert", digits / "cnn.keras", "--data", digits / "calib.npz", "-o", output, "--verbose"
    )
    until(process, "loading TensorFlow")
    process.kill()
    process.communicate()
    assert list(output.iterdir()) == []
    assert len(list(tmp_path.glob(".edgekit-*"))) == 1

    with workplace(output) as scratch:
        assert list(tmp_path.glob(".edgekit-*")) == [scratch]


def test_a_second_conversion_into_the_same_folder_is_refused(digits: Path, tmp_path: Path) -> None:
    with workplace(tmp_path / "out"):
        result = CliRunner().invoke(
            main,
            ["convert", str(digits / "cnn.keras"), "--data", str(digits / "calib.npz"),
             "-o", str(tmp_path / "out")],
        )  # fmt: skip

    assert result.exit_code == 2
    assert "out: another edgekit is writing into this folder." in result.stderr


@pytest.mark.parametrize(
    ("limit", "status"), [SLOW("sqnr=1", 0), ("sqnr=900", 1)], ids=["passes", "fails"]
)
def test_a_reader_that_goes_away_changes_no_verdict(
    limit: str, status: int, converted: Path, digits: Path
) -> None:
    unread, end = os.pipe()
    os.close(unread)
    process = edgekit(
        "validate", converted / "model_float32.tflite", converted / "model_int8.tflite",
        "--data", digits / "eval.npz", "--samples", 50, "--min", limit, stdout=end,
    )  # fmt: skip
    os.close(end)

    assert process.communicate(timeout=60) == (None, "")
    assert process.returncode == status


def test_head_ends_a_run_quietly(converted: Path, digits: Path) -> None:
    process = edgekit(
        "run", converted / "model_int8.tflite", "--data", digits / "eval.npz", "--count", 400
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(60) == 0
    assert "400 samples" in said
    assert "roken pipe" not in said


@pytest.mark.parametrize("arguments", [("run",), ("--help",)], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_an_error(
    arguments: tuple[str, ...], converted: Path, digits: Path
) -> None:
    if arguments == ("run",):
        arguments = (*arguments, f"{converted}/model_int8.tflite", "--data", f"{digits}/eval.npz")
    with open("/dev/full", "w") as full:
        process = edgekit(*arguments, stdout=full)
        _, said = process.communicate(timeout=60)

    assert said.endswith("Error: standard output cannot be written: No space left on device.\n")
    assert process.returncode == 3


@pytest.mark.parametrize("closed", [SLOW((1,)), (0, 1, 2)], ids=str)
def test_closed_streams_change_neither_status_nor_files(
    closed: tuple[int, ...], converted: Path, digits: Path, tmp_path: Path
) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    process = edgekit(
        "validate", converted / "model_float32.tflite", converted / "model_int8.tflite",
        "--data", digits / "eval.npz", "--samples", 50, "--junit", tmp_path / "out.xml",
        preexec_fn=close,
    )  # fmt: skip
    shown, said = process.communicate(timeout=60)

    assert process.returncode == 0
    assert said == ""
    assert ("model_int8.tflite" in shown) == (1 not in closed)
    assert (tmp_path / "out.xml").read_text().startswith("<?xml")


def test_a_run_needs_no_standard_error(converted: Path, digits: Path) -> None:
    process = edgekit(
        "run", converted / "model_int8.tflite", "--data", digits / "eval.npz", "--count", 2,
        preexec_fn=partial(os.close, 2),
    )  # fmt: skip
    shown, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (0, "")
    assert len(shown.splitlines()) >= 2


def test_a_message_that_cannot_be_written_keeps_its_status() -> None:
    with open("/dev/full", "w") as full:
        for arguments in (
            ["run", "nowhere.tflite", "--data", "x"],
            ["validate", "a", "b", "--data", "c.npz"],
        ):
            process = edgekit(*arguments, stderr=full)
            assert process.communicate(timeout=60) == ("", None)
            assert process.returncode == 2


def test_a_terminal_shows_which_step_of_how_many_and_a_pipe_does_not(
    converted: Path, digits: Path
) -> None:
    main_end, terminal = pty.openpty()
    process = edgekit(
        "validate", converted / "model_float32.tflite", converted / "model_int8.tflite",
        "--data", digits / "eval.npz", stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    try:
        while block := os.read(main_end, 4096):
            shown += block
    except OSError:  # how Linux says that the other end is closed
        pass
    assert process.stdout is not None
    table = process.stdout.read()
    assert process.wait(60) == 0

    assert b"of 7" in shown
    assert b"running" in shown
    assert "of 7" not in table
    assert "model_int8.tflite" in table
