"""From a Keras model to files that an edge device runs, with proof of their accuracy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.deploy import convert as convert
    from edgekit.images import Images as Images
    from edgekit.limits import Limits as Limits
    from edgekit.report import FileResult as FileResult
    from edgekit.report import Report as Report
    from edgekit.rows import DataError as DataError
    from edgekit.scoring import Score as Score
    from edgekit.timing import Timing as Timing
    from edgekit.timing import bench as bench
    from edgekit.validation import validate as validate
    from edgekit_converters import ConversionError as ConversionError
    from edgekit_runtimes import DeviceUnavailable as DeviceUnavailable
    from edgekit_runtimes import ModelError as ModelError
    from edgekit_runtimes import RuntimeMissing as RuntimeMissing
    from edgekit_runtimes import open_model as open_model

__version__ = "0.1.0"

# Loaded when they are first asked for: NumPy alone would double the time of `edgekit --help`.
_HOMES = {
    "Timing": "edgekit.timing",
    "bench": "edgekit.timing",
    "ConversionError": "edgekit_converters",
    "DataError": "edgekit.rows",
    "DeviceUnavailable": "edgekit_runtimes",
    "FileResult": "edgekit.report",
    "Images": "edgekit.images",
    "Limits": "edgekit.limits",
    "ModelError": "edgekit_runtimes",
    "Report": "edgekit.report",
    "RuntimeMissing": "edgekit_runtimes",
    "Score": "edgekit.scoring",
    "convert": "edgekit.deploy",
    "open_model": "edgekit_runtimes",
    "validate": "edgekit.validation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]
