"""Folders of images: classes, pixels and channels, and what is refused."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.user_data import X, read, refusal

from edgekit.data.images import Images
from edgekit.data.open import check_data, open_samples
from edgekit_runtimes import RuntimeMissing, TensorSpec

RED_BLUE = [[[255, 0, 128]] * 2] * 2
PHOTO = TensorSpec("photo", (None, 2, 2, 3), "float32")


def image(path: Path, pixels: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


def test_folders_of_images_are_classes(tmp_path: Path) -> None:
    for number, name in enumerate(["dog/b.png", "cat/z.jpg", "cat/a.bmp", "dog/deep/c.gif"]):
        image(tmp_path / name, np.full((2, 2, 3), number))
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    # What a desktop leaves behind is no sample.
    image(tmp_path / ".thumbnails" / "a.png", RED_BLUE)

    source = open_samples(tmp_path, [PHOTO], Images("0..255"))

    assert source.label_names == ("cat", "dog")
    assert source.count == 4
    found = [(round(float(sample["photo"].mean())), label) for sample, label in read(source)]
    assert found == [(2, 0), (1, 0), (0, 1), (3, 1)]  # in the order of their paths


def test_images_without_folders_have_no_labels(tmp_path: Path) -> None:
    image(tmp_path / "a.png", RED_BLUE)

    source = open_samples(tmp_path, [PHOTO])

    assert source.label_names == ()
    assert [label for _, label in read(source)] == [None]


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

    ((sample, _),) = read(open_samples(tmp_path, [PHOTO], Images(scale)))

    assert sample["photo"].dtype == np.float32
    assert sample["photo"][1, 1].tolist() == pytest.approx(expected, abs=1e-5)


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

    ((sample, _),) = read(open_samples(tmp_path, [spec], Images("0..255")))

    assert sample["photo"].shape == (2, 2, channels)
    assert sample["photo"][0, 0].tolist() == pytest.approx(expected, abs=1)


def test_images_are_resized_to_the_input(tmp_path: Path) -> None:
    left_to_right = np.repeat([[0] * 4 + [200] * 4], 6, axis=0)
    image(tmp_path / "a.png", left_to_right)

    ((sample, _),) = read(
        open_samples(tmp_path, [TensorSpec("photo", (None, 3, 2, 1), "float32")], Images("0..255"))
    )

    assert sample["photo"].shape == (3, 2, 1)
    assert (sample["photo"][:, 0] < 60).all()
    assert (sample["photo"][:, 1] > 140).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright_as_its_camera_was_held(orientation: int, tmp_path: Path) -> None:
    """Against Pillow's own ImageOps, on an image that looks different from every side."""
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    path = image(tmp_path / "a.png", pixels, exif=exif(orientation))
    with Image.open(path) as file:
        upright = np.asarray(ImageOps.exif_transpose(file), np.float32)

    spec = TensorSpec("photo", (None, 4, 4, 3), "float32")
    ((sample, _),) = read(open_samples(tmp_path, [spec], Images("0..255")))

    assert sample["photo"].tolist() == upright.tolist()
    assert np.array_equal(upright, pixels) == (orientation == 1)


def test_a_photo_is_turned_before_it_is_resized(tmp_path: Path) -> None:
    image(tmp_path / "a.jpg", np.full((30, 60, 3), 99), exif=exif(6), quality=95)

    ((sample, _),) = read(
        open_samples(tmp_path, [TensorSpec("photo", (None, None, None, 3), "float32")])
    )

    assert sample["photo"].shape == (60, 30, 3)


@pytest.mark.filterwarnings("error")
def test_damaged_exif_does_not_cost_the_image(tmp_path: Path) -> None:
    path = image(tmp_path / "a.jpg", RED_BLUE, exif=exif(6))
    content = path.read_bytes()
    at = content.index(b"Exif") + 10
    path.write_bytes(content[:at] + b"\xff" * 16 + content[at + 16 :])

    ((sample, _),) = read(open_samples(tmp_path, [PHOTO]))

    assert sample["photo"].shape == (2, 2, 3)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def test_a_folder_that_is_called_like_an_image_is_none(tmp_path: Path) -> None:
    image(tmp_path / "album.png" / "a.png", RED_BLUE)
    (tmp_path / "empty.jpg").mkdir()

    assert open_samples(tmp_path, [PHOTO]).count == 1


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")

    assert str(tmp_path / "a.png") in refusal(tmp_path, PHOTO)


def test_a_class_whose_name_is_not_utf8_can_be_printed(tmp_path: Path) -> None:
    image(tmp_path / "plain" / "a.png", RED_BLUE)
    (tmp_path / "plain").rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))

    source = open_samples(tmp_path, [PHOTO])

    assert source.label_names == ("caf\\xe9",)
    assert len(read(source)) == 1


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


def test_missing_pillow_is_reported_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image(tmp_path / "a.png", RED_BLUE)
    monkeypatch.setitem(sys.modules, "PIL", None)  # as if it were not installed

    for ask in (lambda: check_data(tmp_path), lambda: read(open_samples(tmp_path, [PHOTO]))):
        with pytest.raises(
            RuntimeMissing, match=re.escape("pip install 'edgekit-toolkit[images]'")
        ):
            ask()
