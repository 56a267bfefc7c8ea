"""Every kind of samples that a user may bring, read alike or refused in words."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.user_data import LABELS, SAMPLES, Array, X, csv, npy, npz, read, refusal, table

from edgekit.data.iterables import open_arrays
from edgekit.data.open import SOURCES, SourceKind, check_data, describe_sources, open_samples
from edgekit.data.samples import DataError
from edgekit_runtimes import TensorSpec


class Batches:
    """What a tf.data set looks like from outside: (samples, labels) in batches, again and again."""

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        for start in range(0, len(SAMPLES), 2):
            yield SAMPLES[start : start + 2], LABELS[start : start + 2]


class Reader:
    """What ONNX Runtime takes for calibration: a CalibrationDataReader."""

    def __init__(self) -> None:
        self.rewind()

    def get_next(self) -> dict[str, Array] | None:
        return next(self._rest, None)

    def rewind(self) -> None:
        self._rest = iter([{"x": sample[np.newaxis]} for sample in SAMPLES])


FLAT = [f"x_{i}" for i in range(6)]
LABELLED: dict[str, Callable[[Path], Any]] = {
    "npz": lambda folder: npz(folder, x=SAMPLES, y=LABELS),
    "npz, of another name": lambda folder: npz(folder, photos=SAMPLES, labels=LABELS),
    "npz, more than is needed": lambda folder: npz(folder, x=SAMPLES, other=LABELS, label=LABELS),
    "npz, compressed": lambda folder: npz(folder, np.savez_compressed, x=SAMPLES, y=LABELS),
    "npz, fortran order": lambda folder: npz(folder, x=np.asfortranarray(SAMPLES), y=LABELS),
    "npz, big-endian doubles": lambda folder: npz(folder, x=SAMPLES.astype(">f8"), y=LABELS),
    "csv": lambda folder: csv(
        folder, table([*FLAT, "label"], np.column_stack([SAMPLES.reshape(5, 6), LABELS]))
    ),
    "csv, label first": lambda folder: csv(
        folder, table(["target", *"abcdef"], np.column_stack([LABELS, SAMPLES.reshape(5, 6)]))
    ),
    "csv, columns in any order": lambda folder: csv(
        folder,
        table([*FLAT[::-1], "y"], np.column_stack([SAMPLES.reshape(5, 6)[:, ::-1], LABELS])),
    ),
    "csv, as Excel saves UTF-8": lambda folder: csv(
        folder,
        table(["y", *FLAT], np.column_stack([LABELS, SAMPLES.reshape(5, 6)])),
        encoding="utf-8-sig",
    ),
    "a pair of arrays": lambda folder: (SAMPLES, LABELS),
    "a pair with a list of labels": lambda folder: (SAMPLES, LABELS.tolist()),
    "a mapping and labels": lambda folder: ({"x": SAMPLES}, LABELS),
    "a mapping": lambda folder: {"x": SAMPLES, "y": LABELS},
    "batches": lambda folder: Batches(),
    "batches of mappings": lambda folder: [
        {"x": SAMPLES[:3], "y": LABELS[:3]},
        {"x": SAMPLES[3:], "y": LABELS[3:]},
    ],
    "pairs one by one": lambda folder: list(zip(SAMPLES, LABELS, strict=True)),
    "a function that yields pairs": lambda folder: lambda: zip(SAMPLES, LABELS, strict=True),
    "a function that returns a pair": lambda folder: lambda: (SAMPLES, LABELS),
}
UNLABELLED: dict[str, Callable[[Path], Any]] = {
    "npy": lambda folder: npy(folder, SAMPLES),
    "npy, fortran order": lambda folder: npy(folder, np.asfortranarray(SAMPLES)),
    "npy, integers": lambda folder: npy(folder, SAMPLES.astype(np.int16)),
    "csv": lambda folder: csv(folder, table(FLAT, SAMPLES.reshape(5, 6))),
    "an array": lambda folder: SAMPLES,
    # TFLite's representative_dataset: a list, with an array for each input, batch axis first.
    "representative_dataset": lambda folder: lambda: ([s[np.newaxis]] for s in SAMPLES),
    "arrays one by one": lambda folder: list(SAMPLES),
    "a function that returns an array": lambda folder: lambda: SAMPLES,
    "CalibrationDataReader": lambda folder: Reader(),
}
KINDS = [
    *(pytest.param(make, LABELS, id=name) for name, make in LABELLED.items()),
    *(pytest.param(make, None, id=name) for name, make in UNLABELLED.items()),
]


@pytest.mark.parametrize(("make", "labels"), KINDS)
def test_every_kind_of_data_gives_the_same_samples(
    make: Callable[[Path], Any], labels: Array | None, tmp_path: Path
) -> None:
    source = open_samples(make(tmp_path), [X])

    for _ in range(2):  # samples can be read again
        found = read(source)
        assert [sample["x"].tolist() for sample, _ in found] == SAMPLES.tolist()
        assert {sample["x"].dtype for sample, _ in found} == {np.dtype("float32")}
        given = [label for _, label in found]
        assert given == ([None] * 5 if labels is None else labels.tolist())
    assert source.count in (5, None)


@pytest.mark.parametrize(("make", "labels"), KINDS)
def test_samples_that_are_not_selected_are_skipped(
    make: Callable[[Path], Any], labels: Array | None, tmp_path: Path
) -> None:
    found = list(open_samples(make(tmp_path), [X]).read(lambda number: number in (1, 4)))

    assert [number for number, _ in found] == [1, 4]
    assert [sample["x"].tolist() for _, (sample, _) in found] == SAMPLES[[1, 4]].tolist()
    assert [label for _, (_, label) in found] == ([None] * 2 if labels is None else [1, 5])


def test_a_function_is_found_in_the_folder_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brought_by_a_user.py").write_text(
        "def samples():\n    for number in range(3):\n        yield [[[number, number]] * 3], [number]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # what is put there is gone afterwards

    check_data("brought_by_a_user:samples")
    samples = read(open_samples("brought_by_a_user:samples", [X]))

    assert [sample["x"].tolist() for sample, _ in samples] == [[[n, n]] * 3 for n in range(3)]
    assert [label for _, label in samples] == [0, 1, 2]
    assert "no_such_name" in refusal("brought_by_a_user:no_such_name", X)
    assert "No module named 'no_such_module'" in refusal("no_such_module:samples", X)


def test_random_samples_are_normal_numbers_always_the_same() -> None:
    ids = TensorSpec("ids", (None, 4), "int32")
    source = open_samples("random", [X, ids])
    first, second = read(source), read(source)
    values = np.array([sample["x"] for sample, _ in first])

    assert source.source == "random"
    assert len(first) == source.count
    assert values.dtype == np.float32
    assert abs(values.mean()) < 0.1
    assert 0.9 < values.std() < 1.1
    assert {int(n) for sample, _ in first for n in sample["ids"]} == {0, 1}
    assert np.array_equal(values, [sample["x"] for sample, _ in second])
    assert len(np.unique(values)) == values.size  # no sample twice


def test_random_samples_need_fixed_sizes() -> None:
    assert "x (any, any) float32" in refusal("random", TensorSpec("x", (None, None), "float32"))


def test_what_yields_no_samples_is_refused() -> None:
    assert "int yields no samples" in refusal(5, X)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nowhere.npz", None, "no such file or folder"),
        ("samples.txt", b"1 2 3", "unknown kind of samples '.txt'"),
        ("samples.npz", b"PK\x03\x04 and no more", "cut short or of another kind"),
    ],
)
def test_a_path_that_cannot_be_data_is_refused_at_once(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=re.escape(words)):
        check_data(tmp_path / name)
    with pytest.raises(DataError, match=re.escape(words)):
        open_samples(str(tmp_path / name), [X])


@pytest.mark.parametrize("data", ["random", "module:function", SAMPLES, Batches()])
def test_what_is_no_path_is_not_refused_at_once(data: Any) -> None:
    check_data(data)


# The table of kinds.


def test_a_kind_of_samples_is_added_by_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = SourceKind(
        ".lines",
        lambda data: str(data).endswith(".lines"),
        lambda path, inputs, images: open_arrays(np.loadtxt(path), inputs),
    )
    monkeypatch.setitem(SOURCES, "lines", kind)
    np.savetxt(tmp_path / "samples.lines", SAMPLES[:, 0])

    source = open_samples(tmp_path / "samples.lines", [TensorSpec("x", (None, 2), "float32")])

    assert [sample["x"].tolist() for sample, _ in read(source)] == SAMPLES[:, 0].tolist()
    assert "random, or .lines" in refusal(tmp_path / "nowhere.npz", X)


def test_the_commands_help_lists_the_kinds_of_the_table() -> None:
    """It is written out there, so that help is printed without importing NumPy."""
    text = subprocess.run(
        [sys.executable, "-m", "edgekit", "convert", "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert describe_sources() in " ".join(text.replace("│", " ").split())


def test_data_matches_one_entry_of_the_table(tmp_path: Path) -> None:
    """But iterables, which many things are: they come last."""
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    every = [make(tmp_path) for make in (*LABELLED.values(), *UNLABELLED.values())]
    for data in (*every, tmp_path, "random", "module:function"):
        matching = [name for name, kind in SOURCES.items() if kind.matches(data)]
        assert matching[1:] in ([], ["iterable"]), data
