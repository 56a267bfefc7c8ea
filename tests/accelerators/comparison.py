"""A file on a device, compared with the same file on the plain CPU; writes the table of docs/devices.md.

python tests/accelerators/comparison.py docs/devices.md
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from swiftshader import find_gpu

from edgekit_runtimes import DeviceUnavailable, ModelError, Placement, open_model

QUANTUM = 1 / 256
"""A step of a softmax's int8 output."""

DEVICES = {
    ".tflite": ("openvino", "micro", "webgpu", "npu-on-cpu"),
    ".onnx": ("openvino", "webgpu", "qnn"),
}


@dataclass(frozen=True)
class Comparison:
    """The result of one file on one device."""

    placement: Placement
    largest: float
    """The largest difference of an output value from the CPU's."""

    same: float
    """The fraction of the samples with the same prediction."""


def compare(path: Path, device: str, samples: np.ndarray) -> Comparison:
    with open_model(path) as plain, open_model(path, device=device) as model:
        expected, got = plain.run(samples), model.run(samples)
        placement = model.placement
    return Comparison(
        placement,
        float(np.abs(expected - got).max()),
        float(np.mean(expected.argmax(-1) == got.argmax(-1))),
    )


def rows(models: dict[str, tuple[Path, np.ndarray]]) -> Iterator[str]:
    yield "| model | file | device | processor | placement | largest difference | same prediction |"
    yield "|---|---|---|---|---|---|---|"
    for name, (folder, samples) in models.items():
        for suffix, devices in DEVICES.items():
            for precision in ("float32", "int8"):
                path = folder / f"model_{precision}{suffix}"
                for device in devices:
                    head = f"| {name} | {precision} {suffix} | {device} "
                    try:
                        yield head + cells(compare(path, device, samples), precision)
                    except (DeviceUnavailable, ModelError) as error:
                        reason = str(error).replace(f"{path}: ", "").removeprefix(f"{device}: ")
                        yield f"{head}| refused: {reason} | | | |"


def cells(found: Comparison, precision: str) -> str:
    placed = found.placement
    simulated = " (simulated)" if placed.simulated else ""
    difference = (
        f"{found.largest / QUANTUM:.0f} quanta" if precision == "int8" else f"{found.largest:.1g}"
    )
    where = (
        f"{placed.delegated} of {len(placed.operators)} operators, {placed.partitions} partition"
    )
    where += "" if placed.partitions == 1 else "s"
    return f"| {placed.processor}{simulated} | {where} | {difference} | {found.same:.1%} |"


def main(page: Path) -> None:
    import tempfile

    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    find_gpu()
    import edgekit

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from support.models import digits_lstm, save_digits, train
    from support.zoo import with_statistics

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        save_digits(folder)
        seen = np.load(folder / "rows.npz")
        unrolled = train(digits_lstm(unroll=True), seen["rows"][:500], seen["y"][:500])
        unrolled.save(folder / "lstm, unrolled.keras")
        models = {}
        for name, data in (("cnn", "calib"), ("lstm", "rows"), ("lstm, unrolled", "rows")):
            edgekit.convert(folder / f"{name}.keras", folder / f"{data}.npz", folder / name)
            held_out = np.load(folder / ("eval.npz" if name == "cnn" else "rows.npz"))
            key = next(k for k in held_out if k not in ("y", "labels"))
            models[f"digits {name}"] = folder / name, held_out[key][:50].astype(np.float32)
        import keras

        keras.utils.set_random_seed(0)
        mobile = with_statistics(
            keras.applications.MobileNet((96, 96, 3), alpha=0.25, weights=None, classes=2)
        )
        images = np.random.default_rng(0).random((200, 96, 96, 3), np.float32)
        edgekit.convert(mobile, images, folder / "mobilenet")
        models["MobileNet 0.25, random weights"] = folder / "mobilenet", images[:10]
        table = "\n".join(rows(models))
    before, _, rest = page.read_text().partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- end of table -->")
    page.write_text(f"{before}<!-- table -->\n{table}\n<!-- end of table -->{after}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
