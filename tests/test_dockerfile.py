"""The container image of the runtime: its install lines really install what opens a signed folder.

No image is built here: `make image` does, where there is Docker.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.signing import make_pair, sign_by_package

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TARGET = "/opt/edgekit"


def instructions(name: str) -> list[str]:
    """What follows an instruction, wherever it stands, its continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{name} ")]


def copied() -> list[str]:
    """The files and folders that are copied from here."""
    return [p for line in instructions("COPY") if "--from" not in line for p in line.split()[:-1]]


def test_what_is_copied_is_there_and_nothing_else_reaches_the_builder() -> None:
    assert copied()
    assert all((ROOT / path).exists() for path in copied())
    first, *rest = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert first == "*"
    assert {line.removeprefix("!") for line in rest if line.startswith("!")} == set(copied())


def test_no_stage_is_the_newest_of_anything_and_none_runs_as_root() -> None:
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS build)?", f) for f in instructions("FROM"))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions("USER")[-1])
    (uv,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    install = [line for run in instructions("RUN") for line in run.split(" && ") if "pip" in line]
    assert re.findall(r"uv==\S+", install[0]) == [f"uv=={uv}"]
    assert "--require-hashes" in install[2]
    assert "--no-deps ." in install[3]


@pytest.mark.slow
@pytest.mark.fresh_worker
@pytest.mark.skipif(sys.platform != "linux", reason="the image is of Linux")
def test_its_install_lines_install_what_opens_a_signed_folder(
    converted: Path, tmp_path: Path
) -> None:
    """In a fresh environment, from the packages that its lock names; TensorFlow is not among them."""
    context, target = tmp_path / "context", tmp_path / "edgekit"
    for path in copied():
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copyfile
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / path, context / path)
    tools = tmp_path / "python"  # as the base image has it: with pip
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    path = f"{tools / 'bin'}:/usr/bin:/bin"
    for run in instructions("RUN"):
        done = subprocess.run(
            ["sh", "-ec", run.replace(TARGET, str(target))],
            cwd=context, env=os.environ | {"PATH": path}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    folder = shutil.copytree(converted, tmp_path / "out")
    pair = make_pair(tmp_path)
    sign_by_package(folder, pair)
    size = sum(p.lstat().st_size for p in target.rglob("*") if p.is_file())
    assert size < 200e6  # beside Python itself
    environment = {"PATH": f"{target / 'bin'}:{path}", "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def edgekit(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["edgekit", *map(str, arguments)], env=environment, capture_output=True, text=True
        )

    assert "xnnpack" in edgekit("devices").stdout
    verified = edgekit("verify", folder, "--key", pair.public, "--device", "cpu")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    (folder / "more").touch()
    refused = edgekit("verify", folder, "--key", pair.public)
    assert (refused.returncode, "added: more" in refused.stdout) == (1, True)
    unknown = subprocess.run(
        ["python", "-c", "import tensorflow"], env=environment, capture_output=True, text=True
    )
    assert "ModuleNotFoundError" in unknown.stderr
