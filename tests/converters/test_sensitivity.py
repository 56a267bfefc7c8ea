"""The noise of rounding one tensor alone."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.corrections import digits_rows
from support.recipes import images_of

from edgekit_converters import convert, load_model
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.sensitivity import rounded_tensors, sensitivities
from edgekit_converters.tflite.write import write_tflite
from edgekit_runtimes import open_model


@pytest.fixture(scope="module")
def cnn(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The float graph of the digits CNN, its table of ranges, and its int8 file."""
    folder = tmp_path_factory.mktemp("sensitivity")
    model = load_model(str(digits / "cnn.keras"))
    int8 = folder / "int8.tflite"
    samples = images_of(digits, "calib", 50)
    made = convert(model, {("tflite", "int8"): int8}, samples, scratch=folder)
    return {"graph": made.graph, "int8": int8, "ranges": made.ranges}


def test_a_tensor_of_too_wide_a_range_is_the_worst(
    cnn: dict[str, Any], digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 24)
    plain = sensitivities(cnn["graph"], cnn["int8"], samples)
    (planted, *_) = (name for name in plain if plain[name] == min(plain.values()))
    wide = {**cnn["ranges"], planted: tuple(40 * end for end in cnn["ranges"][planted])}
    write_tflite(cnn["graph"], tmp_path / "wide.tflite", "int8", wide)

    noises = sensitivities(cnn["graph"], tmp_path / "wide.tflite", samples)

    assert max(plain, key=plain.__getitem__) != planted
    assert max(noises, key=noises.__getitem__) == planted


def test_every_integer_tensor_has_a_noise_and_it_is_the_same_again(
    cnn: dict[str, Any], digits: Path
) -> None:
    samples = images_of(digits, "eval", 8)
    seen: list[tuple[int, int]] = []

    noises = sensitivities(
        cnn["graph"], cnn["int8"], samples, progress=lambda *done: seen.append(done)
    )

    assert list(noises) == list(rounded_tensors(cnn["graph"], cnn["int8"]))
    assert {"image", "digit"} <= set(noises)
    assert all(noise > 0 for noise in noises.values())
    assert noises == sensitivities(cnn["graph"], cnn["int8"], samples)
    assert seen == [(n, len(noises)) for n in range(1, len(noises) + 1)]


def test_only_the_samples_that_are_asked_for_are_read(cnn: dict[str, Any], digits: Path) -> None:
    samples = images_of(digits, "eval", 8)

    few = sensitivities(cnn["graph"], cnn["int8"], samples, count=3)

    assert few == sensitivities(cnn["graph"], cnn["int8"], samples[:3])
    assert few != sensitivities(cnn["graph"], cnn["int8"], samples)


def test_other_processes_find_the_same(cnn: dict[str, Any], digits: Path) -> None:
    samples = images_of(digits, "eval", 4)

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        noises = sensitivities(cnn["graph"], cnn["int8"], samples, mapped=pool.map)

    assert noises == sensitivities(cnn["graph"], cnn["int8"], samples)


def test_the_noise_is_the_squared_error_over_the_squared_output(
    cnn: dict[str, Any], digits: Path, tmp_path: Path
) -> None:
    """Of rounding the output itself, which numpy can do."""
    write_tflite(cnn["graph"], tmp_path / "float.tflite", "float32")
    samples = images_of(digits, "eval", 10)
    with open_model(tmp_path / "float.tflite") as session:
        exact = np.array([session.run({"image": s["image"][np.newaxis]})["digit"] for s in samples])
    scale = rounded_tensors(cnn["graph"], cnn["int8"])["digit"]
    integers = np.clip(np.round(exact / scale.scale) + scale.zero_point, -128, 127)
    rounded = (integers - scale.zero_point) * scale.scale

    noise = sensitivities(cnn["graph"], cnn["int8"], samples)["digit"]

    expected = np.sum((rounded - exact) ** 2) / np.sum(exact**2)
    assert noise == pytest.approx(expected, rel=1e-3)


def test_loops_have_no_noises(digits: Path, tmp_path: Path) -> None:
    graph, int8, rows = digits_rows(digits, tmp_path)

    noises = sensitivities(graph, int8, rows)

    main, *inside = flatbuffer.read(graph).subgraphs
    names = [{flatbuffer.name(t) for t in part.tensors} for part in (main, *inside)]
    assert "digit" in noises
    assert len(names) == 3
    assert set(noises) <= names[0] - names[1] - names[2]
