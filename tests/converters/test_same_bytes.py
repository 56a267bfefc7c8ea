"""The same bytes from the same model, samples and recipe: again, and in another process."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.recipes import images_of, variants_of

from edgekit_converters import PRECISIONS, Recipe

RECIPES = [
    *map(Recipe, PRECISIONS),
    Recipe(ranges="percentile:99.9", equalize=True),
]

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_same_bytes import written
print("\\n".join(written(Path(sys.argv[2]), Path(sys.argv[3]))))
"""


def written(digits: Path, scratch: Path) -> list[str]:
    """The hashes of files by several recipes, of several models, in both formats."""
    hashes = []
    for name in ("cnn", "lstm"):
        samples = images_of(digits, "calib", 10)
        if name == "lstm":
            samples = [{"rows": sample["image"][..., 0]} for sample in samples]
        variants = variants_of(digits / f"{name}.keras", samples, scratch)
        kept = Recipe(keep_float=dict.fromkeys(list(variants.operators)[:1], ""))
        for recipe in [*RECIPES, *([kept] if name == "cnn" else [])]:
            files = {form: scratch / f"x.{form}" for form in ("tflite", "onnx")}
            variants.write(recipe, files)
            hashes += [hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()]
    return hashes


@pytest.mark.slow
def test_other_processes_write_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    """tf2onnx keeps nodes in sets, hashed by address, and its counters go on from model to model."""
    found = [written(digits, tmp_path), written(digits, tmp_path)]
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), digits, tmp_path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.split())
    assert len(found[0]) == 26
    assert found[1:] == [found[0]] * 3


def test_a_second_conversion_writes_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        variants = variants_of(digits / "mlp.keras", images_of(digits, "calib", 5), tmp_path)
        files = {form: tmp_path / f"x.{form}" for form in ("tflite", "onnx")}
        variants.write(Recipe(), files)
        contents.append([path.read_bytes() for path in files.values()])
    assert contents[0] == contents[1]
