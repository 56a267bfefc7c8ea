"""Runs model files: one way to open them, whatever the format and the processor.

>>> from edgekit_runtimes import open_model
>>> with open_model("model_int8.tflite") as model:   # doctest: +SKIP
...     y = model.run(x)
"""

from typing import TYPE_CHECKING, Any

from edgekit_runtimes.base import (
    DeviceUnavailable,
    Engine,
    InputError,
    ModelError,
    NotDelegated,
    RuntimeMissing,
    RuntimesError,
    SignatureError,
    TensorSpec,
)
from edgekit_runtimes.engines.devices import DEVICES, Device
from edgekit_runtimes.files import FILES, FileReader, open_layers
from edgekit_runtimes.formats.precision import StoredPrecision, precision_of
from edgekit_runtimes.host import cpu_limit
from edgekit_runtimes.open_model import keras_session, open_model
from edgekit_runtimes.placement import Operator, Placement
from edgekit_runtimes.session import Session

if TYPE_CHECKING:
    from edgekit_runtimes.bundle.verification import Check as Check
    from edgekit_runtimes.bundle.verification import Verified as Verified
    from edgekit_runtimes.bundle.verification import verify_folder as verify_folder
    from edgekit_runtimes.monitoring.build import TensorSamples as TensorSamples
    from edgekit_runtimes.monitoring.monitor import DataChanged as DataChanged
    from edgekit_runtimes.monitoring.monitor import Monitor as Monitor
    from edgekit_runtimes.monitoring.monitor import MonitorOptions as MonitorOptions
    from edgekit_runtimes.monitoring.reference import Reference as Reference
    from edgekit_runtimes.monitoring.report import MonitorReport as MonitorReport
    from edgekit_runtimes.processing.facts import Facts as Facts
    from edgekit_runtimes.processing.prediction import Answer as Answer
    from edgekit_runtimes.processing.prediction import Prediction as Prediction

# Loaded when they are first asked for: a script that runs arrays starts without them.
_LATER = {
    "Answer": "edgekit_runtimes.processing.prediction",
    "Check": "edgekit_runtimes.bundle.verification",
    "DataChanged": "edgekit_runtimes.monitoring.monitor",
    "Facts": "edgekit_runtimes.processing.facts",
    "Monitor": "edgekit_runtimes.monitoring.monitor",
    "MonitorOptions": "edgekit_runtimes.monitoring.monitor",
    "MonitorReport": "edgekit_runtimes.monitoring.report",
    "Prediction": "edgekit_runtimes.processing.prediction",
    "Reference": "edgekit_runtimes.monitoring.reference",
    "TensorSamples": "edgekit_runtimes.monitoring.build",
    "Verified": "edgekit_runtimes.bundle.verification",
    "verify_folder": "edgekit_runtimes.bundle.verification",
}

__all__ = [
    "DEVICES",
    "FILES",
    "Answer",
    "Check",
    "DataChanged",
    "Device",
    "DeviceUnavailable",
    "Engine",
    "Facts",
    "FileReader",
    "InputError",
    "ModelError",
    "Monitor",
    "MonitorOptions",
    "MonitorReport",
    "NotDelegated",
    "Operator",
    "Placement",
    "Prediction",
    "Reference",
    "RuntimeMissing",
    "RuntimesError",
    "Session",
    "SignatureError",
    "StoredPrecision",
    "TensorSamples",
    "TensorSpec",
    "Verified",
    "cpu_limit",
    "keras_session",
    "open_layers",
    "open_model",
    "precision_of",
    "verify_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'edgekit_runtimes' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
