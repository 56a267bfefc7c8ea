"""Keys of kept outputs: hashes of everything that the outputs of an original depend on."""

import functools
import hashlib
import json
import os
import platform
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from edgekit.bundle.environment import own_code, processor
from edgekit.bundle.plain import to_plain
from edgekit.data.split import SampleSplit
from edgekit.inference.output_cache import digest_of
from edgekit.report.saved_outputs import labels_by_name
from edgekit_converters import format_of
from edgekit_runtimes import cpu_limit

_PACKAGES = ("edgekit-toolkit", "tensorflow", "keras", "numpy", "h5py")
_VARIABLES = ("TF_", "KERAS_", "XLA_", "OMP_", "MKL_", "CUDA_VISIBLE_DEVICES")
_DATED = "metadata.json"  # of a .keras archive: it holds the time at which it was saved
_OWN_CODE = ("keras", "edgekit_converters")


def model_key(source: str, *, saved: bool = False) -> str | None:
    """A hash of a Keras model's content, and of what else decides on its outputs beside the samples.

    None for a file of another kind, which opens fast, and for a function, which may do anything.

    Args:
        source: a path, or ``module:function``.
        saved: whether edgekit itself saved the ``.keras`` archive: then the times in it do not count.
    """
    path = Path(source)
    if format_of(path) or not path.exists():
        return None
    digest = hashlib.sha256(_surroundings().encode())
    for name, content in _content(path, saved):
        digest.update(json.dumps(name).encode() + content)
    return digest.hexdigest()


def samples_key(samples: SampleSplit) -> str:
    """A hash of the held-out samples, as they were read, and of their labels."""
    digest = hashlib.sha256(digest_of(samples.held_out).encode())
    for name, labels in sorted(labels_by_name(samples.labels).items()):
        content = repr(labels.tolist()).encode() if labels.dtype.hasobject else labels.tobytes()
        digest.update(f"{name} {labels.shape} {labels.dtype}".encode() + content)
    return digest.hexdigest()


def is_whole(source: str, model: Any) -> bool:
    """Whether a Keras model is made of Keras' own layers and functions alone.

    Another's code lies outside the model's file, and can change without it. What a SavedModel computes
    is all in its folder.
    """
    if Path(source).is_dir():
        return True
    parts = model._flatten_layers(include_self=False)
    if any(type(part).__module__.split(".")[0] not in _OWN_CODE for part in parts):
        return False
    return all(map(_is_keras, _entries([layer.get_config() for layer in model.layers])))


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """The serialized objects in a configuration."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _entries(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _entries(value)


def _is_keras(entry: dict[str, Any]) -> bool:
    if entry["class_name"] in ("function", "__lambda__"):
        return False
    own = str(entry.get("module") or "keras").split(".")[0] in _OWN_CODE
    return own and entry.get("registered_name") in (None, entry["class_name"])


def _content(path: Path, saved: bool) -> Iterator[tuple[Any, bytes]]:
    """The parts of a model, each with its name and its hash."""
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            with file.open("rb") as stream:
                yield file.relative_to(path).as_posix(), _digest(stream)
        return
    if saved:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as stream:
                    if entry.filename == _DATED:
                        dated = json.loads(stream.read())
                        yield {**dated, "date_saved": None}, b""
                    else:
                        yield entry.filename, _digest(stream)
        return
    with path.open("rb") as stream:
        yield path.suffix, _digest(stream)


def _digest(stream: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.digest()


@functools.cache
def _surroundings() -> str:
    """The versions, the settings and the processor that outputs depend on, in words."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    settings = {k: v for k, v in sorted(os.environ.items()) if k.startswith(_VARIABLES)}
    return json.dumps(
        {
            "python": platform.python_version(),
            "versions": versions,
            "settings": settings,
            "keras.json": _keras_settings(),
            "processor": to_plain(processor()),
            "threads": cpu_limit(),
            "code": own_code(),
        }
    )


def _keras_settings() -> str:
    try:
        folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return (folder / "keras.json").read_text()
    except (OSError, RuntimeError, UnicodeDecodeError):
        return ""
