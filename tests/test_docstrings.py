"""Examples in docstrings run as they stand, in a folder with a model, samples and converted files."""

import doctest
import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path

import pytest
from support.signing import make_pair

import edgekit
import edgekit_converters
import edgekit_runtimes

PACKAGES = (edgekit, edgekit_converters, edgekit_runtimes)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples() -> list[doctest.DocTest]:
    """Every docstring of the three packages that has an example."""
    found = []
    for package in PACKAGES:
        names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        for name in [package.__name__, *names]:
            if not name.endswith("__main__"):
                module = importlib.import_module(name)
                found += [t for t in doctest.DocTestFinder().find(module) if t.examples]
    return found


EXAMPLES = examples()


@pytest.fixture
def workplace(
    digits: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with ``model.keras``, ``samples.npz``, ``out`` and ``release.pem``."""
    shutil.copy(digits / "cnn.keras", tmp_path / "model.keras")
    shutil.copy(digits / "eval.npz", tmp_path / "samples.npz")
    shutil.copytree(converted, tmp_path / "out")
    make_pair(tmp_path, "release")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_does_what_it_shows(example: doctest.DocTest, workplace: Path) -> None:
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    lines: list[str] = []
    runner.run(example, out=lines.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(lines)


def test_every_public_function_has_an_example() -> None:
    functions = {
        f"{value.__module__}.{value.__qualname__}"
        for package in PACKAGES
        for value in (getattr(package, name) for name in package.__all__)
        if inspect.isfunction(value)
    }
    assert functions - {example.name for example in EXAMPLES} == set()
