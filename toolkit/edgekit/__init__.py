"""From a Keras model to files that an edge device runs, with proof of their accuracy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.accuracy.limits import Limit as Limit
    from edgekit.accuracy.limits import Limits as Limits
    from edgekit.accuracy.results import MetricValue as MetricValue
    from edgekit.accuracy.results import OutputResult as OutputResult
    from edgekit.accuracy.verdicts import LimitResult as LimitResult
    from edgekit.bundle.sign import sign as sign
    from edgekit.data.samples import DataError as DataError
    from edgekit.device.board import BoardError as BoardError
    from edgekit.device.push import Pushed as Pushed
    from edgekit.device.push import push as push
    from edgekit.errors import EdgekitError as EdgekitError
    from edgekit.errors import OptionError as OptionError
    from edgekit.inference.benchmark import Timing as Timing
    from edgekit.inference.benchmark import bench as bench
    from edgekit.report.bisection import Bisection as Bisection
    from edgekit.report.diff_result import Diff as Diff
    from edgekit.report.file_result import FileResult as FileResult
    from edgekit.report.result import Report as Report
    from edgekit.workflows.bisect import bisect as bisect
    from edgekit.workflows.convert import convert as convert
    from edgekit.workflows.diff import diff as diff
    from edgekit.workflows.export import Export as Export
    from edgekit.workflows.export import export as export
    from edgekit.workflows.tune.tune import tune as tune
    from edgekit.workflows.validate import validate as validate
    from edgekit.workflows.validate import validate_saved as validate_saved
    from edgekit_converters import ConversionError as ConversionError
    from edgekit_runtimes import DeviceUnavailable as DeviceUnavailable
    from edgekit_runtimes import InputError as InputError
    from edgekit_runtimes import ModelError as ModelError
    from edgekit_runtimes import NotDelegated as NotDelegated
    from edgekit_runtimes import RuntimeMissing as RuntimeMissing
    from edgekit_runtimes import open_model as open_model

__version__ = "0.1.0"

# Loaded when they are first asked for: NumPy alone would double the time of `edgekit --help`.
_HOMES = {
    "Bisection": "edgekit.report.bisection",
    "BoardError": "edgekit.device.board",
    "ConversionError": "edgekit_converters",
    "DataError": "edgekit.data.samples",
    "DeviceUnavailable": "edgekit_runtimes",
    "Diff": "edgekit.report.diff_result",
    "EdgekitError": "edgekit.errors",
    "Export": "edgekit.workflows.export",
    "FileResult": "edgekit.report.file_result",
    "InputError": "edgekit_runtimes",
    "Limit": "edgekit.accuracy.limits",
    "LimitResult": "edgekit.accuracy.verdicts",
    "Limits": "edgekit.accuracy.limits",
    "MetricValue": "edgekit.accuracy.results",
    "ModelError": "edgekit_runtimes",
    "NotDelegated": "edgekit_runtimes",
    "OptionError": "edgekit.errors",
    "OutputResult": "edgekit.accuracy.results",
    "Pushed": "edgekit.device.push",
    "Report": "edgekit.report.result",
    "RuntimeMissing": "edgekit_runtimes",
    "Timing": "edgekit.inference.benchmark",
    "bench": "edgekit.inference.benchmark",
    "bisect": "edgekit.workflows.bisect",
    "convert": "edgekit.workflows.convert",
    "diff": "edgekit.workflows.diff",
    "export": "edgekit.workflows.export",
    "open_model": "edgekit_runtimes",
    "push": "edgekit.device.push",
    "sign": "edgekit.bundle.sign",
    "tune": "edgekit.workflows.tune.tune",
    "validate": "edgekit.workflows.validate",
    "validate_saved": "edgekit.workflows.validate",
}

__all__ = [
    "Bisection",
    "BoardError",
    "ConversionError",
    "DataError",
    "DeviceUnavailable",
    "Diff",
    "EdgekitError",
    "Export",
    "FileResult",
    "InputError",
    "Limit",
    "LimitResult",
    "Limits",
    "MetricValue",
    "ModelError",
    "NotDelegated",
    "OptionError",
    "OutputResult",
    "Pushed",
    "Report",
    "RuntimeMissing",
    "Timing",
    "bench",
    "bisect",
    "convert",
    "diff",
    "export",
    "open_model",
    "push",
    "sign",
    "tune",
    "validate",
    "validate_saved",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]
