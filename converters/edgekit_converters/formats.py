"""The output formats. To add one: a function that returns its ``Writer``, and an entry here."""

from pathlib import Path

from edgekit_converters.base import Format
from edgekit_converters.onnx.write import add_onnx_metadata, data_file, mark_onnx, onnx_writer
from edgekit_converters.tflite.write import add_tflite_metadata, mark_tflite, tflite_writer

FORMATS: dict[str, Format] = {
    "tflite": Format(
        title="TFLite",
        suffix=".tflite",
        writer=tflite_writer,
        mark=mark_tflite,
        add_metadata=add_tflite_metadata,
    ),
    "onnx": Format(
        title="ONNX",
        suffix=".onnx",
        writer=onnx_writer,
        mark=mark_onnx,
        add_metadata=add_onnx_metadata,
        sidecar=data_file,
        above_2_gb=frozenset({"float32"}),
    ),
}


def format_of(path: Path) -> str | None:
    """Return the name of the format that a file's suffix stands for; None for any other suffix.

    >>> format_of(Path("model_int8.onnx"))
    'onnx'
    """
    return next((name for name, form in FORMATS.items() if form.suffix == path.suffix), None)
