"""Files that somebody made to do harm: refused or used, in words, and nothing of theirs runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from attack.hostile_data import DATA, Make
from attack.hostile_models import KERAS, MODELS, SAVED

MOST_MEMORY = 1024
"""MiB for one command, in any of its processes: TensorFlow's 640 are among them."""


def attack(cases: dict[str, Make], folder: Path, seeds: Path, *modules: str) -> dict[str, str]:
    """What is wrong with how edgekit treats each of these files; empty where nothing is."""
    commands = {}
    for name, make in cases.items():
        (folder / name).mkdir()
        commands[name] = [str(word) for word in make(folder / name, seeds)]
    (folder / "commands.json").write_text(json.dumps(commands))
    subprocess.run(
        [sys.executable, "-m", "attack.one_by_one", folder, *modules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
    )
    ends = json.loads((folder / "ends.json").read_text())
    wrong = {}
    for name, (status, printed, taken, _) in ends.items():
        if not 0 <= status <= 4 or "did not foresee" in printed or "Traceback" in printed:
            wrong[name] = f"{status}: {printed[-600:]}"
        elif status and not printed.strip():
            wrong[name] = f"{status} without a word"
        elif taken > MOST_MEMORY:
            wrong[name] = f"took {taken} MiB"
        elif harm := [*folder.rglob("harm*"), *Path().glob("harm*")]:
            wrong[name] = f"what it carries ran: {harm}"
    refused = sum(status > 1 for status, *_ in ends.values())
    most = max(taken for _, _, taken, _ in ends.values())
    print(
        f"{len(ends)} hostile files: {refused} refused, {len(wrong)} findings; {most} MiB at most"
    )
    return wrong


EACH = pytest.mark.parametrize("nth", [3, pytest.param(1, marks=pytest.mark.attack)])
"""Of so many cases one: ``make test`` takes a third."""


@EACH
def test_hostile_data(nth: int, seeds: Path, tmp_path: Path) -> None:
    cases = dict([*DATA.items()][::nth])

    assert attack(cases, tmp_path, seeds, "PIL.Image", "ai_edge_litert.interpreter") == {}


@EACH
def test_hostile_models(nth: int, seeds: Path, tmp_path: Path) -> None:
    assert attack(dict([*MODELS.items()][::nth]), tmp_path, seeds) == {}


@pytest.mark.attack
@pytest.mark.timeout(3600)
def test_hostile_models_of_keras_and_tensorflow(seeds: Path, tmp_path: Path) -> None:
    assert attack({**KERAS, **SAVED}, tmp_path, seeds) == {}
