"""A trained model in int8, to be written again with other constants and held against float."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from edgekit_converters import convert, load_model
from edgekit_converters.tflite.calibration import Ranges
from edgekit_converters.tflite.constants import with_constants
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.write import write_tflite
from edgekit_runtimes import open_model


@dataclass(frozen=True)
class Digits:
    """The digits CNN without its softmax, converted, and a way to convert it with other constants."""

    graph: Path
    int8: Path
    ranges: Ranges
    calibration: list[dict[str, Array]]
    unseen: list[dict[str, Array]]
    folder: Path

    def decibel(self, path: Path) -> float:
        """SQNR of a file against the float graph, on samples that nothing was calibrated on."""
        outputs = []
        for file in (self.graph, path):
            with open_model(file) as session:
                rows = [session.run({n: v[None] for n, v in s.items()}) for s in self.unseen]
            outputs.append(np.array([next(iter(row.values())) for row in rows], np.float64))
        exact, got = outputs
        return float(10 * np.log10(np.sum(exact**2) / np.sum((got - exact) ** 2)))

    def write(self, corrected: Corrected, **options: Any) -> Path:
        """Write the int8 file with corrected constants."""
        graph, target = self.folder / "corrected_graph.tflite", self.folder / "corrected.tflite"
        with_constants(self.graph, graph, corrected.constants)
        options = {"weight_ranges": corrected.weight_ranges, **options}
        write_tflite(graph, target, "int8", self.ranges, **options)
        return target


def digits_without_softmax(digits: Path, folder: Path) -> Digits:
    """Converts the digits CNN without the softmax, which would hide what is far from the largest."""
    import keras

    model = load_model(str(digits / "cnn.keras"))
    model.layers[-1].activation = keras.activations.linear
    calibration, unseen = (
        [{"image": image} for image in np.load(digits / f"{name}.npz")["image"]]
        for name in ("calib", "eval")
    )
    int8 = folder / "int8.tflite"
    made = convert(model, {("tflite", "int8"): int8}, calibration[:100], scratch=folder)
    assert made.graph is not None
    return Digits(made.graph, int8, made.ranges, calibration[:100], unseen[:200], folder)
