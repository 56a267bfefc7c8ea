"""``make web-table``: every model of the small matrix in a browser, beside the processor here, into docs/web.md.

Usage: table.py PAGE.md [NAME ...]
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgekit
from edgekit.bundle.manifest import read_manifest
from support.web_page import SELF_TEST, browser, install, served
from support.zoo import OWN_CLASSES, SMALL, samples

MARK = "<!-- made by make web-table -->"
HEADS = ["model", "LiteRT.js", "onnxruntime-web"]


def rows(names: list[str], root: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each model's cells: for each format how many of the values are those of the processor here."""
    import keras

    with browser() as opened:
        for name in names:
            keras.utils.set_random_seed(0)
            model = SMALL[name]()
            out, page = root / "out", root / "page"
            source: Any = OWN_CLASSES.get(name, model)
            data = samples(model)
            edgekit.convert(source, data, out, precision="int8", io="int8", force=True)
            manifest = read_manifest(out)
            assert manifest is not None
            files = [entry.file for entry in manifest.files]
            edgekit.export(out, "web", page, files=files)
            install(page, root / "cache")
            cells = {}
            with served(page) as address:
                for entry in manifest.files:
                    tab = opened.new_page()
                    tab.goto(address)
                    cells[entry.format] = _tested(tab, entry)
                    tab.close()
            yield name, cells


def _tested(tab: Any, entry: Any) -> str:
    try:
        tested = tab.evaluate(SELF_TEST, [entry.file, "wasm"])
    except Exception as error:  # what a browser says is the cell
        return str(error).splitlines()[0].replace("|", "/")[:200]
    values = sum(result["values"] for result in tested["results"])
    same = sum(result["identical"] for result in tested["results"])
    if same == values:
        return "identical"
    scales = {spec.name: spec.scale for spec in entry.outputs}
    parts = []
    for result in tested["results"]:
        if result["identical"] < result["values"]:
            step = scales[result["output"]]
            by = f"{result['largest'] / step:.0f} steps" if step else f"{result['largest']:.2g}"
            parts.append(
                f"{result['values'] - result['identical']} of {result['values']} by up to {by}"
            )
    return "; ".join(parts)


def main(page: Path, names: list[str]) -> None:
    """Writes the table, or prints those rows of it that are named."""
    before, _, after = page.read_text(encoding="utf-8").partition(f"{MARK}\n")
    rest = after.partition("\n\n")[2]
    lines = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
    with tempfile.TemporaryDirectory() as folder:
        for name, cells in rows(names or [*SMALL], Path(folder)):
            lines.append(f"| {name} | {cells['tflite']} | {cells['onnx']} |")
            print(lines[-1], flush=True)
    if not names:
        page.write_text(f"{before}{MARK}\n" + "\n".join(lines) + f"\n\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    os.environ["EDGEKIT_CACHE"] = "off"
    main(Path(sys.argv[1]), sys.argv[2:])
