"""Models of so few weights that quantizing them saves nothing: the person is told."""

from pathlib import Path

import keras
from support import zoo

import edgekit


def test_a_file_that_is_no_smaller_than_its_float32_is_named_with_its_size(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = zoo.shared_layer()
    report = edgekit.convert(
        model, zoo.samples(model, 40), tmp_path, precision=("float32", "dynamic", "int8")
    )
    sizes = {file.name: file.bytes for file in report.files}
    larger = {
        name
        for name, size in sizes.items()
        if "float32" not in name and size >= sizes[f"model_float32{Path(name).suffix}"]
    }
    (note,) = (note for note in report.notes if note.startswith("no smaller than float32"))
    assert "model_int8.onnx" in larger, "56 weights"
    assert {name for name in sizes if name in note} == larger
    assert f"{sizes['model_int8.onnx']:,} bytes" in note
