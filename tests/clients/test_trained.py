"""Trained models out of published packages in int8, beside TFLiteConverter's own on the same samples."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.peers import converter_int8
from support.recipes import sqnr

from clients.environments import TRAINED
from clients.table import TrainedRow, write_trained
from clients.trained import MODELS, WITHOUT_PEER
from edgekit_converters import convert
from edgekit_runtimes import open_model

pytestmark = pytest.mark.client

Array = Any


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, TrainedRow]]:
    """Rows by model; ``CLIENTS_TABLE`` names the page into which they are written at the end."""
    rows: dict[str, TrainedRow] = {}
    yield rows
    if (page := os.environ.get("CLIENTS_TABLE")) and rows:
        write_trained(Path(page), [rows[name] for name in MODELS if name in rows])


def outputs(path: Path, rows: Array) -> list[Array]:
    """What a file answers, sample by sample."""
    with open_model(path) as session:
        name = session.inputs[0].name
        each = [session.run({name: row[np.newaxis]}) for row in rows]
    return [np.concatenate([one[key] for one in each]) for key in each[0]]


@pytest.mark.parametrize("name", MODELS)
def test_int8_of_a_trained_model_is_as_good_as_the_converters(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: dict[str, TrainedRow],
) -> None:
    import keras

    if not TRAINED.is_dir():
        pytest.skip("the packages are not installed: make test-clients")
    monkeypatch.syspath_prepend(TRAINED)
    trained = MODELS[name]()
    model, count = trained.model, trained.calibrating
    calibration, judged = trained.rows[:count], trained.rows[count:]
    files: Any = {(form, "int8"): tmp_path / f"int8.{form}" for form in ("tflite", "onnx")}
    samples = [{model.inputs[0].name: row} for row in calibration]
    convert(model, files, samples, scratch=tmp_path)
    paths = {form: path for (form, _), path in files.items()}
    if name not in WITHOUT_PEER:
        paths["peer"] = tmp_path / "converter.tflite"
        paths["peer"].write_bytes(converter_int8(trained.peer or model, calibration))
    whole = keras.tree.flatten(model.predict(trained.rows, batch_size=8, verbose=0))
    exact = [np.asarray(y)[count:] for y in whole]
    made = {form: outputs(path, judged) for form, path in paths.items()}

    def decibels(form: str) -> tuple[float, ...]:
        # TFLiteConverter orders outputs in its own way.
        return tuple(max(sqnr(e, g) for g in made[form] if g.shape == e.shape) for e in exact)

    scores = {form: decibels(form) for form in made}

    def right(found: list[Array], truth: Array) -> float:
        assert trained.right
        return trained.right(found[0], truth)

    answers = {"keras": exact, **made} if trained.right else {}
    row = table[name] = TrainedRow(
        name,
        scores,
        {form: path.stat().st_size for form, path in paths.items()},
        {form: right(found, trained.truth[count:]) for form, found in answers.items()},
        WITHOUT_PEER.get(name, ""),
    )
    print(row)
    least = [score - 1 for score in scores["peer"]] if "peer" in scores else trained.least
    for form in ("tflite", "onnx"):
        assert all(got >= wanted for got, wanted in zip(scores[form], least, strict=True)), row
        assert not answers or row.right[form] > row.right["keras"] - 0.02, row
    assert not answers or row.right["keras"] > trained.known, row
