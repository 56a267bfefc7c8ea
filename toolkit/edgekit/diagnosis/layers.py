"""A quantized file against its float file, layer by layer: the noise each adds, and the likely cause."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays
from edgekit.diagnosis.causes import find_cause
from edgekit.diagnosis.layer_statistics import LayerStatistics
from edgekit.inference.tensor_names import input_names
from edgekit_runtimes import FILES, open_layers
from edgekit_runtimes.layers import Layer, Layers

SAMPLES = 32
"""More change the figures by fractions of a decibel."""

_NOTABLE = 0.02  # of the noise that all layers add: less needs no explanation
_POOR = 20.0  # dB, of what quantizing a tensor costs by itself


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One layer of a quantized file compared with the same layer of the float file."""

    name: str
    operator: str
    sqnr_db: float
    noise_added: float
    """The noise that this layer adds to that of its inputs, as a fraction of what all layers add."""
    observed: tuple[float, float]
    """The range of the float file's values."""
    representable: tuple[float, float] | None
    """The range of the quantized tensor; None in float."""
    clipped: float
    """The fraction of the float file's values outside the representable range."""
    cause: str = ""
    """The likely cause, where something is wrong."""


def compare_layers(
    original: Path, candidate: Path, samples: StoredArrays, *, count: int = SAMPLES
) -> tuple[LayerResult, ...]:
    """Run a quantized file and a float file of the same format side by side, and compare every layer.

    Layers are matched by their tensors' names; or where both graphs have the same operators in the
    same order, by position.

    Args:
        original: the float file.
        candidate: the quantized one.
        samples: what to run.
        count: how many of them.

    Returns:
        The layers that both files have, in the order of the graph.

    Raises:
        DataError: the files have no layer in common.
        ModelError: a file cannot be opened.
    """
    float_file, quantized = open_layers(original), open_layers(candidate)
    reader = FILES[candidate.suffix]
    simulated = open_layers(candidate, fused=False) if reader.fuses else None
    matches = match_layers(float_file.layers, quantized.layers)
    statistics = {
        at: LayerStatistics(layer, channels_first=reader.channels_first)
        for at, layer in enumerate(quantized.layers)
        if at in matches
    }
    if len(statistics) <= sum(layer.kind == "input" for layer in quantized.layers):
        raise DataError(
            f"{candidate} and {original} have no layer in common: neither names nor operators agree. "
            "Layers are compared with the float file that a quantized one was made from."
        )
    float_names, quantized_names = (
        input_names(samples.shapes, file.inputs, str(path))
        for file, path in ((float_file, original), (quantized, candidate))
    )
    for sample in islice(samples, count):
        expected = float_file.run(one_batch(sample, float_file, float_names))
        inputs = one_batch(sample, quantized, quantized_names)
        actual = quantized.run(inputs)
        in_float = simulated.run(inputs) if simulated else actual
        for at, layer in statistics.items():
            layer.add(expected[matches[at]][:1], actual[at][:1], in_float[at][:1])
    return tuple(_results(statistics, quantized.layers))


def worst_layers(layers: Iterable[LayerResult], count: int = 10) -> list[LayerResult]:
    """Return the layers that add the most noise."""
    return sorted(layers, key=lambda layer: -layer.noise_added)[:count]


def _results(
    statistics: Mapping[int, LayerStatistics], layers: Sequence[Layer]
) -> Iterable[LayerResult]:
    input_noise = {at: _input_noise(at, statistics, layers) for at in statistics}
    added = {
        at: max(0.0, layer.noise_to_signal - input_noise[at]) for at, layer in statistics.items()
    }
    total = sum(noise for noise in added.values() if np.isfinite(noise)) or 1.0
    for at, layer in statistics.items():
        fraction = min(added[at] / total, 1.0)
        is_notable = fraction > _NOTABLE or layer.tensor_sqnr < _POOR
        yield LayerResult(
            name=layer.layer.name,
            operator=layer.layer.kind,
            sqnr_db=layer.sqnr,
            noise_added=fraction,
            observed=(float(layer.low), float(layer.high)),
            representable=layer.layer.range,
            clipped=layer.clipped_fraction,
            cause=find_cause(layer, input_noise[at]) if is_notable else "",
        )


def _input_noise(
    at: int, statistics: Mapping[int, LayerStatistics], layers: Sequence[Layer]
) -> float:
    """The worst noise to signal of the layers that this one reads, past layers without a match."""
    worst, waiting, seen = 0.0, list(layers[at].reads), set[int]()
    while waiting:
        source = waiting.pop()
        if source in statistics:
            worst = max(worst, statistics[source].noise_to_signal)
        elif source not in seen:
            waiting += layers[source].reads
        seen.add(source)
    return worst


def match_layers(float_layers: Sequence[Layer], quantized: Sequence[Layer]) -> dict[int, int]:
    """Match layers by their tensors' names, or all by position where the operators are the same.

    Returns:
        From the positions of the quantized file's layers to those of the float file's.
    """
    if [layer.kind for layer in float_layers] == [layer.kind for layer in quantized]:
        return {at: at for at in range(len(float_layers))}
    by_name = {name: at for at, layer in enumerate(float_layers) for name in layer.tensors}
    by_name |= {_plain(name): at for name, at in by_name.items() if _plain(name) not in by_name}
    matches = {}
    for at, layer in enumerate(quantized):
        for name in (*layer.tensors, *map(_plain, layer.tensors)):
            if name in by_name:
                matches[at] = by_name[name]
                break
    return matches


def _plain(name: str) -> str:
    """Strip what converters add to a name: other names joined to it, the model's own in front."""
    last = name.rsplit(";", 1)[-1]
    return last.split("/", 1)[-1] if last.count("/") > 1 else last


def one_batch(
    sample: Mapping[str, Array], file: Layers, names: Mapping[str, str]
) -> dict[str, Array]:
    """The sample under the file's input names, repeated to its batch size."""
    batch = file.inputs[0].shape[0] or 1
    return {
        names[name]: np.repeat(array[np.newaxis], batch, axis=0) for name, array in sample.items()
    }
