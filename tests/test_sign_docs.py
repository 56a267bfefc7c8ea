"""The commands and the Python of docs/sign.md, from making a pair of keys to taking the old one away."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgekit.cli.main import main

DOCS = (Path(__file__).parents[1] / "docs" / "sign.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
LINES = [line for kind, text in BLOCKS if not kind for line in text.splitlines()]
ELSEWHERE = ("pip install", "edgekit convert", "docker", "model_signing", "python -c")
"""Commands that other tests run, or that need what is not here."""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_commands_do_what_they_say_in_their_order(
    converted: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(converted, "out")
    with np.load(digits / "eval.npz") as samples:
        x = samples["image"][:4]
    ran = []
    for line in LINES:
        command = line.split("#")[0].strip()
        if command.startswith(ELSEWHERE):
            continue
        if command.startswith("edgekit "):
            if "next.pem" in command:  # the second pair is made as the first was
                for made in [c for c in ran if c.startswith("openssl")]:
                    subprocess.run(made.replace("release", "next"), shell=True, check=True)
                subprocess.run("cat release.pub next.pub > trusted.pub", shell=True, check=True)
            done = CliRunner().invoke(main, command.split()[1:])
            assert done.exit_code == 0, done.output
        elif "next.pub" not in command or Path("next.pub").exists():
            subprocess.run(command, shell=True, check=True)
        ran.append(command)
    assert sum(command.startswith("edgekit") for command in ran) == 3

    def verify(key: str) -> int:
        return (
            CliRunner().invoke(main, ["verify", "out", "--device", "cpu", "--key", key]).exit_code
        )

    assert [verify(key) for key in ("trusted.pub", "next.pub", "release.pub")] == [0, 0, 1]
    shutil.copy("trusted.pub", "release.pub")
    (python,) = [text for kind, text in BLOCKS if kind == "python"]
    names: dict[str, object] = {"x": x}
    exec(python, names)
    assert np.shape(names["y"]) == (4, 10)
