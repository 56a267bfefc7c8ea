"""The site: it builds without a warning, its blocks run, and its messages are those of the code."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from support.signing import make_pair

import edgekit
from edgekit.cli.main import main

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ELSEWHERE = {
    "raspberrypi": "tests/toolkit/device, by a real SSH server",
    "dask=": "tests/toolkit/inference, by a cluster of two workers",
    "edgekit watch": "tests/toolkit/watch, beside a server",
    "edgekit serve": "tests/toolkit/serving, which stops it again",
    "webgpu": "tests/accelerators",
    "cpu,gpu": "tests/accelerators",
    "edgekit tune": "tests/toolkit/workflows: a search takes minutes",
    "next.pem": "tests/test_sign_docs.py, which makes the keys",
    "my_runtime": "tests/runtimes: a device that a test adds",
    "export OUT --target android": "tests/toolkit/targets",
}
"""What is not run here, by a part of it, and what runs it."""
SLOW = ("edgekit convert", "edgekit validate model.keras", "edgekit bisect")


def blocks() -> list[object]:
    """Each command and each Python block of the pages, with its page."""
    found = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            lines = [line for line in block.splitlines() if line.startswith("edgekit ")]
            parts = [block] if kind == "python" else lines if not kind else []
            for part in parts:
                if not any(words in part for words in ELSEWHERE):
                    marks = [pytest.mark.slow] if part.startswith((*SLOW, "def test_")) else []
                    title = f"{page.name}: {part.splitlines()[0][:60]}"
                    found.append(pytest.param(part, marks=marks, id=title))
    return found


CHIPS = ("cortex-m", "ethos-u", "micro")
"""In what is typed for a folder whose files have integer ends."""


@pytest.fixture
def workplace(
    block: str, digits: Path, converted: Path, integers: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """A working directory with what the pages' readers have."""
    for name, source in (("model.keras", "cnn.keras"), ("samples.npz", "calib.npz")):
        shutil.copy(digits / source, tmp_path / name)
    shutil.copy(digits / "eval.npz", tmp_path / "eval.npz")
    for name in ("out", "OUT", "last-week/out"):
        is_chip = any(chip in block for chip in CHIPS)
        shutil.copytree(integers if is_chip else converted, tmp_path / name)
    if "model_micro" in block:
        shutil.copy(integers / "model_int8.tflite", tmp_path / "out" / "model_micro_int8.tflite")
    for name, copy in (("int8.tflite", "a.tflite"), ("int8.onnx", "b.onnx")):
        shutil.copy(converted / f"model_{name}", tmp_path / copy)
    for name in ("model_float32.tflite", "model_int8.tflite"):
        shutil.copy(converted / name, tmp_path / name)
    Image.fromarray(np.full((8, 8), 40, np.uint8)).save(tmp_path / "photo.jpg")
    make_pair(tmp_path, "release")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("block", blocks())
def test_what_a_page_says_to_type_runs(
    block: str, workplace: Path, request: pytest.FixtureRequest
) -> None:
    if "--key release.pub" in block or 'key="release.pub"' in block:
        assert CliRunner().invoke(main, ["sign", "out", "--key", "release.pem"]).exit_code == 0
    if block.startswith("edgekit "):
        words = shlex.split(block, comments=True)[1:]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == (words[0] == "diff" and "last-week/out" not in words), (
            result.output
        )
    elif "def test_" in block:
        pytester = request.getfixturevalue("pytester")  # it changes the working directory
        shutil.copytree(workplace, pytester.path, dirs_exist_ok=True)
        pytester.makepyfile(block)
        pytester.runpytest_subprocess().assert_outcomes(passed=1)
    else:
        with np.load("eval.npz") as samples:
            names: dict[str, object] = {"x": samples["image"]}
        exec(compile(block.replace('"animal"', '"digit"'), "page", "exec"), names)


def test_every_exception_is_of_a_block_that_is_there() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))

    assert [words for words in ELSEWHERE if words not in pages] == []


def test_every_heading_of_troubleshooting_is_a_message_of_the_code() -> None:
    code = " ".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for package in ("toolkit", "converters", "runtimes")
        for path in sorted((ROOT / package).rglob("*.py"))
    )
    headings = re.findall(r"^### (.*)$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)

    assert len(headings) > 10
    assert [heading for heading in headings if heading not in code] == []


def test_the_site_builds_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path)],
        capture_output=True,
        text=True,
    )

    assert built.returncode == 0, built.stderr
    for page in DOCS.rglob("*.md"):
        assert (tmp_path / page.relative_to(DOCS).with_suffix(".html")).exists()
    listed = set(re.findall(r"\]\(([\w/-]+\.html)\)", (tmp_path / "llms.txt").read_text()))
    pages = {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in DOCS.rglob("*.md")}
    assert listed == pages - {"index.html"}
    reference = (tmp_path / "reference/python.html").read_text(encoding="utf-8")
    lacking = {name for name in edgekit.__all__ if f'id="edgekit.{name}"' not in reference}
    assert not lacking
    command = (tmp_path / "reference/cli.html").read_text(encoding="utf-8")
    for verb in main.commands:  # type: ignore[attr-defined]
        assert f'id="edgekit-{verb}"' in command
