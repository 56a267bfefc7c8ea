"""Every kind of data that a user may bring, read as rows or refused in words."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edgekit.data.images import Images
from edgekit.data.open import check_data, open_rows
from edgekit.data.samples import DataError, Row, SampleSource
from edgekit_runtimes import TensorSpec

Array = npt.NDArray[Any]

X = TensorSpec("x", (None, 3, 2), "float32")
A, B = TensorSpec("a", (None, 2), "float32"), TensorSpec("b", (None, 1), "float32")

SAMPLES = np.arange(30, dtype=np.float32).reshape(5, 3, 2)
LABELS = np.array([3, 1, 4, 1, 5])


def read(rows: SampleSource) -> list[Row]:
    return [row for _, row in rows.read(lambda number: True)]


def refusal(data: Any, *inputs: TensorSpec, images: Images | None = None) -> str:
    """The message with which data is refused: as it is opened, or as it is read."""
    with pytest.raises(DataError) as caught:
        read(open_rows(data, inputs, images))
    return str(caught.value)


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


def npz(folder: Path, save: Callable[..., None] = np.savez, **arrays: Any) -> Path:
    save(folder / "samples.npz", **arrays)
    return folder / "samples.npz"


def npy(folder: Path, array: Array) -> Path:
    np.save(folder / "samples.npy", array)
    return folder / "samples.npy"


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "samples.csv").write_text(text, encoding)
    return folder / "samples.csv"


def table(names: list[str], rows: Array) -> str:
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows), ""])


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
def test_every_kind_of_data_gives_the_same_rows(
    make: Callable[[Path], Any], labels: Array | None, tmp_path: Path
) -> None:
    rows = open_rows(make(tmp_path), [X])

    for _ in range(2):  # rows can be read again
        found = read(rows)
        assert [row["x"].tolist() for row, _ in found] == SAMPLES.tolist()
        assert {row["x"].dtype for row, _ in found} == {np.dtype("float32")}
        given = [label for _, label in found]
        assert given == ([None] * 5 if labels is None else labels.tolist())
    assert rows.count in (5, None)


@pytest.mark.parametrize(("make", "labels"), KINDS)
def test_rows_that_nobody_wants_are_passed_over(
    make: Callable[[Path], Any], labels: Array | None, tmp_path: Path
) -> None:
    found = list(open_rows(make(tmp_path), [X]).read(lambda number: number in (1, 4)))

    assert [number for number, _ in found] == [1, 4]
    assert [row["x"].tolist() for _, (row, _) in found] == SAMPLES[[1, 4]].tolist()
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
    rows = read(open_rows("brought_by_a_user:samples", [X]))

    assert [row["x"].tolist() for row, _ in rows] == [[[n, n]] * 3 for n in range(3)]
    assert [label for _, label in rows] == [0, 1, 2]
    assert "no_such_name" in refusal("brought_by_a_user:no_such_name", X)
    assert "No module named 'no_such_module'" in refusal("no_such_module:samples", X)


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
    rows = read(open_rows(make(tmp_path), [A, B]))

    assert [{name: value.tolist() for name, value in row.items()} for row, _ in rows] == [
        {"a": [1, 2], "b": [5]},
        {"a": [3, 4], "b": [6]},
    ]


def test_a_list_of_two_arrays_is_refused_as_it_has_no_names() -> None:
    message = refusal(lambda: iter([[np.ones((1, 2)), np.ones((1, 1))]]), A, B)

    assert "which array is which would be a guess" in message
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
    assert "It holds left, right" in refusal(npz(tmp_path, left=SAMPLES, right=SAMPLES), X)


def test_one_array_is_not_enough_for_two_inputs(tmp_path: Path) -> None:
    assert "a (any, 2) float32; b (any, 1) float32" in refusal(npy(tmp_path, SAMPLES), A, B)


def test_an_input_may_be_called_like_a_label(tmp_path: Path) -> None:
    """As in a class-conditional model, which takes an image and a label."""
    inputs = [X, TensorSpec("label", (None,), "int32")]

    (row, _), *_ = read(open_rows(npz(tmp_path, x=SAMPLES, label=LABELS), inputs))

    assert row["label"] == 3


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
        (np.full((4, 2), 0.5), TensorSpec("ids", (None, 2), "int32"), ["'ids'", "whole", "int32"]),
        (np.full((4, 2), np.nan), TensorSpec("ids", (None, 2), "int32"), ["'ids'", "whole"]),
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
def test_a_lone_number_is_refused(kind: str, tmp_path: Path) -> None:
    lone = np.array(5.0)

    data = {"array": lone, "npy": npy(tmp_path, lone), "npz": npz(tmp_path, x=lone)}[kind]

    assert refusal(data, X)


@pytest.mark.parametrize(
    ("spec", "data", "expected"),
    [
        (TensorSpec("ids", (None, 2), "int32"), np.array([[1.0, 2.0]]), "int32"),
        (TensorSpec("ids", (None, 2), "int32"), np.array([[1, 2]], np.int64), "int32"),
        (TensorSpec("mask", (None, 2), "float32"), np.array([[True, True]]), "float32"),
        # A quantized input is fed real numbers: the runtime quantizes them.
        (TensorSpec("q", (None, 2), "int8", scale=0.1), np.array([[0.25, 300.0]]), "float32"),
    ],
)
def test_numbers_are_cast_to_what_the_input_takes(
    spec: TensorSpec, data: Array, expected: str
) -> None:
    ((row, _),) = read(open_rows(data, [spec]))

    assert row[spec.name].dtype == expected
    assert row[spec.name].tolist() == pytest.approx(data[0].astype(float).tolist())


def test_an_input_of_one_number_a_sample_has_no_axis() -> None:
    """It is batched again before it is run, and a model refuses (batch, 1) for (batch,)."""
    rows = read(open_rows(np.arange(3.0), [TensorSpec("age", (None,), "float32")]))

    assert [(row["age"].shape, float(row["age"])) for row, _ in rows] == [((), n) for n in range(3)]


def test_an_open_size_takes_samples_of_any() -> None:
    sentences = [np.zeros((1, length)) for length in (3, 7)]

    rows = read(open_rows(lambda: iter(sentences), [TensorSpec("ids", (None, None), "int32")]))

    assert [row["ids"].shape for row, _ in rows] == [(3,), (7,)]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("name", ["samples.npz", "samples.npy"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_truncated_file_is_named(name: str, order: str, share: float, tmp_path: Path) -> None:
    array = np.asarray(np.random.default_rng(0).random((50, 3, 2)), order=order)  # type: ignore[call-overload]
    path = (npz(tmp_path, x=array) if name == "samples.npz" else npy(tmp_path, array)).absolute()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    assert refusal(path, X).startswith(str(path))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_named(save: Callable[..., None], tmp_path: Path) -> None:
    path = npz(tmp_path, save, x=np.random.default_rng(0).random((5000, 3, 2)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF  # far from the header: it shows when rows are read
    path.write_bytes(content)

    assert refusal(path, X).startswith(str(path))


def test_python_objects_are_refused_as_they_can_carry_code(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}, None], dtype=object)

    for path in (npz(tmp_path, x=objects), npy(tmp_path, objects)):
        message = refusal(path, X)
        assert message.startswith(str(path))
        assert "can carry code" in message


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a,b,y\n1,2,0\n3,oops,1\n", 3, "'oops'"),
        ("a,b,y\n1,2,0\n3\n", 3, ""),
        ("a,b,y\n1,2,0\n\n\n3,oops,1\n", 5, "'oops'"),
    ],
    ids=["no number", "too short", "after empty lines"],
)
def test_a_bad_cell_is_told_with_its_line(
    text: str, line: int, reason: str, tmp_path: Path
) -> None:
    message = refusal(csv(tmp_path, text), TensorSpec("x", (None, 2), "float32"))

    assert f"samples.csv, line {line}: " in message
    assert reason in message


def test_an_empty_cell_is_a_missing_number(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,y\n1, ,0\n")

    ((row, label),) = read(open_rows(path, [TensorSpec("x", (None, 2), "float32")]))

    assert np.isnan(row["x"]).tolist() == [False, True]
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
def test_the_wrong_number_of_columns_is_told_with_their_names(
    text: str, words: str, tmp_path: Path
) -> None:
    assert words in refusal(csv(tmp_path, text), TensorSpec("x", (None, 2), "float32"))


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n", encoding="utf-16")  # Excel's "Unicode text"

    assert refusal(path, TensorSpec("x", (None, 2), "float32")).startswith(str(path))


def image(path: Path, pixels: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


RED_BLUE = [[[255, 0, 128]] * 2] * 2
PHOTO = TensorSpec("photo", (None, 2, 2, 3), "float32")


def test_folders_of_images_are_classes(tmp_path: Path) -> None:
    for number, name in enumerate(["dog/b.png", "cat/z.jpg", "cat/a.bmp", "dog/deep/c.gif"]):
        image(tmp_path / name, np.full((2, 2, 3), number))
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    # What a desktop leaves behind is nobody's sample.
    image(tmp_path / ".thumbnails" / "a.png", RED_BLUE)

    rows = open_rows(tmp_path, [PHOTO], Images("0..255"))

    assert rows.label_names == ("cat", "dog")
    assert rows.count == 4
    found = [(round(float(row["photo"].mean())), label) for row, label in read(rows)]
    assert found == [(2, 0), (1, 0), (0, 1), (3, 1)]  # in the order of their paths


def test_images_without_folders_have_no_labels(tmp_path: Path) -> None:
    image(tmp_path / "a.png", RED_BLUE)

    rows = open_rows(tmp_path, [PHOTO])

    assert rows.label_names == ()
    assert [label for _, label in read(rows)] == [None]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("0..1", [1.0, 0.0, 0.5019608]),
        ("-1..1", [1.0, -1.0, 0.0039216]),
        ("0..255", [255.0, 0.0, 128.0]),
        # keras.applications.imagenet_utils.preprocess_input: BGR, less its mean (caffe), and
        # RGB in 0..1, less its mean, by its deviation (torch).
        ("caffe", [128 - 103.939, 0 - 116.779, 255 - 123.68]),
        ("torch", [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225]),
    ],
)
def test_pixels_are_scaled_as_keras_documents_it(
    scale: str, expected: list[float], tmp_path: Path
) -> None:
    image(tmp_path / "a.png", RED_BLUE)

    ((row, _),) = read(open_rows(tmp_path, [PHOTO], Images(scale)))

    assert row["photo"].dtype == np.float32
    assert row["photo"][1, 1].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("scale", ["caffe", "torch"])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_scale_for_three_channels_is_refused_for_others(
    scale: str, channels: int, tmp_path: Path
) -> None:
    path = image(tmp_path / "a.png", RED_BLUE)
    spec = TensorSpec("photo", (None, 2, 2, channels), "float32")

    message = refusal(tmp_path, spec, images=Images(scale))

    assert str(path) in message or str(tmp_path) in message


@pytest.mark.parametrize(
    ("pixels", "channels", "expected"),
    [
        (RED_BLUE, 1, [0.299 * 255 + 0.114 * 128]),  # ITU-R 601, as Pillow and Keras have it
        ([[77] * 2] * 2, 1, [77]),
        ([[77] * 2] * 2, 3, [77, 77, 77]),
        ([[[255, 0, 128, 9]] * 2] * 2, 3, [255, 0, 128]),
        (RED_BLUE, 4, [255, 0, 128, 255]),
    ],
    ids=["colour to grey", "grey", "grey to colour", "transparent to colour", "to transparent"],
)
def test_images_take_the_channels_of_the_input(
    pixels: Any, channels: int, expected: list[float], tmp_path: Path
) -> None:
    image(tmp_path / "a.png", pixels)
    spec = TensorSpec("photo", (None, 2, 2, channels), "float32")

    ((row, _),) = read(open_rows(tmp_path, [spec], Images("0..255")))

    assert row["photo"].shape == (2, 2, channels)
    assert row["photo"][0, 0].tolist() == pytest.approx(expected, abs=1)


def test_images_are_resized_to_the_input(tmp_path: Path) -> None:
    left_to_right = np.repeat([[0] * 4 + [200] * 4], 6, axis=0)
    image(tmp_path / "a.png", left_to_right)

    ((row, _),) = read(
        open_rows(tmp_path, [TensorSpec("photo", (None, 3, 2, 1), "float32")], Images("0..255"))
    )

    assert row["photo"].shape == (3, 2, 1)
    assert (row["photo"][:, 0] < 60).all()
    assert (row["photo"][:, 1] > 140).all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b"no image at all"),
        ("a.jpg", b""),
        ("a.ppm", b"P6\n2? 2\n255\n" + bytes(12)),
        # A header that promises 65,535 x 65,535 pixels.
        ("a.bmp", b"BM" + bytes(12) + b"\x28\0\0\0\xff\xff\0\0\xff\xff\0\0\1\0\x18\0" + bytes(24)),
    ],
    ids=["text", "empty", "bad header", "too many pixels"],
)
def test_an_unreadable_image_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    assert str(tmp_path / name) in refusal(tmp_path, PHOTO)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    path = image(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    path.write_bytes(path.read_bytes()[:1000])

    assert str(path) in refusal(tmp_path, PHOTO)


@pytest.mark.parametrize("inputs", [(X,), (PHOTO, X)], ids=["no image", "two inputs"])
def test_a_folder_of_images_is_refused_where_the_model_takes_none(
    inputs: tuple[TensorSpec, ...], tmp_path: Path
) -> None:
    image(tmp_path / "a.png", RED_BLUE)

    assert "images go into one input" in refusal(tmp_path, *inputs)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    assert "no image in it" in refusal(tmp_path, PHOTO)


def test_random_rows_are_normal_numbers_always_the_same() -> None:
    ids = TensorSpec("ids", (None, 4), "int32")
    rows = open_rows("random", [X, ids])
    first, second = read(rows), read(rows)
    values = np.array([row["x"] for row, _ in first])

    assert rows.source == "random"
    assert len(first) == rows.count
    assert values.dtype == np.float32
    assert abs(values.mean()) < 0.1
    assert 0.9 < values.std() < 1.1
    assert {int(n) for row, _ in first for n in row["ids"]} == {0, 1}
    assert np.array_equal(values, [row["x"] for row, _ in second])
    assert len(np.unique(values)) == values.size  # no sample twice


def test_random_rows_need_fixed_sizes() -> None:
    assert "x (any, any) float32" in refusal("random", TensorSpec("x", (None, None), "float32"))


def test_what_yields_no_samples_is_refused() -> None:
    assert "int yields no samples" in refusal(5, X)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nowhere.npz", None, "no such file or folder"),
        ("samples.txt", b"1 2 3", "unknown kind of data '.txt'"),
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
        open_rows(str(tmp_path / name), [X])


@pytest.mark.parametrize("data", ["random", "module:function", SAMPLES, Batches(), None])
def test_what_is_no_path_is_not_refused_at_once(data: Any) -> None:
    check_data(data)
