"""The README's commands and Python blocks, run as they stand beside a model and samples."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.signing import make_pair

from edgekit.cli.main import main

pytest_plugins = ["pytester"]

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
# What goes to a board is run by tests/arm64.
COMMANDS = [
    *(line for kind, text in BLOCKS if not kind for line in text.splitlines()),
    *re.findall(r"^\| `(edgekit .*?)` \|", README, re.MULTILINE),
]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
# These start TensorFlow, or measure for seconds.
SLOW = ("edgekit convert", "edgekit validate", "edgekit bench", "import edgekit")

ELSEWHERE = ("raspberrypi",)
"""In the commands that `make test-arm64` and `make test-ssh` run."""


def marked(text: str) -> object:
    marks = [pytest.mark.slow] if text.startswith(SLOW) else []
    return pytest.param(text, marks=marks, id=text.splitlines()[0])


@pytest.fixture
def workplace(
    digits: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with what the README's reader has."""
    shutil.copy(digits / "cnn.keras", tmp_path / "model.keras")
    shutil.copy(digits / "calib.npz", tmp_path / "samples.npz")
    shutil.copy(digits / "eval.npz", tmp_path / "eval.npz")
    shutil.copytree(converted, tmp_path / "out")
    make_pair(tmp_path, "release")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        marked(line)
        for line in COMMANDS
        if line.startswith("edgekit ") and not any(part in line for part in ELSEWHERE)
    ],
)
def test_a_command_of_the_readme_runs(command: str, workplace: Path) -> None:
    words = shlex.split(command)[1:]
    arguments = [
        path for word in words for path in sorted(map(str, Path().glob(word))) or [word]
    ]  # as a shell expands them
    result = CliRunner().invoke(main, arguments)
    different = words[0] == "diff"  # two files that are not the same: status 1, as of diff
    assert result.exit_code == different, result.output
    assert result.output


@pytest.mark.parametrize("block", [marked(text) for text in PYTHON if "def test_" not in text])
def test_a_python_block_of_the_readme_runs(block: str, workplace: Path) -> None:
    with np.load("eval.npz") as samples:
        image = samples["image"]
    pixels = np.rint(image[0] * 255).astype(np.uint8)
    names: dict[str, object] = {"x": image, "pixels": pixels}
    exec(compile(block, "README.md", "exec"), names)
    if "y = " in block:
        assert np.asarray(names["y"]).shape == (400, 10)


@pytest.mark.parametrize("block", [text for text in PYTHON if "def test_" in text])
@pytest.mark.slow
def test_a_pytest_block_of_the_readme_passes(
    block: str, workplace: Path, pytester: pytest.Pytester
) -> None:
    shutil.copytree(workplace, pytester.path, dirs_exist_ok=True)
    pytester.makepyfile(block)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_every_flag_and_key_in_the_readme_is_there() -> None:
    """What is written in prose cannot be run, but a name that is gone can be found."""
    flags = set(re.findall(r"`(--[a-z-]+)[ `]", README))
    known = {
        flag
        for command in main.commands.values()  # type: ignore[attr-defined]
        for parameter in command.params
        for flag in parameter.opts
    }
    assert flags <= known | {"--data"}
    assert {"--max-drop", "--strict", "--trust"} <= flags
