"""Rows from files: ``.npz``, ``.npy``, ``.csv``, and folders of images."""

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgekit.rows import LABEL_NAMES, Array, DataError, Row, Rows, Wanted, fit, match_names
from edgekit_runtimes import TensorSpec

_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm"}
_CSV_LABELS = (*LABEL_NAMES, "target")
_KINDS = ".npz, .npy, .csv, a folder of images, module:function, or random"


@dataclass(frozen=True, slots=True)
class Images:
    """How image files become arrays.

    ``scale``: ``0..1``, ``-1..1``, ``0..255``, or what Keras' applications call ``caffe`` (BGR less
    the ImageNet mean, for VGG and ResNet) and ``torch`` (ImageNet mean and deviation).
    """

    scale: str = "0..1"


def check_file(path: Path) -> None:
    """Refuses what cannot be data, without reading it.

    Raises:
        DataError: it is not there, of an unknown kind, or cut short.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder. Data is {_KINDS}.")
    if path.is_dir():
        return
    if path.suffix not in _OPENERS:
        raise DataError(f"{path}: unknown kind of data {path.suffix!r}. Data is {_KINDS}.")
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not a .npz archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )


def open_file(path: Path, inputs: Sequence[TensorSpec], images: Images) -> Rows:
    """Rows from a file or a folder."""
    check_file(path)
    if path.is_dir():
        return _open_images(path, inputs, images)
    return _OPENERS[path.suffix](path, inputs)


def _open_npz(path: Path, inputs: Sequence[TensorSpec]) -> Rows:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            counts = {n: _header(archive.open(f"{n}.npy"), f"{path}: {n}")[0] for n in members}
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    label = next((n for n in LABEL_NAMES if n in members), None)
    names = match_names(members, inputs, str(path))
    used = [*names.values(), *([label] if label else [])]
    sizes = {n: counts[n][0] if counts[n] else 0 for n in used}
    if len(set(sizes.values())) != 1:
        raise DataError(
            f"{path}: the arrays have different numbers of samples: "
            f"{', '.join(f'{n} {c}' for n, c in sizes.items())}."
        )

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        with zipfile.ZipFile(path) as archive:
            streams = [_rows_of(archive.open(f"{n}.npy"), f"{path}: {n}", wanted) for n in used]
            for number, *arrays in _together(streams):
                sample = {
                    s.name: fit(a, s, str(path)) for s, a in zip(inputs, arrays, strict=False)
                }
                yield number, (sample, arrays[-1] if label else None)

    return Rows(read, count=next(iter(sizes.values())), source=str(path))


def _open_npy(path: Path, inputs: Sequence[TensorSpec]) -> Rows:
    if len(inputs) != 1:
        raise DataError(
            f"{path}: one array, and the model takes {len(inputs)} inputs: "
            f"{'; '.join(map(str, inputs))}. Give a .npz with an array for each."
        )
    try:
        with path.open("rb") as file:
            shape = _header(file, str(path))[0]
    except ValueError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        with path.open("rb") as file:
            for number, array in _rows_of(file, str(path), wanted):
                yield number, ({inputs[0].name: fit(array, inputs[0], str(path))}, None)

    return Rows(read, count=shape[0], source=str(path))


def _open_csv(path: Path, inputs: Sequence[TensorSpec]) -> Rows:
    with path.open(newline="") as file:
        lines = csv.reader(file)
        header = [name.strip() for name in next(lines, [])]
        count = sum(1 for line in lines if line)
    label = next((header.index(n) for n in _CSV_LABELS if n in header), None)
    columns = _columns(header, label, inputs, path)

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        with path.open(newline="") as file:
            lines = (line for line in csv.reader(file) if line)
            next(lines)
            for number, line in enumerate(lines):
                if not wanted(number):
                    continue
                try:
                    values = [float(cell) if cell.strip() else np.nan for cell in line]
                    sample = {
                        s.name: fit(
                            np.array([values[c] for c in columns[s.name]]).reshape(
                                [n or -1 for n in s.shape[1:]]
                            ),
                            s,
                            str(path),
                        )
                        for s in inputs
                    }
                except (ValueError, IndexError) as error:
                    raise DataError(f"{path}, line {number + 2}: {error}") from error
                yield number, (sample, None if label is None else np.array(values[label]))

    return Rows(read, count=count, source=str(path))


def _columns(
    header: list[str], label: int | None, inputs: Sequence[TensorSpec], path: Path
) -> dict[str, list[int]]:
    """The columns of each input: all but the label for a single one, else ``name``, ``name_0`` ..."""
    features = [i for i in range(len(header)) if i != label]
    found = {}
    for spec in inputs:
        size = int(np.prod([n or 1 for n in spec.shape[1:]]))
        own = [
            i
            for i in features
            if header[i] == spec.name or header[i].rpartition("_")[0] == spec.name
        ]
        if len(inputs) == 1 and len(own) != size:
            own = features
        if len(own) != size:
            raise DataError(
                f"{path}: input {spec} takes {size} columns, and {len(own)} are for it "
                f"({', '.join(header[i] for i in own) or 'none'}). Call them {spec.name}_0, "
                f"{spec.name}_1, ..."
            )
        found[spec.name] = own
    return found


def _open_images(folder: Path, inputs: Sequence[TensorSpec], images: Images) -> Rows:
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise DataError(
            f"{folder}: images go into one input of (height, width, channels); the model "
            f"takes {'; '.join(map(str, inputs))}."
        )
    spec = inputs[0]
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES)
    if not found:
        raise DataError(f"{folder}: no image in it ({', '.join(sorted(_IMAGES))}).")

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        for number in filter(wanted, range(len(found))):
            path = found[number]
            top = path.relative_to(folder).parts[0]
            label = np.array(classes.index(top)) if top in classes else None
            yield number, ({spec.name: fit(load_image(path, spec, images), spec, str(path))}, label)

    return Rows(read, count=len(found), label_names=tuple(classes), source=str(folder))


def load_image(path: Path, spec: TensorSpec, images: Images) -> Array:
    """An image file as one sample for an input of (height, width, channels).

    Raises:
        DataError: it cannot be decoded, or the input is not an image.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise DataError("reading images needs Pillow: pip install pillow") from error
    _, height, width, channels = spec.shape
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels or 3)
    if mode is None:
        raise DataError(f"{path}: an image has 1, 3 or 4 channels, and the input is {spec}.")
    try:
        with Image.open(path) as file:
            image = file.convert(mode)
            if height and width:
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(image, np.float32).reshape(image.height, image.width, -1)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path}: cannot be read as an image: {error}") from error
    return SCALES[images.scale](pixels)


# As keras.applications.imagenet_utils.preprocess_input does them, on pixels of 0..255.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
SCALES: dict[str, Callable[[Array], Array]] = {
    "0..1": lambda pixels: pixels / np.float32(255),
    "-1..1": lambda pixels: pixels / np.float32(127.5) - np.float32(1),
    "0..255": lambda pixels: pixels,
    "caffe": lambda pixels: pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32),
    "torch": lambda pixels: (pixels / np.float32(255) - _MEAN) / _DEVIATION,
}


def _header(file: IO[bytes], source: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of a ``.npy`` stream, which then stands at its data."""
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise DataError(f"{source}: .npy version {version} is not known.")
    shape, fortran, kind = reader(file)
    if kind.hasobject:
        raise DataError(f"{source}: holds Python objects, which are not read: they can carry code.")
    return shape, fortran, kind


def _rows_of(file: IO[bytes], source: str, wanted: Wanted) -> Iterator[tuple[int, Array]]:
    """The wanted rows of a ``.npy`` stream, of which one at a time is in memory."""
    shape, fortran, kind = _header(file, source)
    size = int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize
    if fortran and len(shape) > 1:  # rows are not together in the file: there is no streaming it
        flat = np.frombuffer(file.read(), kind)
        array = flat.reshape(shape[::-1]).transpose()
        yield from ((i, array[i]) for i in filter(wanted, range(shape[0])))
        return
    for number in range(shape[0]):
        row = file.read(size)
        if len(row) != size:
            raise DataError(f"{source}: cut short at sample {number} of {shape[0]}.")
        if wanted(number):
            yield number, np.frombuffer(row, kind).reshape(shape[1:])


def _together(streams: list[Iterator[tuple[int, Array]]]) -> Iterator[tuple[Any, ...]]:
    for rows in zip(*streams, strict=True):
        yield (rows[0][0], *(array for _, array in rows))


_OPENERS: dict[str, Callable[[Path, Sequence[TensorSpec]], Rows]] = {
    ".npz": _open_npz,
    ".npy": _open_npy,
    ".csv": _open_csv,
}
