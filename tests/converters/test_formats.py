"""The table of output formats: what an entry must be able to do, and that an entry is all it takes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit_converters
from edgekit_converters import (
    FORMATS,
    ConversionError,
    Format,
    Job,
    Precision,
    Quantized,
    Writer,
    format_of,
)
from edgekit_converters.tflite import flatbuffer


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    x = keras.Input((4,), name="x")
    return keras.Model([x], [keras.layers.Dense(3, activation="relu")(x)])


SAMPLES = [{"x": np.full(4, value, np.float32)} for value in (-1, 0.5, 2)]


def json_writer(job: Job) -> Writer:
    """A format that lists the tensors of the graph, with the scales of a calibrated precision."""

    def write(target: Path, precision: Precision, quantized: Quantized | None) -> None:
        graph = flatbuffer.read(quantized.file if quantized else job.graph).subgraphs[0]
        names = [flatbuffer.name(tensor) for tensor in graph.tensors]
        target.write_text(json.dumps({"precision": precision, "tensors": names}))

    return Writer(write)


def mark_json(path: Path, words: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"note": words}))


def test_one_entry_adds_a_format(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "json", Format("JSON", ".json", json_writer, mark_json))
    targets = {
        ("json", "float32"): tmp_path / "a.json",
        ("json", "int8"): tmp_path / "b.json",
        ("onnx", "int8"): tmp_path / "b.onnx",
    }
    steps: list[str] = []
    edgekit_converters.convert(model, targets, SAMPLES, scratch=tmp_path, progress=steps.append)

    plain, quantized = (json.loads(targets["json", p].read_text()) for p in ("float32", "int8"))
    assert "x" in plain["tensors"]
    assert len(quantized["tensors"]) > len(plain["tensors"]), "the QUANTIZE at the input is missing"
    assert "preparing JSON" in steps
    FORMATS["json"].mark(tmp_path / "a.json", "hello")
    assert json.loads((tmp_path / "a.json").read_text()) == {**plain, "note": "hello"}
    assert format_of(tmp_path / "a.json") == "json"
    assert FORMATS["json"].sidecar(tmp_path / "a.json") is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_marked_file_carries_the_words_and_computes_the_same(
    model: Any, name: str, tmp_path: Path
) -> None:
    import edgekit_runtimes

    path = tmp_path / f"model{FORMATS[name].suffix}"
    edgekit_converters.convert(model, {(name, "float32"): path}, scratch=tmp_path)
    assert format_of(path) == name
    x = np.ones((1, 4), np.float32)
    with edgekit_runtimes.open_model(path) as session:
        before = session.run(x)
    FORMATS[name].mark(path, "made of random numbers")
    assert b"made of random numbers" in path.read_bytes()
    with edgekit_runtimes.open_model(path) as session:
        np.testing.assert_array_equal(session.run(x), before)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("json", "float32"), "'json' is no format: choose from tflite, onnx"),
        (("onnx", "int4"), "'int4' is no precision: choose from float32, "),
        (("onnx", "int8"), "int8 needs samples.*need none: float32, float16, dynamic"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    model: Any, target: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match=words):
        edgekit_converters.convert(model, {target: tmp_path / "m"}, scratch=tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_onnx_file_is_one_by_the_standards_own_check(converted: Path) -> None:
    """Nodes in order, among others: ONNX Runtime is content without, other readers are not."""
    import onnx

    files = sorted(converted.glob("*.onnx"))
    assert len(files) == 5
    for path in files:
        onnx.checker.check_model(path)
