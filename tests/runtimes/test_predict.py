"""Images in, answers by name out: the numbers of the validation, from a folder and from a lone file."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.once import once

import edgekit
from edgekit.report.saved_outputs import load_recording
from edgekit_runtimes import Engine, Facts, InputError, ModelError, Session, TensorSpec, open_model
from edgekit_runtimes.processing.facts import FACTS_KEY
from edgekit_runtimes.processing.postprocessing import Postprocessing

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
FILES = ("model_float32.tflite", "model_int8.tflite", "model_float32.onnx", "model_int8.onnx")


def save_photos(folder: Path, digits: Path) -> None:
    """Digits as larger photos in folders of their classes, some turned as a camera was held; converted."""
    with np.load(digits / "calib.npz") as held:
        images, labels = held["image"][:160, ..., 0], held["y"][:160]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        photo = Image.fromarray(np.rint(image * 255).astype(np.uint8)).resize((24, 20))
        tags = Image.Exif()
        if number % 4 == 3:
            tags[0x0112] = 3
            photo = photo.transpose(Image.Transpose.ROTATE_180)
        path = folder / "photos" / NAMES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.convert("RGB").save(path, exif=tags)
    edgekit.convert(
        digits / "cnn.keras", folder / "photos", folder / "out", labels=NAMES, max_drop=1.0
    )


@pytest.fixture(scope="module")
def photos(digits: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object) -> Path:
    """A folder with ``photos``, and ``out``, which was converted on them; read only."""
    return once(tmp_path_factory, "photos", lambda folder: save_photos(folder, digits))


def test_the_manifest_says_what_was_done_to_the_photos(photos: Path) -> None:
    manifest = json.loads((photos / "out/manifest.json").read_text())
    (image,) = manifest["preprocessing"]
    assert (image["height"], image["width"], image["color_order"]) == (8, 8, "L")
    assert (image["scale"], image["mean"], image["std"]) == ("0..1", [0.0], [255.0])
    assert manifest["labels"] == NAMES
    assert manifest["scale"] == "0..1"


@pytest.mark.parametrize("file", FILES)
def test_a_prediction_has_the_numbers_of_the_validation(
    file: str, photos: Path, tmp_path: Path
) -> None:
    original = photos / "out/model_float32.tflite"
    saved = tmp_path / "outputs.npz"
    edgekit.validate(original, photos / "out" / file, photos / "photos", save=saved, max_drop=1.0)
    outputs = load_recording(saved, tmp_path / "read").files[0].outputs
    recorded = outputs.rows(0, len(outputs))["digit"]
    paths = sorted((photos / "photos").rglob("*.png"))
    assert len(recorded) == len(paths)
    with open_model(photos / "out" / file) as model:
        for row in range(0, len(paths), 7):
            prediction = model.predict(paths[row])
            np.testing.assert_array_equal(prediction.outputs["digit"], recorded[row])
            best = prediction.best
            assert best is not None
            assert best.number == recorded[row].argmax()
            assert best.label == NAMES[best.number]
            assert best.score == recorded[row].max()


def test_a_path_bytes_an_image_and_an_array_are_the_same_photo(photos: Path) -> None:
    path = photos / "photos/three" / sorted((photos / "photos/three").iterdir())[0].name
    with open_model(photos / "out", device="cpu") as model, Image.open(path) as image:
        expected = model.predict(path).outputs["digit"]
        upright = np.asarray(image.convert("RGB"))
        if image.getexif().get(0x0112) == 3:
            upright = upright[::-1, ::-1]
        for same in (str(path), path.read_bytes(), image, upright):
            np.testing.assert_array_equal(model.predict(same).outputs["digit"], expected)
        assert image.size == (24, 20)  # the caller's own is as it was
        gray = upright[..., 0]
        np.testing.assert_array_equal(model.predict(gray).outputs["digit"], expected)


def test_pixels_in_the_inputs_size_need_no_pillow(photos: Path, digits: Path) -> None:
    with np.load(digits / "eval.npz") as held:
        image, label = held["image"][3], NAMES[held["y"][3]]
    pixels = np.rint(image * 255).astype(np.uint8)
    code = f"""
import sys; sys.modules["PIL"] = None
import numpy as np
from edgekit_runtimes import RuntimeMissing, open_model
pixels = np.array({pixels.tolist()}, np.uint8)
with open_model({str(photos / "out/model_int8.tflite")!r}) as model:
    for same in (pixels, pixels[..., 0], pixels.tobytes()):
        print(model.predict(same).best.label)
    try:
        model.predict(np.zeros((9, 9), np.uint8))
    except RuntimeMissing as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *labels, missing = done.stdout.splitlines()
    assert labels == [label] * 3
    assert "pip install 'edgekit-toolkit[images]'" in missing


@pytest.mark.parametrize("file", FILES)
def test_a_lone_file_has_the_same_facts_as_the_manifest(
    file: str, photos: Path, tmp_path: Path
) -> None:
    with open_model(photos / "out" / file) as model:
        facts = model.facts
    lone = shutil.copy(photos / "out" / file, tmp_path)
    with open_model(lone) as model:
        assert model.facts == facts
        assert facts.labels == tuple(NAMES)
        assert facts.preprocessing
        assert facts.postprocessing == (Postprocessing("digit", "classes", "none", 5),)
        assert model.predict(np.zeros((8, 8), np.uint8)).best is not None


def test_numbers_of_a_sample_go_in_as_they_are(photos: Path) -> None:
    x = np.random.default_rng(0).random((8, 8, 1)).astype(np.float32)
    with open_model(photos / "out/model_int8.onnx") as model:
        expected = model.run(x[np.newaxis])[0]
        for same in (x, {"image": x}):
            np.testing.assert_array_equal(model.predict(same).outputs["digit"], expected)
        assert len(model.predict(x).answers["digit"]) == 5
        assert len(model.predict(x, top=2).answers["digit"]) == 2
        assert str(model.predict(x, top=1)).split()[0] in NAMES


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (b"GIF89a no", "the image: cannot be read as an image"),
        ("nowhere.png", "nowhere.png: cannot be read as an image"),
        (np.zeros((3, 3, 3, 3), np.uint8), "uint8 of (height, width)"),
        (np.zeros((5, 5), np.float32), "expected (batch, 8, 8, 1), got (1, 5, 5)"),
    ],
)
def test_what_fits_no_input_is_refused(x: Any, says: str, photos: Path) -> None:
    with open_model(photos / "out/model_int8.tflite") as model:
        with pytest.raises(InputError) as refused:
            model.predict(x)
        assert says in str(refused.value)


def test_where_nothing_says_what_pixels_become_the_caller_must(
    converted: Path, photos: Path
) -> None:
    image = np.full((8, 8), 99, np.uint8)
    with open_model(converted / "model_int8.tflite") as model:
        assert model.facts.preprocessing == ()
        with pytest.raises(InputError, match=r"nothing says what the pixels .* scale="):
            model.predict(image)
        got = model.predict(image, scale="0..1").outputs["digit"]
        with open_model(photos / "out/model_int8.tflite") as other:
            assert got.shape == other.predict(image).outputs["digit"].shape
        with pytest.raises(InputError, match="choose from"):
            model.predict(image, scale="0..2")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"height": 9}, "does not fit"),
        ({"std": [0.0]}, "damaged"),
        ({"crop": "center"}, "'center' is none of none"),
        ({"mean": "x"}, "damaged"),
    ],
)
def test_damaged_facts_are_an_error_of_the_file(
    change: dict[str, Any], says: str, photos: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(photos / "out", tmp_path / "out")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["preprocessing"][0].update(change)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with open_model(folder / "model_int8.tflite") as model, pytest.raises(ModelError, match=says):
        model.predict(np.zeros((8, 8), np.uint8))


def fake(facts: Facts, **outputs: Any) -> Session:
    """A session that answers the same whatever it is asked."""
    specs = [TensorSpec(n, (None, *np.shape(v)), "float32") for n, v in outputs.items()]
    arrays = [np.array([v], np.float32) for v in outputs.values()]
    engine = Engine([TensorSpec("x", (None, 1), "float32")], specs, lambda _: arrays)
    return Session("fake", engine, device="fake", facts=lambda: facts)


@pytest.mark.parametrize(
    ("task", "kind", "output", "answers"),
    [
        ("classes", "softmax", [0.0, np.log(3)], [("dog", 0.75), ("cat", 0.25)]),
        ("classes", "none", [0.9, 0.1], [("cat", 0.9), ("dog", 0.1)]),
        ("binary", "none", [0.2], [("cat", 0.8)]),
        ("binary_logits", "sigmoid", [np.log(4)], [("dog", 0.8)]),
        ("multilabel_logits", "sigmoid", [-9.0, 0.0, np.log(3)], [("2", 0.75), ("dog", 0.5)]),
        ("index", "none", 1.0, [("dog", 1.0)]),
        ("detection", "none", [[0, 0, 1, 1, 0.4, 0], [0, 1, 2, 3, 0.9, 1], [0] * 6],
         [("dog", 0.9), ("cat", 0.4)]),
    ],
)  # fmt: skip
def test_outputs_become_answers_by_their_task(
    task: str, kind: Any, output: Any, answers: list[tuple[str, float]]
) -> None:
    facts = Facts(("cat", "dog"), postprocessing=(Postprocessing("y", task, kind, 5),))
    found = fake(facts, y=output).predict([0.0]).answers["y"]
    assert [a.label for a in found] == [label for label, _ in answers]
    assert [a.score for a in found] == pytest.approx([score for _, score in answers], abs=1e-6)


def test_detections_of_several_outputs_are_put_together() -> None:
    facts = Facts(
        ("cat", "dog"),
        postprocessing=tuple(
            Postprocessing(part, "detection", part=part)
            for part in ("boxes", "scores", "classes", "count")
        ),
    )
    boxes = [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]
    session = fake(facts, boxes=boxes, scores=[0.6, 0.8, 0.9], classes=[1, 0, 1], count=2.0)
    first, second = session.predict([0.0]).answers["boxes"]
    assert (first.label, first.box) == ("cat", (2.0, 2.0, 3.0, 3.0))
    assert (second.label, second.box) == ("dog", (0.0, 0.0, 1.0, 1.0))


def test_values_have_no_answers_and_print_themselves() -> None:
    facts = Facts(postprocessing=(Postprocessing("y", "values"),))
    prediction = fake(facts, y=[1.5, 2.5]).predict([0.0])
    assert prediction.best is None
    assert str(prediction) == "y 1.5, 2.5"


def test_onnx_metadata_is_what_the_onnx_package_reads(photos: Path) -> None:
    import onnx

    model = onnx.load(photos / "out/model_int8.onnx")
    onnx.checker.check_model(model)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(entries[FACTS_KEY])["labels"] == NAMES
    buffer = io.BytesIO(model.SerializeToString())
    assert buffer.getbuffer().nbytes == (photos / "out/model_int8.onnx").stat().st_size


def test_a_signed_folder_answers_by_what_was_signed(photos: Path, tmp_path: Path) -> None:
    """The facts are those of the copy that was verified, whatever becomes of the folder meanwhile."""
    from support.signing import make_pair

    folder, pair = shutil.copytree(photos / "out", tmp_path / "out"), make_pair(tmp_path)
    edgekit.sign(folder, pair.private)
    image = np.zeros((8, 8), np.uint8)
    with open_model(folder / "model_int8.tflite", key=pair.public) as model:
        path = folder / "manifest.json"
        path.write_text(path.read_text().replace('"zero"', '"mine"').replace('"one"', '"mine"'))
        assert model.facts.labels == tuple(NAMES)
        assert model.predict(image).best is not None
