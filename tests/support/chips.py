"""``make chips-table``: what becomes of each model on chips, as tables.

Usage: chips.py PAGE.md [NAME ...], or chips.py --row NAME for one row as JSON. Each row runs in a process of
its own. A column is a function of what was made of a model, and an entry in ``COLUMNS``.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from support.matrix import with_row
from support.models import train
from support.trained import trained

Given = tuple[Any, dict[str, Any]]
"""A Keras model, and samples that it has not seen, with their labels."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a model: ``convert(..., to="tflite,micro")``."""

    folder: Path
    report: Any
    refused: str
    """Why there is no file for microcontrollers; empty where there is one."""

    @property
    def micro(self) -> Path:
        """The file for microcontrollers."""
        return self.folder / "model_micro_int8.tflite"

    def result(self, form: str, device: str = "") -> Any:
        """The result of the int8 file of a format, on a device."""
        return next(
            f.worst_result
            for f in self.report.files
            if (f.format, f.precision, f.device) == (form, "int8", device)
        )


def digits_of(*layers: Any, shape: tuple[int, ...] = (8, 8), dtype: str = "float32") -> Given:
    """A classifier of scikit-learn's digits, trained; it reads them row by row, or as 64 numbers of 0 to 16."""
    import keras

    from edgekit.workflows.demo import digits

    images, labels = digits()
    x = images[..., 0].reshape(-1, *shape)
    x = np.rint(16 * x).astype(np.int32) if dtype == "int32" else x
    given = keras.Input(shape, name="rows", dtype=dtype)
    answer = keras.layers.Dense(10, activation="softmax", name="digit")
    model = train(keras.Sequential([given, *layers, answer]), x[:697], labels[:697], epochs=40)
    return model, {"rows": x[697:], "y": labels[697:]}


def recurrent(make: Callable[[Any], list[Any]], **options: Any) -> Callable[[], Given]:
    """A row of ``digits_of``: the layers come from ``keras.layers``."""

    def build() -> Given:
        from keras import layers

        return digits_of(*make(layers), **options)

    return build


def autoencoder() -> Given:
    """Digits through 16 numbers and back."""
    import keras
    from keras import layers

    from edgekit.workflows.demo import digits

    x = digits()[0].reshape(-1, 64)
    hidden = [layers.Dense(n, activation="relu") for n in (48, 16, 48)]
    model = keras.Sequential(
        [keras.Input((64,), name="pixels"), *hidden, layers.Dense(64, name="again")]
    )
    model.compile("adam", "mse")
    model.fit(x[:697], x[:697], epochs=40, verbose=0)
    return model, {"pixels": x[697:]}


def from_zoo(name: str) -> Callable[[], Given]:
    """A model of ``support.trained``, and 600 of its samples."""

    def build() -> Given:
        import keras

        found = trained(name)
        model = keras.models.load_model(found.model)
        with np.load(found.data) as data:
            x, y = data["x"][:600], data["y"][:600]
        (given,) = model.inputs
        return model, {given.name: x, "y": y}

    return build


MODELS: dict[str, Callable[[], Given]] = {
    "LSTM of 32": recurrent(lambda k: [k.LSTM(32)]),
    "LSTM of 32, twice": recurrent(lambda k: [k.LSTM(32, return_sequences=True), k.LSTM(32)]),
    "Bidirectional LSTM of 24 with sequences, LSTM": recurrent(
        lambda k: [k.Bidirectional(k.LSTM(24, return_sequences=True)), k.LSTM(24)]
    ),
    "Conv1D, LSTM of 32": recurrent(
        lambda k: [k.Conv1D(16, 3, activation="relu", padding="same"), k.LSTM(32)]
    ),
    "Embedding, LSTM of 48, 64 steps": recurrent(
        lambda k: [k.Embedding(17, 8), k.LSTM(48)], shape=(64,), dtype="int32"
    ),
    "GRU of 32, unrolled": recurrent(lambda k: [k.GRU(32, unroll=True)]),
    "CNN": recurrent(
        lambda k: [
            k.Reshape((8, 8, 1)),
            k.Conv2D(16, 3, activation="relu"),
            k.Conv2D(16, 3, activation="relu"),
            k.GlobalAveragePooling2D(),
        ]
    ),
    "DS-CNN": from_zoo("ds_cnn"),
    "autoencoder": autoencoder,
    "U-Net": from_zoo("unet"),
}

REFUSED: dict[str, Callable[[], Given]] = {
    "GRU": recurrent(lambda k: [k.GRU(8)]),
    "LSTM with ReLU": recurrent(lambda k: [k.LSTM(8, activation="relu")]),
    "Masking, LSTM": recurrent(lambda k: [k.Masking(), k.LSTM(8)]),
}


def _result(
    figure: str, form: str, device: str = "", written: str = "{:.1f}"
) -> Callable[[Made], str]:
    def cell(made: Made) -> str:
        value = getattr(made.result(form, device), figure)
        return "" if value is None else written.format(value)

    return cell


def _arena(made: Made) -> str:
    from edgekit_runtimes.engines.micro_arena import arena_bytes

    return f"{arena_bytes(made.micro):,}"


def _kilobytes(made: Made) -> str:
    return f"{made.micro.stat().st_size / 1000:.1f}"


COLUMNS: dict[str, Callable[[Made], str]] = {
    "accuracy, Keras": _result("original_accuracy", "tflite", written="{:.1%}"),
    "int8 .tflite": _result("accuracy", "tflite", written="{:.1%}"),
    "micro in LiteRT": _result("accuracy", "micro", written="{:.1%}"),
    "micro in TFLM": _result("accuracy", "micro", "micro", written="{:.1%}"),
    "dB, int8 .tflite": _result("sqnr_db", "tflite"),
    "dB, micro in LiteRT": _result("sqnr_db", "micro"),
    "dB, micro in TFLM": _result("sqnr_db", "micro", "micro"),
    "file, KB": _kilobytes,
    "arena, bytes": _arena,
}
"""By heading: the cell of a model."""


def row(name: str) -> dict[str, str]:
    """Convert one model; return its cells, or why it was refused."""
    import keras

    import edgekit

    keras.utils.set_random_seed(0)
    model, data = {**MODELS, **REFUSED}[name]()
    with tempfile.TemporaryDirectory() as named:
        folder, refused = Path(named), ""
        np.savez(folder / "data.npz", **data)
        try:
            report = edgekit.convert(
                model,
                folder / "data.npz",
                folder / "out",
                to="tflite,micro",
                precision="float32,int8",
            )
        except edgekit.ConversionError as error:
            report, refused = (
                getattr(error, "report", None),
                str(error).partition(" Written to ")[0],
            )
        made = Made(folder / "out", report, refused)
        if name in REFUSED:
            return {"message": made.refused}
        return {title: cell(made) for title, cell in COLUMNS.items()}


TABLES: list[tuple[str, list[str], list[str]]] = [
    ("<!-- made by make chips-table -->", [*MODELS], [*COLUMNS]),
    ("<!-- made by make chips-table: refused -->", [*REFUSED], ["message"]),
]


def main(page: Path, wanted: list[str]) -> None:
    """Write the tables, or those rows of them that are named."""
    for mark, names, heads in TABLES:
        for name in names:
            if wanted and name not in wanted:
                continue
            done = subprocess.run(
                [sys.executable, __file__, "--row", name],
                capture_output=True,
                text=True,
                check=False,
            )
            last = done.stdout.strip().splitlines()[-1:]
            if not last:
                raise SystemExit(f"{name}: {done.stderr}")
            cells = json.loads(last[0])
            line = f"| {' | '.join([name, *(cells[head].replace('|', '/') for head in heads)])} |"
            print(line, flush=True)
            page.write_text(with_row(page.read_text(), mark, names, ["model", *heads], name, line))


if __name__ == "__main__":
    if sys.argv[1] == "--row":
        print(json.dumps(row(sys.argv[2])))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
