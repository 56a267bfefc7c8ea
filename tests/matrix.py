"""``make matrix``: every model of the zoo in every format and precision, as a table.

Usage: matrix.py TABLE.md [NAME ...], or matrix.py --row NAME for one row as JSON. Each row runs in a
process of its own, so that its peak memory is its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from zoo import LARGE, SMALL, samples

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


def row(name: str) -> dict[str, Any]:
    """Converts one model, and says how far each file strays, in dB."""
    import keras

    import edgekit

    keras.utils.set_random_seed(0)
    model = {**SMALL, **LARGE}[name]()
    data = samples(model)
    with tempfile.TemporaryDirectory() as folder:
        source: Any = model
        if name == "subclassed":  # a class of one's own is loaded by a function of one's own
            source = "zoo:subclassed"
        start = time.perf_counter()
        try:
            report = edgekit.convert(source, data, folder, precision=PRECISIONS)
        except (edgekit.ConversionError, edgekit.ModelError, edgekit.DataError) as error:
            return {"error": str(error)}
        sizes = {(f.format, f.precision): f.bytes for f in report.files}
        return {
            "files": {f.name: f.worst_score.sqnr_db for f in report.files},
            "size": {k: sizes[k, "int8"] / sizes[k, "float32"] for k in ("tflite", "onnx")},
            "seconds": time.perf_counter() - start,
            "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000,
            "notes": [n for n in report.notes if "slower" not in n],
        }


def cells(found: dict[str, Any]) -> list[str]:
    if "error" in found:
        return [found["error"].replace("|", "/"), *[""] * (len(PRECISIONS) + 3)]
    scores = [
        " / ".join(
            _decibel(found["files"][f"model_{precision}.{form}"]) for form in ("tflite", "onnx")
        )
        for precision in PRECISIONS
    ]
    sizes = " / ".join(f"{found['size'][form]:.2f}" for form in ("tflite", "onnx"))
    notes = "; ".join(found["notes"])
    return [*scores, sizes, f"{found['seconds']:.0f}", f"{found['peak_mb']:.0f}", notes]


def _decibel(value: float) -> str:
    return "equal" if value == float("inf") else f"{value:.0f}"


def main(target: Path, names: list[str]) -> None:
    """Writes the table, or those rows of it that are named."""
    before, mark, table = target.read_text().partition("<!-- made by make matrix -->\n")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:]}
    heads = ["model", *PRECISIONS, "int8 of float32", "s", "peak MB", "what is done otherwise"]
    for name in names or [*SMALL, *LARGE]:
        done = subprocess.run(
            [sys.executable, __file__, "--row", name], capture_output=True, text=True, check=False
        )
        last = done.stdout.strip().splitlines()[-1:] or ['{"error": "the process died"}']
        rows[name] = f"| {' | '.join([name, *cells(json.loads(last[0]))])} |"
        print(rows[name], flush=True)
        lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        lines += [rows[n] for n in (*SMALL, *LARGE) if n in rows]
        target.write_text(f"{before}{mark}" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--row":
        print(json.dumps(row(sys.argv[2])))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
