"""``edgekit run``: one image or many samples in; predictions, what was chosen and left out, files."""

import csv
import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from support.json_schema import FOLDER
from support.outputs import stored

from edgekit.cli.main import main
from edgekit.workflows.run import RunSummary, save_predictions


def edgekit(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)


@pytest.fixture
def digit(digits: Path) -> tuple[np.ndarray, str]:
    """One digit as 8-bit pixels, and what it is."""
    with np.load(digits / "eval.npz") as held:
        pixels = np.rint(held["image"][3, ..., 0] * 255).astype(np.uint8)
        return pixels, str(held["y"][3])


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def first(result: Result) -> str:
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    return str(json.loads(line)["outputs"]["digit"][0][0])


@pytest.mark.parametrize("name", ["digit.png", "digit.JPG", "digit.bmp"])
def test_one_image_file_is_a_sample(
    name: str, digit: tuple[np.ndarray, str], converted: Path, tmp_path: Path
) -> None:
    pixels, label = digit
    kind = {"JPG": "JPEG"}.get(name[-3:], name[-3:])
    (tmp_path / name).write_bytes(encoded(pixels, kind))
    result = edgekit(
        "run", converted / "model_int8.tflite", "--data", tmp_path / name, "--json"
    )  # fmt: skip

    assert first(result) == label
    assert "1 sample, all there are" in result.stderr


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "pixels", "npy", "npz"])
def test_a_camera_frame_comes_on_standard_input(
    kind: str, digit: tuple[np.ndarray, str], converted: Path
) -> None:
    pixels, label = digit
    sample = (pixels / np.float32(255))[np.newaxis, ..., np.newaxis]
    buffer = io.BytesIO()
    if kind == "npy":
        np.save(buffer, sample)
    elif kind == "npz":
        np.savez(buffer, image=sample)
    else:
        buffer.write(pixels.tobytes() if kind == "pixels" else encoded(pixels, kind))
    result = edgekit(
        "run", converted / "model_int8.onnx", "--data", "-", "--json", stdin=buffer.getvalue()
    )  # fmt: skip

    assert first(result) == label


@pytest.mark.parametrize(
    ("stdin", "words"), [(b"", "standard input is empty"), (b"GIF89a no", "the image: cannot")]
)
def test_what_is_no_image_is_refused(stdin: bytes, words: str, converted: Path) -> None:
    result = edgekit("run", converted / "model_int8.onnx", "--data", "-", stdin=stdin)

    assert result.exit_code == 2
    assert words in result.stderr


def test_it_says_what_it_chose_what_it_left_out_and_how_accurate_it_was(
    converted: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = edgekit("run", converted, "--data", digits / "eval.npz", "--count", "50")

    assert result.exit_code == 0, result.output
    chosen, ran, accuracy = result.stderr.splitlines()
    assert chosen.startswith("model_")
    assert f", the fastest that passes in {converted}" in chosen
    assert " on " in chosen
    assert ran == "50 samples of 400: 350 left out"
    right = [
        line.split()[1].rstrip(":") == line.rpartition("(label ")[2].rstrip(")")
        for line in result.stdout.splitlines()
    ]
    assert accuracy == f"accuracy {100 * np.mean(right):.1f}%"


def test_samples_that_hold_no_numbers_are_left_out_and_counted(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    with np.load(digits / "eval.npz") as held:
        images, labels = held["image"][:12].copy(), held["y"][:12]
    images[2:4] = np.nan
    np.savez(tmp_path / "some.npz", image=images, y=labels)
    result = edgekit(
        "run", converted / "model_int8.onnx", "--data", tmp_path / "some.npz", "--count", "20"
    )  # fmt: skip

    assert [int(line.split()[0]) for line in result.stdout.splitlines()] == [0, 1, *range(4, 12)]
    assert "10 samples of 12: 2 left out, 2 of them for NaN or infinite values" in result.stderr
    images[:] = np.nan
    np.savez(tmp_path / "none.npz", image=images, y=labels)
    none = edgekit("run", converted / "model_int8.onnx", "--data", tmp_path / "none.npz")
    assert none.exit_code == 2
    assert "no sample to run (12 hold NaN or infinite values)" in none.stderr


def test_labels_that_fit_nothing_are_no_reason_to_print_nothing(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    with np.load(digits / "eval.npz") as held:
        np.savez(tmp_path / "words.npz", image=held["image"][:4], y=["a", "b", "c", "d"])
    result = edgekit("run", converted / "model_int8.onnx", "--data", tmp_path / "words.npz")

    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 4
    assert "no accuracy: " in result.stderr


@pytest.mark.parametrize("kind", ["csv", "npz", "json"])
def test_predictions_of_all_samples_go_into_a_file(
    kind: str, converted: Path, digits: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new" / f"predictions.{kind}"
    result = edgekit(
        "run", converted / "model_int8.onnx", "--data", digits / "eval.npz", "-o", path
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert f"written to {path}" in result.stderr
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with np.load(digits / "eval.npz") as held:
        labels = held["y"]
    if kind == "csv":
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
        numbers = [int(row["sample"]) for row in rows]
        predicted = [row["digit"] for row in rows]
        scores = np.array([[float(row[f"digit_{i}"]) for i in range(10)] for row in rows])
        known = [row["label"] for row in rows]
    elif kind == "npz":
        with np.load(path) as archive:
            numbers, scores = archive["samples"].tolist(), archive["outputs/digit"]
            known = [str(label) for label in archive["labels"]]
        predicted = [str(p) for p in scores.argmax(axis=1)]
    else:
        document = json.loads(path.read_text())
        schema = json.loads((FOLDER / "predictions.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(document)
        assert document["left_out"] == 0
        rows = document["predictions"]
        numbers = [row["sample"] for row in rows]
        predicted = [row["predicted"]["digit"] for row in rows]
        scores = np.array([row["outputs"]["digit"] for row in rows])
        known = [row["label"] for row in rows]
        right = np.mean([p == k for p, k in zip(predicted, known, strict=True)])
        assert document["metrics"]["digit"]["top1"] == pytest.approx(right)
    assert numbers == list(range(400))
    assert known == [str(label) for label in labels]
    assert predicted == [str(p) for p in scores.argmax(axis=1)]
    assert np.mean(scores.argmax(axis=1) == labels) > 0.9


def test_a_file_of_another_kind_is_refused_before_anything_runs(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    result = edgekit(
        "run", converted / "model_int8.onnx", "--data", digits / "eval.npz",
        "-o", tmp_path / "p.txt",
    )  # fmt: skip

    assert result.exit_code == 2
    assert "p.txt: predictions are written as .csv, .npz, .json" in result.stderr


def test_a_failure_leaves_the_file_that_was_there(
    converted: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output as wide as no table is, by a limit that is narrower than this model's."""
    from edgekit.workflows import run

    monkeypatch.setattr(run, "_MOST_COLUMNS", 5)
    path = tmp_path / "predictions.csv"
    path.write_text("precious")
    result = edgekit(
        "run", converted / "model_int8.onnx", "--data", digits / "eval.npz", "-o", path
    )  # fmt: skip

    assert result.exit_code == 2
    assert "digit 10 values a sample are too many for a table: write .npz" in result.stderr
    assert path.read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_stream_is_not_read_further_than_asked(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text(
        "import numpy as np\n"
        "def frames():\n"
        "    for i in range(3):\n"
        "        yield {'image': np.zeros((8, 8, 1), np.float32)}\n"
        "    raise AssertionError('read on')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = edgekit(
        "run", converted / "model_int8.onnx", "--data", "endless:frames", "--count", "3"
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "3 samples; whether there are more is not known" in result.stderr


def test_several_labels_at_once_are_written_by_their_names(tmp_path: Path) -> None:
    outputs = np.array([[0.9, 0.2, 0.8], [0.1, 0.2, 0.3]], np.float32)
    summary = RunSummary(
        file="tags.onnx", device="mlas", samples=2, left_out=0, label_names=("red", "round", "soft"),
        outputs=stored(tmp_path / "outputs", {"tags": outputs}), numbers=(0, 1), labels=None,
        tasks={"tags": "multilabel"}, metrics={}, refusal="",
    )  # fmt: skip
    save_predictions(summary, tmp_path / "tags.csv")

    rows = list(csv.DictReader((tmp_path / "tags.csv").open(encoding="utf-8")))
    assert [row["tags"] for row in rows] == ["red soft", ""]
    assert float(rows[0]["tags_0"]) == pytest.approx(0.9)


def test_a_lone_file_says_its_class_names_and_what_pixels_become(
    digits: Path, digit: tuple[np.ndarray, str], tmp_path: Path
) -> None:
    """Of a file without its manifest, from what it carries itself."""
    import edgekit as library

    names = [f"digit {number}" for number in range(10)]
    library.convert(
        digits / "mlp.keras", digits / "calib.npz", tmp_path / "out", to="onnx", precision="float32",
        labels=names, scale="0..1",
    )  # fmt: skip
    lone = (tmp_path / "out/model_float32.onnx").rename(tmp_path / "lone.onnx")
    pixels, label = digit
    result = edgekit("run", lone, "--data", "-", "--json", stdin=encoded(pixels, "PNG"))

    assert first(result) == f"digit {label}"
