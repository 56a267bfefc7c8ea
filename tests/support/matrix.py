"""``make matrix``: every model of the zoo in every format and precision, as tables.

Usage: matrix.py TABLE.md [NAME ...], or matrix.py --row NAME for one row as JSON. Each row runs in a
process of its own, so that its peak memory is its own.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.process_memory import descendants, text
from support.zoo import LARGE, OWN_CLASSES, RECURRENT, REFUSED, SMALL, TRAINED, digit_rows, samples
from support.zoo_images import IMAGES

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
FORMATS = ("tflite", "onnx")
FEW = {"VGG16": 24}
"""How many samples a model gets, where 120 would take hours: its 16-bit TFLite file, minutes each."""


def row(name: str) -> dict[str, Any]:
    """Converts one model, and says how far each file strays, in dB."""
    import keras

    import edgekit

    keras.utils.set_random_seed(0)
    model = {**SMALL, **IMAGES, **REFUSED, **LARGE, **RECURRENT, **TRAINED}[name]()
    if name in TRAINED:
        data = digit_rows()
    else:
        data = samples(model, FEW.get(name, 400 if name in RECURRENT else 120))
    with tempfile.TemporaryDirectory() as folder:
        source: Any = OWN_CLASSES.get(name, model)
        start = time.perf_counter()
        with PeakMemory() as peak:
            try:
                report = edgekit.convert(source, data, folder, precision=PRECISIONS)
            except (edgekit.ConversionError, edgekit.ModelError, edgekit.DataError) as error:
                return {"error": str(error)}
        return {
            "files": {
                f"{f.precision} {f.format}": {
                    "sqnr_db": f.worst_result.sqnr_db,
                    "bytes": f.bytes,
                    "latency_ms": f.latency_ms,
                    "accuracy": f.worst_result.accuracy,
                    "original_accuracy": f.worst_result.original_accuracy,
                    "agreement": f.worst_result.agreement,
                }
                for f in report.files
            },
            "seconds": time.perf_counter() - start,
            "peak_mb": peak.bytes / 1e6,
            "notes": [n for n in report.notes if "slower" not in n and "validate" not in n],
        }


class PeakMemory:
    """The most that this process's children held, they and theirs together, in ``bytes``.

    Linux keeps each process's own peak (VmHWM), so looking now and then misses only what a process
    takes in its last moment. ``ru_maxrss`` would not do: a child's starts at its parent's.
    """

    def __enter__(self) -> "PeakMemory":
        self.bytes = 0
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.bytes = max(self.bytes, sum(map(_peak, descendants(Path("/proc/self")))))


def _peak(process: Path) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", text(process / "status"))
    return int(found[1]) * 1024 if found else 0


def main_row(name: str, found: dict[str, Any]) -> list[str]:
    """A model of the zoo: the accuracy of each file, what int8 saves, and what it took."""
    if "error" in found:
        reason = found["error"].rsplit("model.keras: ", 1)[-1].replace("|", "/")
        return [name, *["refused"] * len(PRECISIONS), "", "", "", "", reason]
    return [
        name,
        *(_pair(found, precision, "sqnr_db", _decibel) for precision in PRECISIONS),
        _pair(found, "float32", "bytes", lambda size: f"{size / 1000:,.0f}"),
        _of_float(found, "int8"),
        f"{found['seconds']:.0f}",
        f"{found['peak_mb']:.0f}",
        "; ".join(found["notes"]),
    ]


def recurrent_row(name: str, found: dict[str, Any]) -> list[str]:
    """A recurrent model: accuracy, size and latency, of the precisions that people ship."""
    if "error" in found:
        return [name, found["error"].replace("|", "/"), *[""] * (len(RECURRENT_HEADS) - 2)]
    cells = [
        name,
        _pair(found, "float32", "bytes", lambda size: f"{size / 1000:.0f}"),
        _pair(found, "float32", "latency_ms", "{:.2f}".format),
    ]
    for precision in ("dynamic", "int8"):
        cells += [
            _pair(found, precision, "sqnr_db", _decibel),
            _of_float(found, precision),
            _pair(found, precision, "latency_ms", "{:.2f}".format),
        ]
    return cells


def trained_row(name: str, found: dict[str, Any]) -> list[str]:
    """A trained recurrent model: what int8 does to its accuracy."""
    if "error" in found:
        return [name, found["error"].replace("|", "/"), *[""] * (len(TRAINED_HEADS) - 2)]
    whole = found["files"]["float32 tflite"]
    return [
        name,
        f"{whole['original_accuracy']:.1%}",
        _pair(found, "float32", "bytes", lambda size: f"{size / 1000:.0f}"),
        _pair(found, "float32", "latency_ms", "{:.3f}".format),
        _pair(found, "int8", "accuracy", "{:.1%}".format),
        _pair(found, "int8", "agreement", "{:.1%}".format),
        _pair(found, "int8", "sqnr_db", _decibel),
        _of_float(found, "int8"),
        _pair(found, "int8", "latency_ms", "{:.3f}".format),
    ]


MAIN_HEADS = ["model", *PRECISIONS, "float32 KB", "int8 of float32", "s", "peak MB"]
MAIN_HEADS += ["what is done otherwise"]
RECURRENT_HEADS = ["model", "float32 KB", "ms"]
RECURRENT_HEADS += [f"{p}{of}" for p in ("dynamic", "int8") for of in (" dB", " of float32", " ms")]
TRAINED_HEADS = ["model", "accuracy in Keras", "float32 KB", "ms", "int8 accuracy", "same answers"]
TRAINED_HEADS += ["dB", "of float32", "ms"]


def _pair(
    found: dict[str, Any], precision: str, figure: str, written: Callable[[float], str]
) -> str:
    return " / ".join(written(found["files"][f"{precision} {form}"][figure]) for form in FORMATS)


def _of_float(found: dict[str, Any], precision: str) -> str:
    sizes = {key: file["bytes"] for key, file in found["files"].items()}
    return " / ".join(
        f"{sizes[f'{precision} {form}'] / sizes[f'float32 {form}']:.2f}" for form in FORMATS
    )


def _decibel(value: float) -> str:
    return "equal" if value == float("inf") else f"{value:.0f}"


TABLES: list[tuple[str, list[str], list[str], Callable[[str, dict[str, Any]], list[str]]]] = [
    ("<!-- made by make matrix -->", [*SMALL, *IMAGES, *REFUSED, *LARGE], MAIN_HEADS, main_row),
    ("<!-- made by make matrix: recurrent -->", [*RECURRENT], RECURRENT_HEADS, recurrent_row),
    ("<!-- made by make matrix: trained -->", [*TRAINED], TRAINED_HEADS, trained_row),
]


def main(target: Path, wanted: list[str]) -> None:
    """Writes the tables, or those rows of them that are named."""
    for mark, names, heads, cells in TABLES:
        for name in names:
            if wanted and name not in wanted:
                continue
            command = [sys.executable, __file__, "--row", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            last = done.stdout.strip().splitlines()[-1:] or ['{"error": "the process died"}']
            line = f"| {' | '.join(cells(name, json.loads(last[0])))} |"
            print(line, flush=True)
            target.write_text(with_row(target.read_text(), mark, names, heads, name, line))


def with_row(page: str, mark: str, names: list[str], heads: list[str], name: str, line: str) -> str:
    """The page with one line of the table behind ``mark`` replaced, in the order of ``names``."""
    before, _, after = page.partition(f"{mark}\n")
    table, gap, rest = after.partition("\n\n")
    lines = table.strip().splitlines()[2:]
    rows = {old.split(" | ")[0].removeprefix("| "): old for old in lines} | {name: line}
    head = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    whole = "\n".join([*head, *(rows[n] for n in names if n in rows)])
    return f"{before}{mark}\n{whole}{gap or chr(10)}{rest}"


if __name__ == "__main__":
    if sys.argv[1] == "--row":
        print(json.dumps(row(sys.argv[2])))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
