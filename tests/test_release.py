"""What a release is made of: the wheel, the source archive, and the workflow's own checks."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
STEPS = WORKFLOW["jobs"]["build"]["steps"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    made = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def test_twine_finds_nothing_wrong(built: Path) -> None:
    files = sorted(map(str, built.iterdir()))
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True
    )

    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("PASSED") == len(files) == 2


def test_the_wheel_has_the_three_packages_with_their_data_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "edgekit", "edgekit_converters", "edgekit_runtimes",
    }  # fmt: skip
    for name in (
        "edgekit/report/page.html.j2",
        "edgekit/schemas/report.schema.json",
        "edgekit/py.typed",
    ):
        assert name in names


def test_the_source_archive_builds_and_holds_no_rubbish(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        names = [name.split("/", 1)[-1] for name in content.getnames()]

    assert {"pyproject.toml", "README.md", "LICENSE", "toolkit/edgekit/__init__.py"} <= set(names)
    assert not [
        name for name in names if name.startswith((".venv", "dist/", "site/", "samples-out"))
    ]


@pytest.mark.parametrize(("tag", "dated", "passes"), [
    ("v{}", True, True), ("v{}", False, False), ("v9.9.9", True, False),
])  # fmt: skip
def test_a_tag_must_be_the_version_and_in_the_changelog(
    tag: str, dated: bool, passes: bool, tmp_path: Path
) -> None:
    """The workflow's own step, in bash."""
    (script,) = (step["run"] for step in STEPS if "TAG" in step.get("env", {}))
    found = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    when = "2026-01-02" if dated else "unreleased"
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {found[1]} - {when}\n")
    ran = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "TAG": tag.format(found[1])},
    )  # fmt: skip

    assert (ran.returncode == 0) == passes, ran.stdout
    assert passes == ("::error::" not in ran.stdout)
