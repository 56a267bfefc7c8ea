"""What a validation ran: every model's outputs on the same samples, and what was seen beside them.

It can be saved, and judged again by other limits without running anything.
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
from edgekit.data.samples import Array, DataError
from edgekit.data.store import ArrayWriter, StoredArrays, read_npy
from edgekit.diagnosis.error_sources import ErrorSources
from edgekit.diagnosis.layers import LayerResult

SCHEMA = 1
_NOTE, _LABELS = "note.json", "labels"
_ARRAYS = ("original", "files", "labels")


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file on one device."""

    name: str
    bytes: int
    format: str
    precision: str
    device: str
    compared_as_float32: bool
    """A float32 file on the processor: it must match but for rounding."""
    answers: StoredArrays
    latency_ms: float | None = None
    error_sources: ErrorSources | None = None
    layers: tuple[LayerResult, ...] = ()
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A run's outputs, and what they were made of."""

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
    environment: dict[str, Any]
    pictures: dict[int, str] = field(default_factory=dict)
    """Samples as data URIs, by row."""


def save_recording(recording: Recording, path: Path) -> None:
    """Writes a recording: as ``.npz``, an array for each output and a note; or all as ``.json``.

    Raises:
        DataError: the name ends otherwise.
    """
    check_saved(path)
    note = {
        "schema": SCHEMA,
        **{f.name: getattr(recording, f.name) for f in fields(recording) if f.name not in _ARRAYS},
        "files": [
            {f.name: _plain(getattr(ran, f.name)) for f in fields(ran) if f.name != "answers"}
            for ran in recording.files
        ],
    }
    stores = {"original": recording.original}
    stores |= {f"file {i}": ran.answers for i, ran in enumerate(recording.files)}
    with replacing(path) as unfinished:
        if path.suffix == ".npz":
            with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr(_NOTE, json.dumps(note, indent=1))
                for name, labels in _labels_by_name(recording.labels).items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, labels, allow_pickle=False)
                for store, stored in stores.items():
                    for name in stored.shapes:
                        with archive.open(f"{store}/{name}.npy", "w", force_zip64=True) as member:
                            stored.write_npy(name, member)
        else:
            arrays = {name: _listed(a) for name, a in _labels_by_name(recording.labels).items()}
            for store, stored in stores.items():
                whole = next(stored.batches(len(stored)))
                arrays |= {f"{store}/{name}": _listed(a) for name, a in whole.items()}
            unfinished.write_text(json.dumps({**note, "arrays": arrays}))


def load_recording(path: Path, scratch: Path) -> Recording:
    """Reads what ``save_recording`` wrote.

    Args:
        path: the file.
        scratch: a folder for the arrays, which the caller removes.

    Raises:
        DataError: it is no such file.
    """
    check_saved(path)
    if not path.is_file():
        raise DataError(
            f"{path}: there is no such file. `edgekit validate --save {path}` writes it."
        )
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                note = json.loads(archive.read(_NOTE))
                _check_schema(path, note)
                names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
                labels = {
                    name: np.lib.format.read_array(archive.open(f"{name}.npy"), allow_pickle=False)
                    for name in names
                    if name.partition("/")[0] == _LABELS
                }
                stores = {}
                for store in ("original", *(f"file {i}" for i in range(len(note["files"])))):
                    members = {
                        name.partition("/")[2]: archive.open(f"{name}.npy")
                        for name in names
                        if name.partition("/")[0] == store
                    }
                    stores[store] = read_npy(members, scratch / store)
        else:
            note = json.loads(path.read_text())
            _check_schema(path, note)
            arrays = {name: _array(listed) for name, listed in note.pop("arrays").items()}
            labels = {n: a for n, a in arrays.items() if n.partition("/")[0] == _LABELS}
            stores = {}
            for store in ("original", *(f"file {i}" for i in range(len(note["files"])))):
                made = ArrayWriter(scratch / store)
                made.add(
                    {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith(f"{store}/")}
                )
                stores[store] = made.close()
        files = tuple(
            RecordedFile(
                **{
                    **_tuples(told),
                    "answers": stores[f"file {i}"],
                    "error_sources": ErrorSources(**told["error_sources"])
                    if told["error_sources"]
                    else None,
                    "layers": tuple(LayerResult(**_tuples(layer)) for layer in told["layers"]),
                }
            )
            for i, told in enumerate(note.pop("files"))
        )
        del note["schema"]
        pictures = {int(row): picture for row, picture in note.pop("pictures").items()}
        return Recording(
            **_tuples(note),
            pictures=pictures,
            original=stores["original"],
            files=files,
            labels=labels.get(_LABELS, {n.partition("/")[2]: a for n, a in labels.items()} or None),
        )
    except DataError:
        raise
    except Exception as error:  # whatever zip, JSON or NumPy raise at what is none of ours
        raise DataError(
            f"{path}: these are no results that `edgekit validate --save` wrote ({error})."
        ) from error


def check_saved(path: Path) -> None:
    """Refuses a name that is not of saved results.

    Raises:
        DataError: it ends in neither ``.npz`` nor ``.json``.
    """
    if path.suffix not in (".npz", ".json"):
        raise DataError(f"{path}: results are saved as .npz or .json.")


def _check_schema(path: Path, note: Mapping[str, Any]) -> None:
    if note.get("schema") != SCHEMA:
        raise DataError(
            f"{path}: results of schema {note.get('schema')}, and this edgekit reads {SCHEMA}. Run "
            "`edgekit validate --save` again."
        )


def _labels_by_name(labels: Labels) -> dict[str, Array]:
    if labels is None:
        return {}
    if isinstance(labels, Mapping):
        return {f"{_LABELS}/{name}": own for name, own in labels.items()}
    return {_LABELS: labels}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}


def _listed(array: Array) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "values": array.tolist()}


def _array(listed: Mapping[str, Any]) -> Array:
    return np.asarray(listed["values"], listed["dtype"])
