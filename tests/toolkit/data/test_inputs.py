"""Arrays matched to a model's inputs: names, lengths, shapes and dtypes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.user_data import LABELS, SAMPLES, A, Array, B, X, csv, npy, npz, read, refusal

from edgekit.data.open import open_samples
from edgekit_runtimes import TensorSpec

A_ROWS, B_ROWS = np.array([[1, 2], [3, 4]]), np.array([[5], [6]])


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: {"b": B_ROWS, "a": A_ROWS},
        lambda folder: lambda: iter([{"b": B_ROWS, "a": A_ROWS}]),
        lambda folder: lambda: ({"b": B_ROWS[[i]], "a": A_ROWS[[i]]} for i in range(2)),
        lambda folder: lambda: ({"b": B_ROWS[i], "a": A_ROWS[i]} for i in range(2)),
        lambda folder: npz(folder, b=B_ROWS, a=A_ROWS),
        lambda folder: csv(folder, "id,b,a_0,a_1\n7,5,1,2\n8,6,3,4\n"),
        lambda folder: csv(folder, "b_0,a_1,a_0\n5,2,1\n6,4,3\n"),
    ],
    ids=["mapping", "one batch", "batches of one", "one by one", "npz", "csv", "csv, a backwards"],
)
def test_several_inputs_take_arrays_by_name_in_any_order(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    samples = read(open_samples(make(tmp_path), [A, B]))

    assert [{name: value.tolist() for name, value in sample.items()} for sample, _ in samples] == [
        {"a": [1, 2], "b": [5]},
        {"a": [3, 4], "b": [6]},
    ]


def test_a_list_of_two_arrays_is_refused_as_it_has_no_names() -> None:
    message = refusal(lambda: iter([[np.ones((1, 2)), np.ones((1, 1))]]), A, B)

    assert "which array is for which input is not known" in message
    assert "(a, b)" in message


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: npz(folder, a=np.ones((4, 2)), c=np.ones((4, 1))),
        lambda folder: {"a": np.ones((4, 2)), "c": np.ones((4, 1))},
        lambda folder: lambda: iter([{"a": np.ones((4, 2)), "c": np.ones((4, 1))}]),
        lambda folder: csv(folder, "a_0,a_1,c\n1,2,3\n"),
    ],
    ids=["npz", "mapping", "function", "csv"],
)
def test_a_missing_input_is_named_with_what_is_there(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    message = refusal(make(tmp_path), A, B)

    assert "b (any, 1) float32" in message
    assert "a, c" in message or "0 are for it (none)" in message


def test_a_single_input_takes_no_guess_among_two_arrays(tmp_path: Path) -> None:
    assert "There are left, right" in refusal(npz(tmp_path, left=SAMPLES, right=SAMPLES), X)


def test_one_array_is_not_enough_for_two_inputs(tmp_path: Path) -> None:
    assert "a (any, 2) float32; b (any, 1) float32" in refusal(npy(tmp_path, SAMPLES), A, B)


def test_an_input_may_be_called_like_a_label(tmp_path: Path) -> None:
    """As in a class-conditional model, which takes an image and a label."""
    inputs = [X, TensorSpec("label", (None,), "int32")]

    (sample, _), *_ = read(open_samples(npz(tmp_path, x=SAMPLES, label=LABELS), inputs))

    assert sample["label"] == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: npz(folder, a=np.ones((4, 2)), b=np.ones((3, 1))),
        lambda folder: npz(folder, a=np.ones((4, 2)), b=np.ones((4, 1)), y=np.ones(3)),
        lambda folder: {"a": np.ones((4, 2)), "b": np.ones((3, 1))},
        lambda folder: ({"a": np.ones((4, 2)), "b": np.ones((4, 1))}, np.ones(3)),
        lambda folder: lambda: iter([{"a": np.ones((4, 2)), "b": np.ones((3, 1))}]),
        lambda folder: lambda: iter([{"a": np.ones((3, 2)), "b": np.ones((4, 1))}]),
        lambda folder: lambda: iter([({"a": np.ones((4, 2)), "b": np.ones((4, 1))}, np.ones(3))]),
    ],
    ids=[
        "npz",
        "npz labels",
        "mapping",
        "mapping labels",
        "batch, the second shorter",
        "batch, the first shorter",
        "batch labels",
    ],
)
def test_arrays_of_different_lengths_are_refused(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    message = refusal(make(tmp_path), A, B).replace(str(tmp_path), "")

    assert re.search(r"\b4\b", message)
    assert re.search(r"\b3\b", message)


@pytest.mark.parametrize(
    ("data", "inputs", "words"),
    [
        (np.ones((4, 2, 3)), X, ["'x'", "(3, 2)", "(2, 3)"]),
        (np.ones((4, 3, 2, 1)), X, ["'x'", "(3, 2)", "(3, 2, 1)"]),
        (np.full((4, 3, 2), "a"), X, ["'x'", "numbers", "<U1"]),
        (np.ones((4, 3, 2), complex), X, ["'x'", "numbers", "complex128"]),
        (
            np.full((4, 2), 0.5),
            TensorSpec("ids", (None, 2), "int32"),
            ["'ids'", "integers", "int32"],
        ),
        (np.full((4, 2), np.nan), TensorSpec("ids", (None, 2), "int32"), ["'ids'", "integers"]),
        # A cast would make 44, 255 and 0 of them, and say nothing.
        (np.full((4, 2), 300), TensorSpec("ids", (None, 2), "uint8"), ["'ids'", "uint8"]),
        (np.full((4, 2), -1), TensorSpec("ids", (None, 2), "uint8"), ["'ids'", "uint8"]),
        (np.full((4, 2), 2**32), TensorSpec("ids", (None, 2), "int32"), ["'ids'", "int32"]),
    ],
    ids=["shape", "axes", "text", "complex", "halves", "nan", "high", "low", "wide"],
)
@pytest.mark.parametrize("kind", ["array", "npy"])
def test_what_does_not_fit_is_refused_with_what_is_expected_and_given(
    kind: str, data: Array, inputs: TensorSpec, words: list[str], tmp_path: Path
) -> None:
    message = refusal(data if kind == "array" else npy(tmp_path, data), inputs)

    for word in words:
        assert word in message


@pytest.mark.parametrize("kind", ["array", "npy", "npz"])
def test_a_0d_array_is_refused(kind: str, tmp_path: Path) -> None:
    scalar = np.array(5.0)

    data = {"array": scalar, "npy": npy(tmp_path, scalar), "npz": npz(tmp_path, x=scalar)}[kind]

    assert "0-d array" in refusal(data, X)


@pytest.mark.parametrize(
    ("spec", "data", "expected"),
    [
        (TensorSpec("ids", (None, 2), "int32"), np.array([[1.0, 2.0]]), "int32"),
        (TensorSpec("ids", (None, 2), "int32"), np.array([[1, 2]], np.int64), "int32"),
        (TensorSpec("mask", (None, 2), "float32"), np.array([[True, True]]), "float32"),
        # A quantized input is fed float32: the runtime quantizes them.
        (TensorSpec("q", (None, 2), "int8", scale=0.1), np.array([[0.25, 300.0]]), "float32"),
    ],
)
def test_numbers_are_cast_to_what_the_input_takes(
    spec: TensorSpec, data: Array, expected: str
) -> None:
    ((sample, _),) = read(open_samples(data, [spec]))

    assert sample[spec.name].dtype == expected
    assert sample[spec.name].tolist() == pytest.approx(data[0].astype(float).tolist())


def test_an_input_of_one_number_a_sample_has_no_axis() -> None:
    """It is batched again before it is run, and a model refuses (batch, 1) for (batch,)."""
    samples = read(open_samples(np.arange(3.0), [TensorSpec("age", (None,), "float32")]))

    assert [(sample["age"].shape, float(sample["age"])) for sample, _ in samples] == [
        ((), n) for n in range(3)
    ]


def test_a_dynamic_dimension_takes_samples_of_any_size() -> None:
    sentences = [np.zeros((1, length)) for length in (3, 7)]

    samples = read(
        open_samples(lambda: iter(sentences), [TensorSpec("ids", (None, None), "int32")])
    )

    assert [sample["ids"].shape for sample, _ in samples] == [(3,), (7,)]
