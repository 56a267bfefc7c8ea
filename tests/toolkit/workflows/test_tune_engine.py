"""``edgekit.tune`` by a cluster: the choice and the bytes of this machine, whatever dies meanwhile."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.cluster import Cluster, local_cluster

import edgekit

SHIPPED = ("model_tuned.tflite", "recipe.json")


class Killing:
    """A watcher of a search that does something once, as a candidate begins."""

    def __init__(self, number: int, act: Any) -> None:
        self._words, self._act = f"candidate {number}/", act
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if step.startswith(self._words):
            self._act()


def search(digits: Path, output: Path, **options: Any) -> edgekit.Report:
    """By size: what is measured in seconds decides nothing."""
    return edgekit.tune(
        digits / "cnn.keras",
        digits / "calib.npz",
        output,
        to="tflite",
        max_drop="2%",
        prefer="size",
        **options,
    )


def bytes_of(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in SHIPPED]


def evidence(report: edgekit.Report) -> Any:
    """All that was found of candidates but times; those that costs suggest are others each time."""
    assert report.search is not None
    found = sorted(
        (t.title, t.bytes, t.drop, t.interval, t.sqnr_db)
        for t in report.search.tried
        if "by cost" not in t.title
    )
    return found, report.search.sensitivities, [r.metrics for r in report.files[0].results]


@pytest.fixture(scope="module")
def here(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, edgekit.Report]:
    """A search on this machine alone, undisturbed."""
    folder = tmp_path_factory.mktemp("here") / "out"
    return folder, search(digits, folder)


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(
    cluster: Cluster, here: tuple[Path, edgekit.Report], digits: Path, tmp_path: Path
) -> None:
    killed: list[str] = []
    watch = Killing(6, lambda: killed.append(cluster.kill()))

    there = search(digits, tmp_path / "out", engine=cluster.engine, progress=watch)

    assert len(killed) == 1
    assert f"connecting to {cluster.engine}" in watch.steps
    assert bytes_of(tmp_path / "out") == bytes_of(here[0])
    assert evidence(there) == evidence(here[1])
    assert not [note for note in there.notes if "on this machine" in note]
    cluster.wait_for_workers(2)
    cluster.until_clean()


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_without_its_cluster_to_the_same_bytes(
    cluster: Cluster, here: tuple[Path, edgekit.Report], digits: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("EDGEKIT_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = [sys.executable, "-m", "edgekit", "tune", str(digits / "cnn.keras"), "--verbose", "--engine",
            cluster.engine, "--data", str(digits / "calib.npz"), "-o", str(tmp_path / "out"),
            "--max-drop", "2%", "--prefer", "size", "--to", "tflite"]  # fmt: skip
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "candidate 8/" not in process.stderr.readline():
            assert process.poll() is None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (process.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
    kept = set((tmp_path / "cache/edgekit/outputs").glob("tune-*"))

    search(digits, tmp_path / "out", cache=True)

    assert not [p for p in kept if not p.exists()]
    assert len(kept) > 8
    assert bytes_of(tmp_path / "out") == bytes_of(here[0])
    cluster.until_clean()


@pytest.mark.slow
def test_a_search_goes_on_here_when_all_workers_are_lost(
    here: tuple[Path, edgekit.Report], digits: Path, tmp_path: Path
) -> None:
    with local_cluster(workers=1) as small:
        watch = Killing(6, small.stop_workers)
        there = search(digits, tmp_path / "out", engine=small.engine, progress=watch)

    (note,) = (n for n in there.notes if "on this machine" in n)
    assert f"{small.engine}: the scheduler has had no workers" in note
    assert bytes_of(tmp_path / "out") == bytes_of(here[0])
