"""A YOLO-like and an SSD-like detector, trained, in int8: what the gate says of their boxes."""

import pytest
from support.detectors import save_detectors
from support.once import once

import edgekit
from edgekit_converters.tflite import flatbuffer


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolo", "ssd"])
def test_int8_is_within_a_point_of_float(
    name: str, tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> None:
    folder = once(tmp_path_factory, "detectors", save_detectors)
    out = tmp_path_factory.mktemp(name)
    report = edgekit.convert(
        folder / f"{name}.keras",
        folder / "samples.npz",
        out,
        task="detection",
        precision=["float32", "int8"],
    )

    assert "stays in float in int8" in report.notes[0]
    for file in report.files:
        (result,) = file.results
        value = result.metric("map")
        assert result.task == "detection" and value is not None and value.original is not None
        assert value.original > 0.7, "it finds shapes"
        assert value.value > value.original - 0.01, file.name
        assert file.verdict != "fail", result.reason
    model = flatbuffer.read(out / "model_int8.tflite")
    kinds = [flatbuffer.kind_name(model, o) for o in model.subgraphs[0].operators]
    last = max(number for number, kind in enumerate(kinds) if kind == "CONV_2D")
    assert "QUANTIZE" not in kinds[last:], "from integers to floats once"
