"""When, where and with what a run measured, on any machine."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgekit.bundle.environment import commit, environment

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs Git")
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder in no repository, on no build server."""
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "BUILD_SOURCEVERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *who, *arguments], check=True, capture_output=True, text=True
    )  # fmt: skip
    return done.stdout.strip()


def test_it_says_when_where_and_with_how_many_threads(folder: Path) -> None:
    here = environment(threads=3)

    since = datetime.now(UTC) - datetime.fromisoformat(here.date)
    assert timedelta(0) <= since < timedelta(minutes=5)
    assert here.host
    assert here.processor.name
    assert here.cores >= 1
    assert here.threads == 3
    assert {"python", "numpy", "edgekit-toolkit"} <= set(here.versions)
    assert here.commit == ""


@needs_git
def test_the_commit_is_gits_and_says_whether_files_differ(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", SHA)
    git("init", "-q")
    (folder / "model.txt").write_text("1")
    git("add", "model.txt")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    git("tag", "v1")
    assert commit() == head[:12]

    (folder / "model.txt").write_text("2")
    assert commit() == f"{head[:12]}-dirty"


@pytest.mark.parametrize("variable", ["GITHUB_SHA", "CI_COMMIT_SHA"])
def test_a_build_server_names_it_where_there_is_no_repository(
    variable: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, SHA)
    assert commit() == SHA[:12]
    monkeypatch.setenv("PATH", "")  # nor Git
    assert commit() == SHA[:12]
