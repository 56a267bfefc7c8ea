"""Two files layer by layer, whatever their formats: what each layer computes in, and how far they are apart."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from edgekit.accuracy.comparison import sqnr_db
from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays
from edgekit.diagnosis.layers import match_layers, one_batch
from edgekit.inference.tensor_names import input_names
from edgekit_runtimes import open_layers
from edgekit_runtimes.layers import Layer, Layers

_FUSED = ("Relu", "Clip")  # into the operator before them: by TFLite, and by every runtime of ONNX
_MOVED = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
"""Of ONNX; several in a row are not quantized between them."""
_LAYOUTS = ((0, 2, 3, 1), (0, 3, 1, 2))  # of images: NCHW to NHWC, and back


@dataclass(frozen=True, slots=True)
class LayerSide:
    """A layer of one of the two files."""

    name: str
    operator: str
    precision: str
    """What its values are, and its weights where these are stored otherwise: ``float32, int8 weights``."""
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class LayerDiff:
    """A layer of two files, or of one of them."""

    a: LayerSide | None
    b: LayerSide | None
    sqnr_db: float | None = None
    """Of B's values against A's; infinite, in JSON null, where they are equal; None where not compared."""
    largest_error: float | None = None
    """The largest difference of two values; 0 where all are equal; None where not compared."""
    note: str = ""
    """Why the two were not compared."""

    @property
    def same(self) -> bool:
        """Whether both files have it, alike, and nothing that was compared differs."""
        return (
            self.a is not None
            and self.b is not None
            and self.a == replace(self.b, name=self.a.name)
        ) and not (self.largest_error or self.note)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file with every layer in sight, and what its weights are stored in."""

    path: Path
    file: Layers
    layers: tuple[Layer, ...]
    """An activation is one layer with the operator that it belongs to, as in TFLite; so are changes of layout."""
    places: tuple[int, ...]
    """Where the values of each are among those that the file gives."""
    weights: Mapping[str, str]
    """As ``read_operators`` gives them."""


def open_file(path: Path, weights: Mapping[str, str]) -> OpenedFile:
    """Open a file for ``diff_layers``.

    Raises:
        RuntimeMissing: its runtime is not installed.
        ModelError: it cannot be opened.
    """
    file = open_layers(path)
    places, layers = zip(*_with_activations(file.layers), strict=True)
    return OpenedFile(path, file, layers, places, weights)


def diff_layers(
    a: OpenedFile, b: OpenedFile, samples: StoredArrays | None, *, count: int
) -> tuple[LayerDiff, ...]:
    """Match the layers of two files, and compare their values on some samples.

    Layers are matched by their tensors' names, which edgekit keeps through formats and precisions; or
    where both files have the same operators in the same order, by position.

    Args:
        a: one file.
        b: the other.
        samples: what to run; None to compare no values.
        count: how many samples at most.

    Returns:
        The layers in the order of B's graph; those that only A has, in the places where A has them.

    Raises:
        DataError: the samples do not fit a file.
    """
    matches = match_layers(a.layers, b.layers)
    values = _compared(a, b, samples, matches, count) if samples is not None else {}
    listed = []
    for at, theirs in enumerate(b.layers):
        ours = a.layers[matches[at]] if at in matches else None
        found = LayerDiff(_side(ours, a.weights) if ours else None, _side(theirs, b.weights))
        listed.append(values[at].put(found) if at in values else found)
    return tuple(_with_removed(listed, a, matches))


def _with_activations(layers: Sequence[Layer]) -> Iterator[tuple[int, Layer]]:
    """The layers with their places; a Relu and the layer that only it reads are one, in its place.

    So are changes of layout in a row.
    """
    readers = Counter(at for layer in layers for at in layer.reads)
    taken = {
        layer.reads[0]: at
        for at, layer in enumerate(layers)
        if layer.kind in _FUSED and len(layer.reads) == 1 and readers[layer.reads[0]] == 1
        if layers[layer.reads[0]].scale is None and layers[layer.reads[0]].kind != "input"
    }
    earlier: dict[int, int] = {}  # what a layer only moves on
    for at, layer in enumerate(layers):
        above = layer.reads[0] if len(layer.reads) == 1 else at
        alone = above != at and readers[above] == 1
        if alone and layer.kind in _MOVED and layers[above].kind in (*_MOVED, "Pad"):
            earlier[at] = above
    gone = {*taken.values(), *earlier.values()}
    for at, layer in enumerate(layers):
        if at not in gone:
            place = taken.get(at, at)
            names = [layer.name, *layer.tensors, *(layers[place].tensors if place != at else ())]
            while at in earlier:
                at = earlier[at]
                names += [layers[at].name, *layers[at].tensors]
            yield place, replace(layer, tensors=tuple(dict.fromkeys(names)))


@dataclass(slots=True)
class _Values:
    """Running sums over the values of one layer."""

    signal: float = 0.0
    noise: float = 0.0
    largest: float = 0.0
    note: str = ""

    def add(self, ours: Array, theirs: Array) -> None:
        if ours.size != theirs.size:
            self.note = f"shape {_sizes(ours)} and {_sizes(theirs)}"
            return
        first = ours.astype(np.float64)
        errors = [np.abs(x.astype(np.float64) - first) for x in _layouts(theirs, ours.shape)]
        error = min(errors, key=lambda e: float((e**2).sum()))
        self.signal += float((first**2).sum())
        self.noise += float((error**2).sum())
        self.largest = max(self.largest, float(error.max(initial=0)))

    def put(self, layer: LayerDiff) -> LayerDiff:
        if self.note:
            return replace(layer, note=self.note)
        return replace(layer, sqnr_db=sqnr_db(self.signal, self.noise), largest_error=self.largest)


def _compared(
    a: OpenedFile, b: OpenedFile, samples: StoredArrays, matches: Mapping[int, int], count: int
) -> dict[int, _Values]:
    """What the values of B's layers are beside those of A's, by position in B."""
    found = {at: _Values() for at in matches}
    names_a, names_b = (
        input_names(samples.shapes, file.file.inputs, str(file.path)) for file in (a, b)
    )
    for sample in islice(samples, count):
        ours = a.file.run(one_batch(sample, a.file, names_a))
        theirs = b.file.run(one_batch(sample, b.file, names_b))
        for at, values in found.items():
            values.add(ours[a.places[matches[at]]], theirs[b.places[at]])
    return found


def _layouts(values: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The values in the shape of the other file's, as images too whose channels lie elsewhere.

    Images of as many channels as rows have the right shape either way: who compares takes what fits best.
    """
    if values.shape == shape:
        yield values
    if values.ndim == 4:
        yield from (
            values.transpose(axes)
            for axes in _LAYOUTS
            if tuple(values.shape[i] for i in axes) == shape
        )
    if values.shape != shape:
        yield values.reshape(shape)


def _side(layer: Layer, weights: Mapping[str, str]) -> LayerSide:
    stored = next((weights[name] for name in (layer.name, *layer.tensors) if name in weights), "")
    other = stored and stored != layer.dtype
    return LayerSide(
        layer.name,
        layer.kind,
        f"{layer.dtype}, {stored} weights" if other else layer.dtype,
        layer.scale,
        None if layer.scale is None else layer.zero_point,
    )


def _with_removed(
    listed: Sequence[LayerDiff], a: OpenedFile, matches: Mapping[int, int]
) -> Iterator[LayerDiff]:
    """Put the layers that only A has before the first layer that follows them in A."""
    known = set(matches.values())
    removed = [at for at in range(len(a.layers)) if at not in known]
    for at, layer in enumerate(listed):
        while removed and at in matches and removed[0] < matches[at]:
            yield LayerDiff(_side(a.layers[removed.pop(0)], a.weights), None)
        yield layer
    for at in removed:
        yield LayerDiff(_side(a.layers[at], a.weights), None)


def _sizes(array: Array) -> str:
    return "x".join(map(str, array.shape)) or "one number"
