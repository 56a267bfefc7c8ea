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
from support.recipes import images_of, outputs_of, sqnr


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
        return sqnr(outputs_of(self.graph, self.unseen), outputs_of(path, self.unseen))

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
    calibration, unseen = images_of(digits, "calib", 100), images_of(digits, "eval", 200)
    int8 = folder / "int8.tflite"
    made = convert(model, {("tflite", "int8"): int8}, calibration, scratch=folder)
    assert made.graph is not None
    return Digits(made.graph, int8, made.ranges, calibration, unseen, folder)


def digits_rows(digits: Path, folder: Path) -> tuple[Path, Path, list[dict[str, Array]]]:
    """Converts the digits LSTM, which is a loop; returns its float graph, its int8 file and the samples."""
    rows = [{"rows": row} for row in np.load(digits / "rows.npz")["rows"][:20]]
    int8 = folder / "int8.tflite"
    model = load_model(str(digits / "lstm.keras"))
    made = convert(model, {("tflite", "int8"): int8}, rows, scratch=folder)
    assert made.graph is not None
    return made.graph, int8, rows
