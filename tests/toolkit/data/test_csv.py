"""Tables: cells, columns and encodings."""

from pathlib import Path

import numpy as np
import pytest
from support.user_data import csv, read, refusal

from edgekit.data.open import open_samples
from edgekit_runtimes import TensorSpec


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a,b,y\n1,2,0\n3,oops,1\n", 3, "'oops'"),
        ("a,b,y\n1,2,0\n3\n", 3, ""),
        ("a,b,y\n1,2,0\n\n\n3,oops,1\n", 5, "'oops'"),
    ],
    ids=["no number", "too short", "after empty lines"],
)
def test_a_bad_cell_is_refused_with_its_line(
    text: str, line: int, reason: str, tmp_path: Path
) -> None:
    message = refusal(csv(tmp_path, text), TensorSpec("x", (None, 2), "float32"))

    assert f"samples.csv, line {line}: " in message
    assert reason in message


def test_an_empty_cell_is_a_missing_number(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,y\n1, ,0\n")

    ((sample, label),) = read(open_samples(path, [TensorSpec("x", (None, 2), "float32")]))

    assert np.isnan(sample["x"]).tolist() == [False, True]
    assert label == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,c,y\n1,2,3,0\n", "takes 2 columns, and 3 are for it (a, b, c)"),
        ("a;b;y\n1;2;0\n", "takes 2 columns, and 1 are for it (a;b;y)"),
        ("", "takes 2 columns, and 0 are for it (none)"),
    ],
    ids=["too many", "semicolons", "empty"],
)
def test_the_wrong_number_of_columns_is_refused_with_their_names(
    text: str, words: str, tmp_path: Path
) -> None:
    assert words in refusal(csv(tmp_path, text), TensorSpec("x", (None, 2), "float32"))


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n", encoding="utf-16")  # Excel's "Unicode text"

    assert refusal(path, TensorSpec("x", (None, 2), "float32")).startswith(str(path))
