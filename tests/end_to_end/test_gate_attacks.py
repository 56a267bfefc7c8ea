"""Attempts to make a junk file pass: by labels that do not fit, by samples that prove nothing, by what it answers."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.main import main
from edgekit.data.samples import Array
from edgekit_converters.tflite import flatbuffer

NUMBERED_OTHERWISE: dict[str, tuple[Callable[[Array], Array], str]] = {
    "from 1": (lambda y: y + 1, r"1 to 10 .*classes are 0 to 9.*count from 1; subtract 1"),
    "-1": (lambda y: np.where(y == 3, -1, y), r"-1 to 9 \(sample \d+ has -1\)"),
    "NaN": (lambda y: np.where(np.arange(len(y)) == 5, np.nan, y), r"sample 5 has NaN"),
    "halves": (lambda y: y + 0.5, r"has \d\.5, and classes are whole numbers"),
    "one-hot of 11": (lambda y: np.eye(11)[y], r"one-hot, of 11 classes, and the output has 10"),
}


def permuted(source: Path, target: Path) -> Path:
    """A TFLite file with its weights in random order: junk, with the ranges of the good one."""
    model = flatbuffer.read(source)
    random = np.random.default_rng(0)
    for tensor in model.subgraphs[0].tensors:
        values = flatbuffer.constant(model, tensor)
        if values is not None and values.ndim > 1:
            mixed = random.permutation(np.asarray(values).reshape(-1))
            model.buffers[tensor.buffer].data = np.frombuffer(mixed.tobytes(), np.uint8)
    flatbuffer.write(model, target)
    return target


@pytest.fixture(scope="module")
def junk(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("junk")
    return permuted(converted / "model_int8.tflite", folder / "junk_int8.tflite")


def evaluated(digits: Path, count: int = 400) -> tuple[Array, Array]:
    with np.load(digits / "eval.npz") as data:
        return data["image"][:count], data["y"][:count]


def validate(converted: Path, candidate: Path, data: Any, **options: Any) -> edgekit.Report:
    return edgekit.validate(converted / "model_float32.tflite", candidate, data, **options)


@pytest.mark.parametrize("kind", NUMBERED_OTHERWISE)
def test_labels_that_are_no_classes_of_the_model_are_refused(
    kind: str, digits: Path, converted: Path, junk: Path
) -> None:
    images, labels = evaluated(digits, 60)
    change, words = NUMBERED_OTHERWISE[kind]

    with pytest.raises(edgekit.DataError, match=rf"labels of output 'digit': .*{words}"):
        validate(converted, junk, (images, change(labels)))


def test_the_command_refuses_a_junk_file_with_labels_from_1(
    digits: Path, converted: Path, junk: Path, tmp_path: Path
) -> None:
    images, labels = evaluated(digits, 60)
    np.savez(tmp_path / "data.npz", image=images, y=labels + 1)
    original = str(converted / "model_float32.tflite")
    result = CliRunner().invoke(
        main, ["validate", original, str(junk), "--data", str(tmp_path / "data.npz")]
    )

    assert result.exit_code == 2, result.output
    assert "they seem to count from 1" in result.output


def test_labels_of_other_samples_let_neither_junk_nor_a_good_file_pass(
    digits: Path, converted: Path, junk: Path
) -> None:
    images, labels = evaluated(digits)
    others = np.random.default_rng(1).permutation(labels)
    report = edgekit.validate(
        converted / "model_float32.tflite",
        [converted / "model_int8.tflite", junk],
        (images, others),
        max_drop=1.0,
    )

    good, bad = report.files
    assert good.verdict == "inconclusive"
    assert "do the labels belong to this model?" in good.results[0].reason
    assert bad.verdict == "fail"
    assert "predictions agree with the original's in" in bad.results[0].reason
    assert not report


def test_labels_of_one_class_prove_nothing(digits: Path, converted: Path) -> None:
    images, labels = evaluated(digits)
    report = validate(
        converted, converted / "model_int8.tflite", (images[labels == 3], labels[labels == 3])
    )

    assert report.verdict == "inconclusive"
    assert "all labels are 3: so would be a model that always answers 3" in str(report)


def test_samples_of_one_class_without_labels_prove_nothing(digits: Path, converted: Path) -> None:
    images, _ = evaluated(digits)
    report = validate(converted, converted / "model_int8.tflite", np.repeat(images[:1], 300, 0))

    assert report.verdict == "inconclusive"
    assert "for every sample" in str(report)


def test_with_only_float32_files_the_doubt_is_a_warning(digits: Path, converted: Path) -> None:
    images, labels = evaluated(digits)
    report = edgekit.validate(
        digits / "cnn.keras", converted / "model_float32.tflite", (images, (labels + 1) % 10)
    )

    assert report.verdict == "pass", "60 dB of SQNR need no labels"
    assert any("do the labels belong to this model?" in warning for warning in report.warnings)


UNUSED: dict[str, tuple[Callable[[Array], dict[str, Array]], str]] = {
    "y_dgit": (lambda y: {"y_dgit": y}, "no output 'dgit' (did you mean 'digit'?)"),
    "class": (lambda y: {"class": y}, "'class' looks like labels and is not used"),
    "soft": (lambda y: {"y": 0.8 * np.eye(10)[y] + 0.02}, "neither class numbers nor one-hot"),
    "shape": (lambda y: {"y": np.stack([y, y], 1)}, "they have the shape (2,) a sample"),
}


@pytest.mark.parametrize("kind", UNUSED)
def test_labels_that_are_not_used_are_a_warning(
    kind: str, digits: Path, converted: Path, junk: Path
) -> None:
    images, labels = evaluated(digits)
    arrays, words = UNUSED[kind]
    report = validate(converted, junk, {"image": images, **arrays(labels)})

    assert [w for w in report.warnings if words in w], report.warnings
    assert report.files[0].results[0].accuracy is None
    assert report.verdict == "fail", "without labels, by the predictions that change"


def test_a_sample_without_a_label_in_a_stream_is_a_warning(digits: Path, converted: Path) -> None:
    images, labels = evaluated(digits, 90)
    stream = [
        (image, None if number == 30 else label)
        for number, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    data = [(image,) if label is None else (image, label) for image, label in stream]
    with_dicts = [{"image": pair[0], **({"y": pair[1]} if len(pair) > 1 else {})} for pair in data]
    report = validate(converted, converted / "model_int8.tflite", with_dicts)

    (warning,) = (w for w in report.warnings if "no labels are used" in w)
    assert "1 of 90 samples to evaluate on have none, the first is sample 30" in warning


def save_images(folder: Path, images: Array, labels: Array, names: list[str]) -> Path:
    from PIL import Image

    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        pixels = np.rint(image[..., 0] * 255).astype(np.uint8)
        Image.fromarray(pixels, "L").save(folder / names[label] / f"{number}.png")
    return folder


WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def test_class_folders_take_their_numbers_from_labels(
    digits: Path, converted: Path, tmp_path: Path
) -> None:
    images, labels = evaluated(digits, 200)
    data = save_images(tmp_path / "images", images, labels, WORDS)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(WORDS))
    int8 = shutil.copy(converted / "model_int8.tflite", tmp_path)
    right = validate(converted, int8, data, labels=names, max_drop="5%")
    by_alphabet = validate(converted, int8, data, max_drop="5%")

    assert right.files[0].results[0].original_accuracy == pytest.approx(1, abs=0.05)
    assert right.verdict == "pass", str(right)
    assert by_alphabet.verdict == "inconclusive"
    assert "do the labels belong to this model?" in str(by_alphabet)
    with pytest.raises(edgekit.DataError, match="'eight' is none of the 10 class names"):
        validate(converted, int8, data, labels=[f"class {n}" for n in range(10)])
    with pytest.raises(edgekit.DataError, match=r"9 class names .*number of classes is 10"):
        validate(converted, int8, (images, labels), labels=WORDS[:9])


def test_folders_that_are_not_the_classes_are_refused_or_warned_of(
    digits: Path, converted: Path, tmp_path: Path
) -> None:
    images, labels = evaluated(digits, 60)
    int8 = shutil.copy(converted / "model_int8.tflite", tmp_path)
    few = labels < 3
    data = save_images(tmp_path / "few", images[few], labels[few], WORDS)
    shutil.copy(next(data.rglob("*.png")), data / "stray.png")
    report = validate(converted, int8, data)

    assert any("3 class folders (one, two, zero) for 10 classes" in w for w in report.warnings)
    assert any("1 image beside the class folders (stray.png)" in w for w in report.warnings)
    more = save_images(tmp_path / "more", images, labels, WORDS)
    (more / "notes").mkdir()
    with pytest.raises(edgekit.DataError, match=r"11 class folders .* the model has 10 classes"):
        validate(converted, int8, more)


def test_a_good_file_on_good_samples_passes_as_before(digits: Path, converted: Path) -> None:
    report = validate(
        converted, converted / "model_int8.tflite", evaluated(digits), max_drop="2%", labels=WORDS
    )

    assert (report.verdict, report.warnings) == ("pass", ())
    assert report.files[0].differences[0].class_names == tuple(WORDS)
