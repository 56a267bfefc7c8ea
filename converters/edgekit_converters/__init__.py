"""Keras models to TFLite and ONNX files, in float and quantized.

A converter writes files; it knows neither what runs them nor who asked.
"""

from edgekit_converters.base import (
    CALIBRATED,
    FORMATS,
    PRECISIONS,
    ConversionError,
    Format,
    InterfaceType,
    Precision,
    Sample,
    Samples,
    SourceError,
)
from edgekit_converters.conversion import Conversion, convert
from edgekit_converters.marking import mark
from edgekit_converters.onnx.graph import DEFAULT_OPSET
from edgekit_converters.onnx.write import data_file
from edgekit_converters.source import check_source, load_model
from edgekit_converters.tflite.calibration import ranges_over

__all__ = [
    "CALIBRATED",
    "DEFAULT_OPSET",
    "FORMATS",
    "PRECISIONS",
    "Conversion",
    "ConversionError",
    "Format",
    "InterfaceType",
    "Precision",
    "Sample",
    "Samples",
    "SourceError",
    "check_source",
    "convert",
    "data_file",
    "load_model",
    "mark",
    "ranges_over",
]
