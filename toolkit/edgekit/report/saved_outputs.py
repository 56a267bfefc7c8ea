"""The recorded outputs of a validation, and their files: evaluated again without running a model.

``.npz`` holds ``document.json`` and one array for each output, which NumPy alone can read; ``.json``
holds the same in one document of schema ``edgekit.results/1``.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.accuracy.tasks import Labels
from edgekit.bundle.atomic import replacing
from edgekit.bundle.environment import Environment
from edgekit.bundle.plain import from_plain
from edgekit.bundle.schema import RESULTS, check_schema
from edgekit.data.npy import UNREADABLE
from edgekit.data.npz import check_archive
from edgekit.data.samples import Array, DataError
from edgekit.data.store import ArrayWriter, StoredArrays, read_npy
from edgekit.diagnosis.error_sources import ErrorSources
from edgekit.diagnosis.layers import LayerResult
from edgekit.names import printable

_DOCUMENT, _LABELS = "document.json", "labels"
_ARRAYS = ("original", "files", "labels")
# What a damaged or foreign file raises: in its zip, its JSON, its arrays, or for its missing keys.
_UNREADABLE = (*UNREADABLE, AttributeError)


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file's outputs on one device, with what was measured beside them."""

    name: str
    bytes: int
    format: str
    precision: str
    device: str
    compared_as_float32: bool
    """Whether it is a float32 file on the CPU: its outputs must match but for rounding."""
    outputs: StoredArrays
    latency_ms: float | None = None
    seconds: float = 0.0
    """That running the file and explaining its error took."""
    error_sources: ErrorSources | None = None
    layers: tuple[LayerResult, ...] = ()
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """The outputs of the original and of all files on the same samples."""

    model: str
    model_bytes: int
    original: StoredArrays
    files: tuple[RecordedFile, ...]
    labels: Labels
    numbers: tuple[int, ...]
    """The samples' numbers in the data."""
    label_names: tuple[str, ...]
    data: str
    shippable: bool
    warnings: tuple[str, ...]
    environment: Environment
    pictures: dict[int, str] = field(default_factory=dict)
    """Changed samples as images: data URIs by row."""


def save_recording(recording: Recording, path: Path) -> None:
    """Write a recording as ``.npz`` or ``.json``, by the name's ending.

    Raises:
        DataError: the name ends in neither.
    """
    check_saved(path)
    document = _document(recording)
    with replacing(path) as unfinished:
        if path.suffix == ".npz":
            _write_npz(document, recording, unfinished)
        else:
            _write_json(document, recording, unfinished)


def load_recording(path: Path, scratch: Path) -> Recording:
    """Read a file of ``save_recording``.

    Args:
        path: the file.
        scratch: a folder for the arrays, which the caller removes.

    Raises:
        DataError: the file is missing, damaged, or of another kind or schema.
    """
    check_saved(path)
    if not path.is_file():
        raise DataError(
            f"{path}: there is no such file. `edgekit validate --save {path}` writes it."
        )
    try:
        read = _read_npz if path.suffix == ".npz" else _read_json
        document, labels, stores = read(path, scratch)
        return _recording(document, labels, stores)
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: not results of `edgekit validate --save` ({type(error).__name__}: {error})."
        ) from error


def check_saved(path: Path) -> None:
    """Refuse a name that saved results cannot have.

    Raises:
        DataError: it ends in neither ``.npz`` nor ``.json``.
    """
    if path.suffix not in (".npz", ".json"):
        raise DataError(f"{path}: results are saved as .npz or .json.")


def labels_by_name(labels: Labels) -> dict[str, Array]:
    """Return labels as arrays with names: ``labels``, or ``labels/OUTPUT`` where outputs have their own."""
    if labels is None:
        return {}
    if isinstance(labels, Mapping):
        return {f"{_LABELS}/{output}": array for output, array in labels.items()}
    return {_LABELS: labels}


def _document(recording: Recording) -> dict[str, Any]:
    """Everything but the arrays."""
    plain = {
        f.name: _plain(getattr(recording, f.name))
        for f in fields(recording)
        if f.name not in _ARRAYS
    }
    files = [
        {f.name: _plain(getattr(file, f.name)) for f in fields(file) if f.name != "outputs"}
        for file in recording.files
    ]
    return {"schema": RESULTS, **plain, "files": files}


def _stores(recording: Recording) -> dict[str, StoredArrays]:
    """The outputs by the name of their model."""
    return {
        "original": recording.original,
        **{_store_name(i): file.outputs for i, file in enumerate(recording.files)},
    }


def _store_name(number: int) -> str:
    return f"file {number}"


def _store_names(document: Mapping[str, Any]) -> list[str]:
    return ["original", *map(_store_name, range(len(document["files"])))]


def _write_npz(document: Mapping[str, Any], recording: Recording, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_DOCUMENT, json.dumps(document, indent=1))
        for name, labels in labels_by_name(recording.labels).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, labels, allow_pickle=False)
        for store, outputs in _stores(recording).items():
            for name in outputs.shapes:
                with archive.open(f"{store}/{name}.npy", "w", force_zip64=True) as member:
                    outputs.write_npy(name, member)


def _write_json(document: Mapping[str, Any], recording: Recording, path: Path) -> None:
    arrays = {n: _array_to_json(a) for n, a in labels_by_name(recording.labels).items()}
    for store, outputs in _stores(recording).items():
        everything = next(outputs.batches(len(outputs)))
        arrays |= {f"{store}/{name}": _array_to_json(a) for name, a in everything.items()}
    path.write_text(json.dumps({**document, "arrays": arrays}))


def _read_npz(
    path: Path, scratch: Path
) -> tuple[dict[str, Any], dict[str, Array], dict[str, StoredArrays]]:
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size, printable(path))
        document = json.loads(archive.read(_DOCUMENT))
        _check_schema(path, document)
        names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        labels = {
            name: np.lib.format.read_array(archive.open(f"{name}.npy"), allow_pickle=False)
            for name in names
            if _top(name) == _LABELS
        }
        stores = {}
        for store in _store_names(document):
            members = {
                _below(name): archive.open(f"{name}.npy") for name in names if _top(name) == store
            }
            stores[store] = read_npy(members, scratch / store)
    return document, labels, stores


def _read_json(
    path: Path, scratch: Path
) -> tuple[dict[str, Any], dict[str, Array], dict[str, StoredArrays]]:
    document = json.loads(path.read_text())
    _check_schema(path, document)
    arrays = {name: _array_from_json(entry) for name, entry in document.pop("arrays").items()}
    labels = {name: array for name, array in arrays.items() if _top(name) == _LABELS}
    stores = {}
    for store in _store_names(document):
        outputs = {_below(name): array for name, array in arrays.items() if _top(name) == store}
        if not outputs:
            raise KeyError(f"no arrays of {store}")
        writer = ArrayWriter(scratch / store)
        writer.add(outputs)
        stores[store] = writer.close()
    return document, labels, stores


def _recording(
    document: dict[str, Any], labels: Mapping[str, Array], stores: Mapping[str, StoredArrays]
) -> Recording:
    _check_keys(document, Recording, {"schema"}, {*_ARRAYS} - {"files"})
    for entry in document["files"]:
        _check_keys(entry, RecordedFile, set(), {"outputs"})
    files = tuple(
        from_plain(RecordedFile, entry, outputs=stores[_store_name(i)])
        for i, entry in enumerate(document["files"])
    )
    pictures = {int(row): str(picture) for row, picture in document["pictures"].items()}
    of_outputs = {_below(name): array for name, array in labels.items()}
    recording = from_plain(
        Recording,
        document,
        pictures=pictures,
        original=stores["original"],
        files=files,
        labels=labels.get(_LABELS, of_outputs or None),
    )
    _check_counts(recording)
    return recording


def _check_keys(entry: Mapping[str, Any], kind: type[Any], more: set[str], less: set[str]) -> None:
    expected = ({f.name for f in fields(kind)} | more) - less
    if strange := set(entry) ^ expected:
        raise KeyError(f"{kind.__name__}: {', '.join(sorted(strange))}")


def _check_counts(recording: Recording) -> None:
    """Refuse what belongs to different numbers of samples, or to other outputs."""
    counts = {len(recording.original), len(recording.numbers)}
    counts |= {len(file.outputs) for file in recording.files}
    counts |= {len(array) for array in labels_by_name(recording.labels).values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"arrays of different numbers of samples, or of none: {sorted(counts)}")
    outputs = [recording.original, *(file.outputs for file in recording.files)]
    kinds = {np.dtype(kind).kind for stored in outputs for kind in stored.dtypes.values()}
    if not kinds <= set("fiub"):
        raise ValueError("outputs that are no numbers")
    shapes = dict(recording.original.shapes)
    for file in recording.files:
        if dict(file.outputs.shapes) != shapes:
            raise ValueError(
                f"{file.name} has outputs of {dict(file.outputs.shapes)}, and the original of {shapes}"
            )


def _check_schema(path: Path, document: object) -> None:
    schema = document.get("schema") if isinstance(document, dict) else None
    check_schema(path, schema, RESULTS, "Run `edgekit validate --save` again.")


def _top(name: str) -> str:
    return name.partition("/")[0]


def _below(name: str) -> str:
    return name.partition("/")[2]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _array_to_json(array: Array) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "values": array.tolist()}


def _array_from_json(entry: Mapping[str, Any]) -> Array:
    return np.asarray(entry["values"], entry["dtype"])
