"""Scratch folders: gone however a process ends, and never taken from one that lives."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from edgekit.bundle.folder import OutputInUse, publish, workplace
from edgekit.scratch import scratch_folder
from edgekit_runtimes.bundle.private_folder import remove_stale

USER = """
import sys, time
from pathlib import Path
from edgekit.scratch import scratch_folder

with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "samples.raw").write_bytes(b"private")
    print("here", flush=True)
    time.sleep(60)
"""
PREFIX = ".edgekit-"


@contextmanager
def user_of(parent: Path, ignoring: int | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A process that uses a scratch folder in ``parent``."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, parent],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, ignoring, signal.SIG_IGN) if ignoring else None,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_ends_the_process_takes_the_folder_with_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    with user_of(tmp_path) as process:
        assert list(tmp_path.glob(f"{PREFIX}*/samples.raw"))
        process.send_signal(number)

        assert process.wait(20) == -number
    assert list(tmp_path.iterdir()) == []


def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As nohup has it."""
    with user_of(tmp_path, ignoring=signal.SIGHUP) as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_is_in_use_is_not(
    tmp_path: Path,
) -> None:
    with user_of(tmp_path) as living, user_of(tmp_path) as killed:
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2

        with scratch_folder(tmp_path) as own:
            others = [folder for folder in tmp_path.glob(f"{PREFIX}*") if folder != own]
            assert [folder / "samples.raw" for folder in others] == list(
                tmp_path.glob("*/samples.raw")
            )
            assert len(others) == 1
            assert living.poll() is None
            assert own.stat().st_mode & 0o077 == 0


def test_the_folders_of_others_and_links_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}notes").mkdir()
    (tmp_path / f"{PREFIX}notes/text").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/lock").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere")

    with scratch_folder(tmp_path):
        pass

    assert (tmp_path / f"{PREFIX}notes/text").read_text() == "mine"
    assert (tmp_path / "elsewhere/lock").exists()


def test_many_at_once_have_a_folder_each(tmp_path: Path) -> None:
    folders: list[Path] = []
    barrier = threading.Barrier(8)

    def use() -> None:
        for _ in range(10):
            barrier.wait()
            with scratch_folder(tmp_path) as folder:
                (folder / "mine").touch(exist_ok=False)
                folders.append(folder)
                assert (folder / "mine").exists()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(folders) == 80
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_into_the_same_folder_is_refused_by_name(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with workplace(output) as scratch:
        assert scratch.parent == tmp_path
        assert list(output.iterdir()) == []
        with (
            pytest.raises(OutputInUse, match=r"out: another edgekit is writing"),
            workplace(output),
        ):
            pass
        with workplace(tmp_path / "other"):
            pass
    assert list(tmp_path.iterdir()) == []
    with workplace(output):
        pass


def test_finished_files_come_into_place_from_another_file_system_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shm = Path("/dev/shm")
    if not os.access(shm, os.W_OK) or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    (tmp_path / "model").write_text("new")
    (tmp_path / "manifest.json").write_text("{}")
    with scratch_folder(shm) as output:
        (output / "model").write_text("old")

        publish(tmp_path, ["model"], output)

        assert (output / "model").read_text() == "new"
        assert {path.name for path in output.iterdir()} == {"model", "manifest.json", "lock"}


CUT = """
import signal, sys
from edgekit.stopping import postponed, tidily

number = int(sys.argv[1])
signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
before = signal.getsignal(number)
with tidily():
    try:
        with postponed():
            signal.raise_signal(number)
            print("whole")
    except KeyboardInterrupt as error:
        print(type(error).__name__)
print(signal.getsignal(number) is before)
"""


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGTERM, "Stopped"), (signal.SIGHUP, "Stopped"), (signal.SIGINT, "KeyboardInterrupt")],
)
def test_what_must_not_be_cut_in_two_is_finished_first(number: signal.Signals, raised: str) -> None:
    command = [sys.executable, "-c", CUT, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["whole", raised, "True"]


ASKED = """
import signal
from edgekit.stopping import first_asks, tidily

with tidily():
    try:
        with first_asks(lambda name: print("asked by", name, flush=True)):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGTERM)
        print("cleared up", flush=True)
"""


def test_a_third_signal_does_not_interrupt_the_clearing_up_after_the_second() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True)
    assert done.stdout == "asked by SIGTERM\ncleared up\n"
    assert done.returncode == -signal.SIGTERM


def test_what_is_left_of_a_removal_that_was_stopped_is_removed_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped behind each single removal in turn: the lock, by which a stale folder is known, goes last."""
    (tmp_path / "stale").mkdir()
    for name in ("a", "b/c", "lock", "z"):
        path = tmp_path / "stale" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for most in range(6):
        left = most
        with monkeypatch.context() as patch:
            for call in ("unlink", "rmdir"):

                def stopping(
                    *given: object, original: object = getattr(os, call), **how: object
                ) -> None:
                    nonlocal left
                    if left == 0:
                        raise KeyboardInterrupt
                    left -= 1
                    original(*given, **how)  # type: ignore[operator]

                patch.setattr(os, call, stopping)
            shutil.copytree(tmp_path / "stale", tmp_path / ".edgekit-stale")
            with pytest.raises(KeyboardInterrupt):
                remove_stale(tmp_path)

        with scratch_folder(tmp_path):
            assert not (tmp_path / ".edgekit-stale").exists(), most
