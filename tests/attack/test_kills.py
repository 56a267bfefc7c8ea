"""Processes killed while they write, and disks that fill up: all of the old, all of the new, or told."""

import json
import os
import random
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import edgekit
from attack.forked import CALLS, Ended, command, killer, run_forked, slowly
from edgekit.bundle.folder import sha256
from edgekit_runtimes import ModelError, open_model

KILLS = 100
SLOW = 0.01
"""Seconds before and behind each change of a name."""


def content(folder: Path) -> dict[str, str]:
    return {p.name: sha256(p) for p in sorted(folder.iterdir()) if p.is_file()}


def is_whole_or_refused(folder: Path) -> str:
    """What a script finds that opens the folder now: all as listed, or that it is unfinished."""
    manifest = json.loads((folder / "manifest.json").read_text())
    if not manifest["files"]:
        for path in (folder, *folder.glob("model_*")):
            with pytest.raises(ModelError, match="Convert again"):
                open_model(path)
        return "refused"
    for entry in manifest["files"]:
        assert sha256(folder / entry["file"]) == entry["sha256"], entry["file"]
    open_model(folder / manifest["files"][0]["file"]).close()
    return "whole"


def leftovers(folder: Path, known: set[str]) -> list[str]:
    """What nobody asked for, in a folder and beside it."""
    beside = [p.name for p in folder.parent.iterdir() if p.name.startswith(".")]
    return sorted([*beside, *(p.name for p in folder.iterdir() if p.name not in known)])


@pytest.fixture
def folder(converted: Path, tmp_path: Path) -> Path:
    """A folder that ships, in one of its own."""
    return Path(shutil.copytree(converted, tmp_path / "place" / "out"))


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """Functions that run before and behind each change of a name: all that a kill there leaves is seen."""
    looks: list[Callable[[], None]] = []
    for name in CALLS:
        original = getattr(os, name)

        def watched(
            *arguments: object, original: Callable[..., object] = original, **how: object
        ) -> object:
            for look in looks:
                look()
            done = original(*arguments, **how)
            for look in looks:
                look()
            return done

        monkeypatch.setattr(os, name, watched)
    yield looks
    looks.clear()


def test_in_every_gap_of_a_conversion_the_folder_is_whole_or_refused(
    folder: Path, digits: Path, gaps: list[Callable[[], None]]
) -> None:
    seen = Counter[str]()
    gaps.append(lambda: seen.update([is_whole_or_refused(folder)]))

    edgekit.convert(digits / "cnn.keras", digits / "calib.npz", folder, samples=30)

    print(f"{sum(seen.values())} gaps: {dict(seen)}")
    assert seen["whole"] > 1
    assert sum(seen.values()) > 10


def test_in_every_gap_of_a_validation_each_file_is_the_old_or_the_new_one(
    converted: Path, digits: Path, tmp_path: Path, gaps: list[Callable[[], None]]
) -> None:
    written = {name: tmp_path / name for name in ("results.npz", "results.json")}
    for path in written.values():
        path.write_text("old")
    seen: dict[str, set[bytes]] = {name: set() for name in written}

    def look() -> None:
        for name, path in written.items():
            seen[name].add(path.read_bytes())

    gaps.append(look)
    for path in written.values():
        edgekit.validate(
            converted / "model_float32.tflite", converted / "model_int8.tflite",
            digits / "eval.npz", samples=10, save=path,
        )  # fmt: skip

    for name, path in written.items():
        assert seen[name] == {b"old", path.read_bytes()}


def conversion(digits: Path, folder: Path, *more: str) -> Callable[[], None]:
    """The command that converts the digits CNN into a folder."""
    data = digits / "calib.npz"
    return command(["convert", digits / "cnn.keras", "--data", data, "-o", folder, "-q", *more])


def full_disk(size: int) -> Callable[[], None]:
    """In a fork: no file may be longer, as on a disk that is full by then."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [5_000, 10_000, pytest.param(40_000, marks=pytest.mark.attack)])
def test_a_conversion_onto_a_full_disk_changes_nothing(
    size: int, folder: Path, digits: Path, tmp_path: Path
) -> None:
    before = content(folder)
    ended = run_forked(conversion(digits, folder), tmp_path / "printed", before=full_disk(size))

    assert ended.status == 3, ended.printed
    assert "did not foresee" not in ended.printed
    assert {k: v for k, v in content(folder).items() if k != "edgekit-failed.log"} == before
    assert leftovers(folder, {*before, "edgekit-failed.log"}) == []


@pytest.mark.attack
@pytest.mark.timeout(3600)
def test_conversions_killed_while_they_write(
    folder: Path, digits: Path, tmp_path: Path, campaign_seed: int, campaign_size: float
) -> None:
    """KILL and TERM in turn, at random moments from the first change of a name to the last."""
    chance = random.Random(campaign_seed)
    known, ends, states = set(content(folder)), Counter[str](), Counter[str]()
    count = int(KILLS * campaign_size)
    for number in range(count):
        how = (signal.SIGKILL, signal.SIGTERM)[number % 2]
        earlier = leftovers(folder, known)
        samples = ["--samples", str(chance.randrange(20, 60))]
        ended = run_forked(
            conversion(digits, folder, *samples),
            tmp_path / "printed",
            before=lambda: slowly(SLOW),
            watch=killer(how, chance, 30 * SLOW),
        )
        assert ended.status in (0, -how, 128 + how), ended
        assert "Traceback" not in ended.printed, ended
        ends[f"{how.name} {ended.status}"] += 1
        states[is_whole_or_refused(folder)] += 1
        if how is signal.SIGTERM:
            assert set(leftovers(folder, known)) <= set(earlier), f"{number}: {ended}"
    print(
        f"\n{count} kills of seed {campaign_seed}: {dict(ends)}; folders: {dict(states)}",
        flush=True,
    )

    last = run_forked(conversion(digits, folder), tmp_path / "printed")
    assert last == Ended(0, last.printed)
    assert is_whole_or_refused(folder) == "whole"
    assert leftovers(folder, known) == []
