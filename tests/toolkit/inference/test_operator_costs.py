"""What operators cost: measured on real files, kept by what they are, never by timing in a test."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.zoo import transformer

from edgekit.data.samples import DataError
from edgekit.inference.assignment import GraphCosts, cheapest
from edgekit.inference.operator_costs import litert_costs, litert_times
from edgekit.inference.paired_operators import pair_files
from edgekit_converters import convert
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.cut import crossing
from edgekit_runtimes.engines.litert_times import SmallFile, call_seconds


@pytest.fixture(scope="module")
def costs(converted: Path) -> GraphCosts:
    return litert_costs(
        converted / "model_float32.tflite", converted / "model_int8.tflite", seconds=0.05
    )


def test_each_operator_of_the_float_file_has_both_times(costs: GraphCosts, converted: Path) -> None:
    model = flatbuffer.read(converted / "model_float32.tflite")
    main = model.subgraphs[0]

    assert [op.kind for op in costs.operators] == [
        flatbuffer.kind_name(model, op) for op in main.operators
    ]
    for operator in costs.operators:
        assert operator.float_us is not None
        assert operator.float_us > 0
        assert operator.int8_us is not None
        assert operator.int8_us > 0
    assert costs.ends == "float32"


def test_each_computed_tensor_has_a_price_of_crossing(costs: GraphCosts) -> None:
    first, last = costs.tensors[0], next(t for t in costs.tensors if t.is_output)

    assert (first.name, first.maker, first.readers) == ("image", None, (0,))
    assert (last.name, last.readers) == ("digit", ())
    assert last.maker == len(costs.operators) - 1
    assert all(t.quantize_us > 0 and t.dequantize_us > 0 for t in costs.tensors)
    assert cheapest(costs).us <= sum(op.float_us or 0 for op in costs.operators) + 1e-3


def test_a_float16_file_has_no_integer_operators(converted: Path) -> None:
    found = litert_costs(
        converted / "model_float32.tflite", converted / "model_float16.tflite", seconds=0.05
    )

    assert all(op.int8_us is None for op in found.operators)


def test_files_of_two_models_are_refused_by_name(converted: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(crossing(4, to_int8=True))

    with pytest.raises(DataError, match=r"model_int8\.tflite: it does not compute 'integer'"):
        litert_costs(other, converted / "model_int8.tflite")


def test_what_was_rewritten_for_integers_counts_with_its_operator(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(8, 6, 8)).astype(np.float32)
    targets: dict[Any, Path] = {
        ("tflite", precision): tmp_path / f"{precision}.tflite" for precision in ("float32", "int8")
    }
    convert(transformer(), targets, [{"x": x} for x in samples], scratch=tmp_path)

    pair = pair_files(tmp_path / "float32.tflite", tmp_path / "int8.tflite")

    counterparts = [place for operator in pair.operators for place in operator.in_int8]
    assert len(set(counterparts)) == len(counterparts)
    assert counterparts == sorted(counterparts)
    by_name = {operator.name: operator for operator in pair.operators}
    assert (
        len(next(op for name, op in by_name.items() if name.endswith("moments/variance")).in_int8)
        > 1
    )
    assert not any(operator.stays_float for operator in pair.operators)


def test_what_was_measured_is_kept_for_the_machine_and_the_model_trained_again(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = [converted / f"model_{precision}.tflite" for precision in ("float32", "int8")]
    first = litert_costs(files[0], files[1], seconds=0.05)
    trained_again = tmp_path / "again.tflite"
    model = flatbuffer.read(files[0])
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    largest.data = largest.data[::-1].copy()
    flatbuffer.write(model, trained_again)

    assert litert_costs(files[0], files[1], seconds=0.05) == first
    assert litert_costs(trained_again, files[1], seconds=0.05) == first
    assert litert_costs(files[0], files[1], seconds=0.05, threads=2) != first


def test_a_file_that_cannot_run_has_no_time_and_the_others_have_theirs() -> None:
    good = SmallFile(crossing(100, to_int8=True), [])

    times = call_seconds([good, SmallFile(b"TFL3 no model", [], "odd"), good], seconds=0.01)

    assert times[1] is None
    assert times[0] is not None
    assert times[2] is not None


def test_a_model_of_few_words_is_given_words_that_it_knows(tmp_path: Path) -> None:
    import keras

    words = keras.Input((200,), dtype="int32", name="words")
    model = keras.Model(words, keras.layers.Embedding(2, 4)(words))
    file = tmp_path / "words.tflite"
    convert(model, {("tflite", "float32"): file}, [], scratch=tmp_path)

    found = litert_times(file, seconds=0.01)

    assert "GATHER" in [op.kind for op in found.operators]
    assert all(op.float_us for op in found.operators)
