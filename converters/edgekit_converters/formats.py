"""The output formats. To add one: a function that returns its ``Writer``, and an entry here.

``FORMATS`` are those that are run anywhere; a file of ``FURTHER`` goes beside theirs, for those who need it.
"""

from pathlib import Path

from edgekit_converters.base import Format
from edgekit_converters.onnx.write import add_onnx_metadata, data_file, mark_onnx, onnx_writer
from edgekit_converters.targets.micro import micro_writer
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

FURTHER: dict[str, Format] = {
    "micro": Format(
        title="The microcontroller file",
        suffix=".tflite",
        writer=micro_writer,
        mark=mark_tflite,
        add_metadata=add_tflite_metadata,
        precisions=("int8",),
        infix="micro_",
    ),
}
"""Formats that are written beside those of ``FORMATS``, and never run unless asked for by name."""


def all_formats() -> dict[str, Format]:
    """Return ``FORMATS`` and ``FURTHER``, in this order.

    >>> list(all_formats())
    ['tflite', 'onnx', 'micro']
    """
    return {**FORMATS, **FURTHER}


def format_of(path: Path) -> str | None:
    """Return the name of the format that a file's suffix stands for; None for any other suffix.

    >>> format_of(Path("model_int8.onnx"))
    'onnx'
    """
    return next((name for name, form in FORMATS.items() if form.suffix == path.suffix), None)
