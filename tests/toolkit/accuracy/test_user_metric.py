"""A user's function as a metric."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.outputs import (
    guesses,
    measure,
)

from edgekit.accuracy.metrics import find_metric
from edgekit.data.samples import DataError

COUNT = 75  # of samples: more than two of the batches in which outputs are read


# Functions of the user's own.

MODULE = '''
import numpy as np

def near(labels, outputs):
    """A fraction needs labels and predictions."""
    return np.mean(np.abs(outputs.argmax(-1) - labels) <= 1)

def confidence(labels, outputs):
    """The score of the true class: labels are indices."""
    return outputs[np.arange(len(labels)), labels].mean()

def cost(labels, outputs):
    return float((outputs.argmax(-1) != labels).sum())

cost.lower_is_better = True

def boxes(labels, outputs):
    """Labels of another shape than the outputs'."""
    return float(np.abs(labels[:, 0, :2] - outputs[:, :2]).mean())

def raising(labels, outputs):
    raise ZeroDivisionError("in my own code")

def texts(labels, outputs):
    return "much"
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that one works in, with a module in it."""
    (tmp_path / "my_metrics.py").write_text(MODULE)
    (tmp_path / "my_broken.py").write_text("import numpy as np\n\ndef f(:\n")
    (tmp_path / "my_raising.py").write_text("raise RuntimeError('on import')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("my_metrics", "my_broken", "my_raising"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("near", lambda labels, scores: np.mean(np.abs(scores.argmax(-1) - labels) <= 1)),
        ("confidence", lambda labels, scores: scores[np.arange(COUNT), labels].mean()),
        ("cost", lambda labels, scores: float((scores.argmax(-1) != labels).sum())),
    ],
)
def test_a_users_function_is_called_with_labels_and_outputs_as_they_are(
    name: str, expected: Any, folder: Path
) -> None:
    random = np.random.default_rng(21)
    labels = random.integers(0, 5, COUNT)
    before, after = (guesses(5, labels, random) for _ in range(2))

    found = measure(f"my_metrics:{name}", labels, before, after, folder)

    assert found.value == pytest.approx(expected(labels, after))
    assert found.original == pytest.approx(expected(labels, before))
    sign = -1 if name == "cost" else 1
    assert found.drop == pytest.approx(sign * (found.original - found.value))
    assert found.interval is not None and found.interval[0] <= found.drop <= found.interval[1]


def test_a_users_function_may_take_labels_of_any_shape(folder: Path) -> None:
    random = np.random.default_rng(22)
    labels, outputs = random.normal(size=(COUNT, 3, 4)), random.normal(size=(COUNT, 6))

    found = measure("my_metrics:boxes", labels, outputs, outputs, folder)

    assert found.value == pytest.approx(np.abs(labels[:, 0, :2] - outputs[:, :2]).mean())


@pytest.mark.parametrize("name", ["raising", "texts"])
def test_an_error_in_it_is_reported_with_its_name(name: str, folder: Path) -> None:
    labels = np.arange(COUNT) % 3
    scores = guesses(3, labels, np.random.default_rng(23))

    with pytest.raises(DataError, match=f"my_metrics:{name}: (Zero|Value|Type)") as caught:
        measure(f"my_metrics:{name}", labels, scores, scores, folder)
    if name == "raising":
        assert "in my own code" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_metrics:nothing", "has no attribute 'nothing'"),
        ("my_nothing:f", "No module named 'my_nothing'"),
        ("my_broken:f", "invalid syntax"),
        ("my_raising:f", "on import"),
        (":f", ":f"),
        (".relative:f", ".relative:f"),
        ("my_metrics:np", "my_metrics:np"),  # no function
    ],
)
def test_a_function_that_is_not_there_is_refused_by_name(
    name: str, words: str, folder: Path
) -> None:
    with pytest.raises(DataError) as caught:
        find_metric(name)

    assert words in str(caught.value)
