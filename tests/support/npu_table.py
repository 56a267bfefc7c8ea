"""``make npu-table``: what the compilers of NPUs make of every small int8 model, as the tables of docs/npu.md.

Usage: npu_table.py PAGE.md [NAME ...]. Nothing executes the compiled files.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.matrix import with_row
from support.trained_models import ds_cnn, resnet
from support.zoo import LARGE, OWN_CLASSES, SMALL, samples
from support.zoo_images import IMAGES

ETHOS_U = ("ethos-u55-128", "ethos-u65-512", "ethos-u85-512")
MARK, MARK_QUALCOMM = "<!-- made by make npu-table -->", "<!-- made by make npu-table: qualcomm -->"
HEADS = ["model", *(f"{chip}{of}" for chip in ETHOS_U for of in ("", " cycles")), "on the CPU"]


def _unrolled(layer: str) -> Callable[[], Any]:
    def build() -> Any:
        import keras

        layers = keras.layers
        recurrent = getattr(layers, layer)(32, unroll=True)
        rows, answer = layers.Input((8, 8), name="rows"), layers.Dense(10, activation="softmax")
        return keras.Sequential([rows, recurrent, answer])

    return build


MODELS: dict[str, Callable[[], Any]] = {
    **SMALL,
    "DS-CNN": ds_cnn,
    "ResNet": resnet,
    **{name: LARGE[name] for name in ("MobileNet V1", "MobileNet V2", "MobileNet V3 small")},
    "LSTM of 32, unroll=True": _unrolled("LSTM"),
    "GRU of 32, unroll=True": _unrolled("GRU"),
    **IMAGES,
}
SIX = ("CNN", "DS-CNN", "ResNet", "MobileNet V2", "U-Net", "Bidirectional LSTM")
"""The models that are compiled for every Qualcomm system."""


def main(page: Path, wanted: list[str]) -> None:
    """Write the tables, or those rows that are named."""
    from edgekit_converters.targets.qualcomm import QUALCOMM

    names = [name for name in MODELS if not wanted or name in wanted]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            _convert(name, Path(folder, name))
            _add(page, MARK, [*MODELS], HEADS, name, _ethos_row(Path(folder, name)))
        if set(SIX) <= set(names):
            for chip in QUALCOMM:
                row = [_on_qualcomm(Path(folder, name), chip) for name in SIX]
                _add(page, MARK_QUALCOMM, [*QUALCOMM], ["target", *SIX], chip, row)


def _convert(name: str, folder: Path) -> None:
    import keras

    import edgekit

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = MODELS[name]()
    edgekit.convert(
        OWN_CLASSES.get(name, model), samples(model, 64), folder, precision="int8", io="int8"
    )


def _ethos_row(folder: Path) -> list[str]:
    from edgekit_converters import ConversionError
    from edgekit_converters.targets.vela import compile_for_ethos_u

    cells, on_cpu = [], dict[str, None]()
    for chip in ETHOS_U:
        scratch = folder / chip
        scratch.mkdir()
        try:
            made = compile_for_ethos_u(
                folder / "model_int8.tflite", folder / f"{chip}.tflite", chip, scratch=scratch
            )
        except ConversionError:
            cells += ["refused", ""]
            on_cpu["a loop that Vela does not read"] = None
            continue
        seen = made.inspection
        cells += [f"{seen.placed} of {seen.total}", f"{seen.figures[0].value:,}"]
        on_cpu.update(dict.fromkeys(one.kind for one in seen.operators if one.runs_on == "CPU"))
    if "WHILE" in on_cpu:
        on_cpu = {"the loop and what is in it": None}
    return [*cells, ", ".join(on_cpu)]


def _on_qualcomm(folder: Path, chip: str) -> str:
    from edgekit_converters import ConversionError
    from edgekit_converters.targets.qualcomm import compile_for_qualcomm

    cells = []
    for suffix in (".tflite", ".onnx"):
        scratch = folder / f"{chip}{suffix}.scratch"
        scratch.mkdir()
        model, target = folder / f"model_int8{suffix}", folder / f"{chip}{suffix}"
        try:
            made = compile_for_qualcomm(model, target, chip, scratch=scratch)
        except ConversionError:
            cells.append("refused")
            continue
        seen = made.inspection
        cells.append(f"{seen.placed} of {seen.total}, {seen.figures[0].value / 1000:,.0f} KB")
    return " / ".join(cells)


def _add(
    page: Path, mark: str, names: list[str], heads: list[str], name: str, cells: list[str]
) -> None:
    line = f"| {' | '.join([name, *cells])} |"
    print(line, flush=True)
    page.write_text(with_row(page.read_text(), mark, names, heads, name, line))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
