"""A format that cannot be written, though it could be prepared: the other's files are there all the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit_converters import FORMATS, ConversionError, Format, convert
from edgekit_converters.base import Job, Writer


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format that refuses int8 as late as that is possible."""

    def prepare(job: Job) -> Writer:
        def write(target: Path, precision: str, quantized: object) -> None:
            if precision == "int8":
                raise ConversionError("int8: no kernel has this shape.")
            target.write_text("a model")

        return Writer(write)

    monkeypatch.setitem(
        FORMATS, "fragile", Format("Fragile", ".txt", prepare, lambda path, words: None)
    )


def targets(folder: Path, *formats: str) -> Any:
    return {(f, p): folder / f"{p}.{f}" for f in formats for p in ("float32", "int8")}


def model_and_rows() -> tuple[Any, list[dict[str, Any]]]:
    import keras

    x = keras.Input((4,), name="x")
    random = np.random.default_rng(0)
    rows = [{"x": random.normal(size=4).astype(np.float32)} for _ in range(8)]
    return keras.Model([x], [keras.layers.Dense(2, name="y")(x)]), rows


@pytest.mark.parametrize("order", [("fragile", "tflite"), ("tflite", "fragile")])
def test_the_other_format_is_written(order: tuple[str, str], fragile: None, tmp_path: Path) -> None:
    model, rows = model_and_rows()
    made = convert(model, targets(tmp_path, *order), rows, scratch=tmp_path)
    assert made.failed == {"fragile": "int8: no kernel has this shape."}
    assert (tmp_path / "int8.tflite").stat().st_size > 0
    assert set(made.recipes) == {("tflite", "int8")}


def test_where_it_is_the_only_one_it_is_an_error(fragile: None, tmp_path: Path) -> None:
    model, rows = model_and_rows()
    with pytest.raises(ConversionError, match="no kernel has this shape"):
        convert(model, targets(tmp_path, "fragile"), rows, scratch=tmp_path)
