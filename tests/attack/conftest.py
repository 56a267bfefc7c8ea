"""Good files of every kind, for the attacks to damage."""

import io
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo
from support.models import digits_lstm
from support.once import once

import edgekit


@pytest.fixture(scope="session")
def seeds(
    digits: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> Path:
    """A folder for each kind of ``ATTACKS``, with small good files; read only."""
    return once(tmp_path_factory, "attack", lambda folder: _small(folder, digits, converted))


@pytest.fixture(scope="session")
def more_seeds(
    seeds: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> Path:
    """The same with models of more operators, for the long form."""

    def make(folder: Path) -> None:
        shutil.copytree(seeds, folder, dirs_exist_ok=True)
        for model in (digits_lstm(), zoo.many_ends(), zoo.unet(), zoo.separable_conv()):
            _converted(model, folder, f"{model.name}-{len(model.layers)}")

    return once(tmp_path_factory, "attack-more", make)


def _small(folder: Path, digits: Path, converted: Path) -> None:
    for kind in ("tflite", "onnx", "keras", "npz", "npy", "csv", "png", "project", "manifest", "listed",
                 "results_npz", "results_json"):  # fmt: skip
        (folder / kind).mkdir()
    for suffix in ("tflite", "onnx"):
        shutil.copy(converted / f"model_int8.{suffix}", folder / suffix / f"digits.{suffix}")
        shutil.copy(converted / f"model_float32.{suffix}", folder / suffix / f"float.{suffix}")
    _converted(zoo.mlp(), folder, "tiny")
    shutil.copy(digits / "cnn.keras", folder / "keras")
    with np.load(digits / "calib.npz") as calib:
        images, labels = calib["image"][:40], calib["y"][:40]
    np.savez(folder / "few.npz", image=images[:4], y=labels[:4])
    np.savez(folder / "npz" / "plain.npz", image=images[:8], y=labels[:8])
    np.savez_compressed(
        folder / "npz" / "packed.npz", image=images[:8].astype(float), labels=labels[:8]
    )
    np.save(folder / "npy" / "c.npy", images[:8])
    np.save(folder / "npy" / "fortran.npy", np.asfortranarray(images[:8].astype(np.float64)))
    for name, header in (
        ("head", ",".join([*(f"image_{i}" for i in range(64)), "y"])),
        ("bare", ""),
    ):
        rows = [[*x.ravel().tolist(), y] for x, y in zip(images[:8], labels[:8], strict=True)]
        rows = rows if header else [row[:-1] for row in rows]
        lines = [*([header] if header else []), *(",".join(map(str, row)) for row in rows)]
        (folder / "csv" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    _pictures(folder / "png", images)
    (folder / "project" / "edgekit.toml").write_text(
        '[convert]\nmodel = "model.keras"\ndata = "samples.npz"\nto = ["tflite", "onnx"]\n'
        'max-drop = "2%"\nbatch = 1\n[validate]\nmetrics = ["f1"]\nmin = "top1=0.9"\nsamples = 100\n'
    )
    _out(folder / "out", converted, images[:4])
    shutil.copy(converted / "manifest.json", folder / "manifest")
    shutil.copy(converted / "model_int8.tflite", folder / "listed")
    few = {"image": images, "y": labels}
    for suffix in ("npz", "json"):
        path = folder / f"results_{suffix}" / f"results.{suffix}"
        edgekit.validate(
            converted / "model_float32.tflite", converted / "model_int8.tflite", few, save=path
        )


def _converted(model: Any, folder: Path, name: str) -> None:
    chance = np.random.default_rng(0)
    shapes = {t.name: t.shape[1:] for t in model.inputs}
    data = {name: chance.random((20, *shape), np.float32) for name, shape in shapes.items()}
    out = folder / "converting"
    edgekit.convert(model, data, out)
    for suffix in ("tflite", "onnx"):
        shutil.copy(out / f"model_int8.{suffix}", folder / suffix / f"{name}.{suffix}")
        shutil.copy(out / f"model_float32.{suffix}", folder / suffix / f"{name}-float.{suffix}")
    shutil.rmtree(out)


def _out(folder: Path, converted: Path, images: Any) -> None:
    """A folder that ships, some images, and what each of its files answers to them."""
    from edgekit_runtimes import open_model

    shutil.copytree(converted, folder)
    np.savez(folder / "few.npz", image=images)
    answers = {}
    for path in sorted(folder.glob("model_*")):
        with open_model(path) as model:
            answers[path.name] = model.run(images)
    np.savez(folder / "answers.npz", **answers)


def _pictures(folder: Path, images: Sequence[Any]) -> None:
    from PIL import Image

    picture = Image.fromarray((images[0][..., 0] * 255).astype(np.uint8))
    for suffix in ("png", "gif", "bmp", "webp", "jpeg"):
        written = io.BytesIO()
        picture.save(written, suffix)
        (folder / f"a.{suffix}").write_bytes(written.getvalue())


@pytest.fixture(scope="session")
def campaign_seed() -> int:
    """``SEED=...`` repeats a campaign; without it each is another."""
    return int(os.environ.get("SEED") or random.randrange(1_000_000))


@pytest.fixture(scope="session")
def campaign_size() -> float:
    """``SIZE=0.1`` makes a campaign of a tenth."""
    return float(os.environ.get("SIZE") or 1)
