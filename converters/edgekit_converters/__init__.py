"""Convert Keras models to TFLite and ONNX files, in float32 and quantized.

``load_model`` loads a model, ``convert`` writes its files, and ``FORMATS`` holds the output formats.
"""

from edgekit_converters.base import (
    CALIBRATED,
    PRECISIONS,
    ConversionError,
    Format,
    InterfaceType,
    Job,
    Precision,
    Quantized,
    Sample,
    Samples,
    SourceError,
    Writer,
)
from edgekit_converters.conversion import Conversion, Target, convert
from edgekit_converters.formats import FORMATS, FURTHER, all_formats, format_of
from edgekit_converters.onnx.graph import DEFAULT_OPSET
from edgekit_converters.recipe import Recipe, RecipeDocument, document_of, recipe_of
from edgekit_converters.source import check_source, load_model
from edgekit_converters.tflite.calibration import ranges_over
from edgekit_converters.tflite.range_methods import check_method
from edgekit_converters.variants import Variants

__all__ = [
    "CALIBRATED",
    "DEFAULT_OPSET",
    "FORMATS",
    "FURTHER",
    "PRECISIONS",
    "Conversion",
    "ConversionError",
    "Format",
    "InterfaceType",
    "Job",
    "Precision",
    "Quantized",
    "Recipe",
    "RecipeDocument",
    "Sample",
    "Samples",
    "SourceError",
    "Target",
    "Variants",
    "Writer",
    "all_formats",
    "check_method",
    "check_source",
    "convert",
    "document_of",
    "format_of",
    "load_model",
    "ranges_over",
    "recipe_of",
]
