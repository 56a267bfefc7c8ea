"""`open_model(folder, key=...)`: opens what was signed and nothing else, whoever writes into the folder meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.signing import Pair, bundle_of, make_pair, statement_of, write_bundle

from edgekit_runtimes import ModelError, NotDelegated, SignatureError, open_model

FILES = ("model_int8.tflite", "model_int8.onnx")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the copies lie."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is found out once a process
    return folder


def copies(temporary: Path) -> list[Path]:
    """Runtimes leave files of their own there, too."""
    return list(temporary.glob(".edgekit-*"))


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def signed(converted: Path, pair: Pair, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    shutil.copytree(converted, folder)
    write_bundle(folder, bundle_of(statement_of(folder), pair))
    return folder


@pytest.fixture(scope="module")
def x(digits: Path) -> np.ndarray:
    with np.load(digits / "eval.npz") as samples:
        return np.asarray(samples["image"][:8])


@pytest.mark.parametrize("name", FILES)
def test_what_was_signed_runs(
    name: str, signed: Path, pair: Pair, x: np.ndarray, temporary: Path
) -> None:
    with open_model(signed / name) as plain:
        expected = plain.run(x)
    with open_model(signed / name, key=pair.public) as model:
        assert np.array_equal(model.run(x), expected)
        assert model.path == str(signed / name)
        assert model.placement.operators
        assert len(copies(temporary)) == 1
    assert copies(temporary) == []


def test_the_best_of_a_signed_folder_runs(signed: Path, pair: Pair, x: np.ndarray) -> None:
    with open_model(signed, key=pair.public) as model:
        assert Path(model.path).parent == signed
        assert model.run(x).shape == (8, 10)


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_into_the_folder_afterwards_is_not_what_runs(
    name: str, signed: Path, pair: Pair, x: np.ndarray
) -> None:
    """In place, where a runtime that has the file mapped would run it; and for calls that open it again."""
    with open_model(signed / name, key=pair.public) as model:
        before = model.run(x)
        with (signed / name).open("r+b") as file:
            file.write(b"\xff" * (signed / name).stat().st_size)
        assert np.array_equal(model.run(x), before)
        assert np.array_equal(np.stack(list(model.map(x))), before)
        assert model.placement.operators
    with pytest.raises(SignatureError, match=f"changed: {name}"):
        open_model(signed / name, key=pair.public)


def test_nothing_else_ever_runs_while_another_process_swaps_the_file(
    signed: Path, pair: Pair, x: np.ndarray
) -> None:
    """A file of other weights is there and gone again all the time: each open is refused or right."""
    name = FILES[0]
    good = (signed / name).read_bytes()
    with open_model(signed / name, key=pair.public) as model:
        expected = model.run(x)
    other = bytearray(good)
    middle = slice(len(good) // 3, 2 * len(good) // 3)
    other[middle] = bytes(value ^ 0x55 for value in other[middle])
    stop = threading.Event()

    def swap() -> None:
        contents = [bytes(other), good]
        while not stop.is_set():
            contents.reverse()
            (signed / name).write_bytes(contents[0])  # in place
            fresh = signed.parent / "fresh"
            fresh.write_bytes(contents[1])
            fresh.replace(signed / name)

    thread = threading.Thread(target=swap)
    thread.start()
    opened = refused = 0
    try:
        for _ in range(400):
            try:
                with open_model(signed / name, key=pair.public) as model:
                    assert np.array_equal(model.run(x), expected)
                opened += 1
            except SignatureError:
                refused += 1
            if opened > 3 and refused > 3:
                break
    finally:
        stop.set()
        thread.join()
    assert refused


def test_a_link_that_is_set_to_another_signed_folder_meanwhile_opens_one_of_the_two(
    signed: Path, pair: Pair
) -> None:
    """As `edgekit push` sets it, while the device starts a process."""
    other = shutil.copytree(signed, signed.parent / "other")
    (other / "notes.txt").write_text("of another content")
    write_bundle(other, bundle_of(statement_of(other), pair))
    current, stop = signed.parent / "current", threading.Event()
    current.symlink_to(signed)

    def switch() -> None:
        folders = [signed, other]
        while not stop.is_set():
            folders.reverse()
            fresh = signed.parent / "fresh link"
            fresh.symlink_to(folders[0])
            fresh.replace(current)

    thread = threading.Thread(target=switch)
    thread.start()
    try:
        for _ in range(40):
            with open_model(current / FILES[0], key=pair.public) as model:
                assert model.path == str(current / FILES[0])
    finally:
        stop.set()
        thread.join()


def test_a_folder_without_a_signature_or_with_another_is_not_opened(
    signed: Path, pair: Pair, tmp_path: Path, temporary: Path
) -> None:
    other = make_pair(tmp_path, "other")
    for path in (signed, signed / FILES[0]):
        with pytest.raises(SignatureError, match="another key"):
            open_model(path, key=other.public)
    (signed / "model.sig").unlink()
    for path in (signed, signed / FILES[0]):
        with pytest.raises(SignatureError, match="it is not signed"):
            open_model(path, key=pair.public, trust=True)
    open_model(signed / FILES[0]).close()  # whoever asks for no signature needs none
    assert copies(temporary) == []


def test_a_file_that_is_not_signed_is_not_opened_though_the_signer_left_it_out(
    signed: Path, pair: Pair
) -> None:
    statement = statement_of(signed)
    left_out = {FILES[0], ".github"}
    kept = [r for r in statement["predicate"]["resources"] if r["name"] not in left_out]
    from support.signing import stating

    statement = stating(kept)
    statement["predicate"]["serialization"]["ignore_paths"] += [FILES[0]]
    write_bundle(signed, bundle_of(statement, pair))
    with pytest.raises(SignatureError, match="not among the files that were signed"):
        open_model(signed / FILES[0], key=pair.public)
    with pytest.raises(ModelError, match=FILES[0]):
        open_model(signed, key=pair.public)  # its manifest says that it passes
    open_model(signed / FILES[1], key=pair.public).close()


def test_errors_name_the_folder_and_not_the_copy(signed: Path, pair: Pair, temporary: Path) -> None:
    with pytest.raises(NotDelegated) as refusal:
        open_model(signed / FILES[0], key=pair.public, device="xnnpack", strict=True)
    assert str(signed / FILES[0]) in str(refusal.value)
    assert str(temporary) not in str(refusal.value)
    assert refusal.value.placement.operators
    assert copies(temporary) == []


def test_the_copy_goes_with_its_session(signed: Path, pair: Pair, temporary: Path) -> None:
    model = open_model(signed / FILES[0], key=pair.public)
    (copy,) = copies(temporary)
    assert copy.stat().st_mode & 0o777 == 0o700
    assert {p.name for p in (copy / "signed").iterdir()} == {"manifest.json", FILES[0]}
    del model
    assert copies(temporary) == []


@pytest.fixture
def opener(signed: Path, pair: Pair, temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has a signed file open."""
    code = f"""
import time
from edgekit_runtimes import open_model
model = open_model({str(signed / FILES[0])!r}, key={str(pair.public)!r})
print("open", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_copy_that_a_killed_process_left_is_removed_by_the_next(
    opener: "subprocess.Popen[str]", signed: Path, pair: Pair, temporary: Path
) -> None:
    open_model(signed / FILES[0], key=pair.public).close()
    assert len(copies(temporary)) == 1  # that of a process that lives is let be
    opener.send_signal(signal.SIGKILL)
    opener.wait()
    open_model(signed / FILES[0], key=pair.public).close()
    assert copies(temporary) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_leaves_the_copy_be(
    signed: Path, pair: Pair, x: np.ndarray, temporary: Path
) -> None:
    code = f"""
import os
from pathlib import Path
from edgekit_runtimes import open_model
model = open_model({str(signed / FILES[0])!r}, key={str(pair.public)!r})
child = os.fork()
if not child:
    model.close()
    os._exit(0)
os.waitpid(child, 0)
print(len(os.listdir({str(temporary)!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "1\n"
    assert copies(temporary) == []  # gone with the process
