"""Tables: cells, columns, names and encodings."""

from pathlib import Path

import numpy as np
import pytest
from support.user_data import csv, read, refusal

from edgekit.data.open import open_samples
from edgekit.data.split import set_aside
from edgekit_runtimes import TensorSpec


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a,b,y\n1,2,0\n3,oops,1\n", 3, "'oops'"),
        ("a,b,y\n1,2,0\n3\n", 3, "1 columns, and the first line has 3"),
        ("a,b,y\n1,2,0\n3,4,1,5\n", 3, "4 columns, and the first line has 3"),
        ("0.5,2\n3,4\n5,6,7\n", 3, "3 columns, and the first line has 2"),
        ("a,b,y\n1,2,0\n1_0,2,0\n", 3, "'1_0', in column 1 of 'a', is no number"),
        ("a,b,y\n1,2,0\n\n\n3,oops,1\n", 5, "'oops'"),
    ],
    ids=["no number", "short", "long", "long, no names", "underscore", "after empty lines"],
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
        ("x_0,x_0,y\n1,2,0\n", "two columns are called 'x_0'"),
        ("1,2,0\n3,4,1\n", "3 columns without names"),
        ("", "is empty"),
        ("\n\n", "is empty"),
    ],
    ids=["too many", "twice", "a label without names", "empty", "empty lines"],
)
def test_the_wrong_number_of_columns_is_refused_with_their_names(
    text: str, words: str, tmp_path: Path
) -> None:
    assert words in refusal(csv(tmp_path, text), TensorSpec("x", (None, 2), "float32"))


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "größe,b\n1,2\n", encoding="latin-1")

    assert refusal(path, TensorSpec("x", (None, 2), "float32")).startswith(str(path))


FEATURES = [[1.0, 0.5], [-2.0, 30.0], [4.0, 0.25]]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("1.0,0.5\n-2.0,30.0\n4.0,0.25\n", "utf-8"),
        ("1,5e-1\n-2,30\n4,.25", "utf-8"),
        ("1.0, 0.5\r\n-2.0, 30.0\r\n4.0, 0.25\r\n", "utf-8-sig"),
        ("1,0;0,5\n-2,0;30,0\n4,0;0,25\n", "utf-8"),
        ("1.0 0.5\n-2.0 30.0\n4.0 0.25\n", "utf-8"),
        ("a\tb\n1.0\t0.5\n-2.0\t30.0\n4.0\t0.25\n", "utf-16"),
        ("größe;b\r\n1,0;0,5\r\n-2;30\r\n4;0,25\r\n", "utf-8-sig"),
        ("# a,b\n1.0,0.5\n-2.0,30.0\n4.0,0.25\n", "utf-8"),
        (",x_1,x_0\n0,0.5,1\n1,30,-2\n2,0.25,4\n", "utf-8"),
        (",0,1\n0,1,0.5\n1,-2,30\n2,4,0.25\n", "utf-8"),
    ],
    ids=[
        "commas", "integers among floats", "spaces and CRLF", "decimal commas", "numpy.savetxt",
        "Excel's Unicode text", "Excel in German", "savetxt with a header", "pandas with an index",
        "pandas without names, with an index",
    ],
)  # fmt: skip
def test_tables_are_read_as_programs_write_them(text: str, encoding: str, tmp_path: Path) -> None:
    source = open_samples(csv(tmp_path, text, encoding), [TensorSpec("x", (None, 2), "float32")])

    assert [sample["x"].tolist() for sample, _ in read(source)] == FEATURES
    assert source.count == 3


@pytest.mark.parametrize(
    ("rows", "warns"),
    [
        ([[7, 3, 9, 1], [1, 2, 3, 4], [9, 8, 7, 6]], False),  # columns sorted by 7,3,9,1 before
        ([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], True),  # or pandas' names
        ([[5, 3, 1, 0], [0.5, 0.25, 1, 4], [8, 9, 10, 11]], True),
        ([[0.5, 0.25, 1, 4], [8, 9, 10, 11]], False),
    ],
    ids=["integers", "0, 1, 2", "integers above fractions", "fractions"],
)
def test_a_table_without_names_loses_no_sample(
    rows: list[list[float]], warns: bool, tmp_path: Path
) -> None:
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)

    source = open_samples(csv(tmp_path, text), [TensorSpec("x", (None, 4), "float32")])

    assert [sample["x"].tolist() for sample, _ in read(source)] == rows
    assert source.count == len(rows)
    assert ["taken for a sample" in warning for warning in source.warnings] == [True] * warns


def test_the_names_that_pandas_gives_are_no_sample_and_a_warning_says_so(tmp_path: Path) -> None:
    path = csv(tmp_path, "0,1,2,3\n0.5,1,2,3\n4,5,6,7\n")

    source = open_samples(path, [TensorSpec("x", (None, 4), "float32")])

    assert source.count == len(read(source)) == 2
    assert "taken for the names that pandas gives" in source.warnings[0]


@pytest.mark.parametrize(
    "cell", ["", " ", "nan", "NaN", "NA", "null", "None", "inf", "-Infinity", "1e400", "1e39"]
)
def test_what_is_no_finite_number_leaves_the_sample_out(cell: str, tmp_path: Path) -> None:
    lines = "".join(f"{n},{n}.5,0\n" for n in range(8))
    path = csv(tmp_path, f"a,b,y\n{lines}1,{cell},0\n")

    source = open_samples(path, [TensorSpec("x", (None, 2), "float32")])
    samples = set_aside(source, tmp_path / "s", calibration=0)

    assert len(samples.held_out) == 8
    assert samples.warnings == ("1 of 9 samples hold NaN or infinite values, and were left out",)


@pytest.mark.parametrize(
    ("cell", "dtype", "words"),
    [
        ("99999999999999999999", "int64", "takes int64"),
        ("9223372036854775808", "int64", "takes int64"),
        ("256", "uint8", "takes uint8, of 0 to 255"),
        ("0.5", "int32", "fractional parts or NaN"),
        ("", "int32", "fractional parts or NaN"),
        ("inf", "int32", "takes int32"),
        ("token", "int32", "'token', in column 2 of 'b', is no number"),
    ],
)
def test_an_integer_that_does_not_fit_is_refused_with_its_line(
    cell: str, dtype: str, words: str, tmp_path: Path
) -> None:
    message = refusal(csv(tmp_path, f"a,b\n1,2\n3,{cell}\n"), TensorSpec("x", (None, 2), dtype))

    assert "samples.csv, line 3: " in message
    assert words in message


def test_large_integers_stay_exact(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n9007199254740993,-9223372036854775808\n")

    ((sample, _),) = read(open_samples(path, [TensorSpec("ids", (None, 2), "int64")]))

    assert sample["ids"].tolist() == [9007199254740993, -9223372036854775808]


def test_a_name_of_thousands_of_digits_is_only_a_name(tmp_path: Path) -> None:
    """Python refuses to read such a number; the columns stay in their order."""
    path = csv(tmp_path, f"{'1' * 5000},b,y\n1,2,0\n")

    ((sample, _),) = read(open_samples(path, [TensorSpec("x", (None, 2), "float32")]))

    assert sample["x"].tolist() == [1, 2]
