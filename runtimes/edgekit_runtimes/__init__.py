"""Runs model files: one way to open them, whatever the format and the processor.

>>> from edgekit_runtimes import open_model
>>> with open_model("model_int8.tflite") as model:   # doctest: +SKIP
...     y = model.run(x)
"""

from edgekit_runtimes.base import (
    DeviceUnavailable,
    InputError,
    ModelError,
    NotDelegated,
    RuntimeMissing,
    RuntimesError,
    TensorSpec,
)
from edgekit_runtimes.devices import DEVICES, Device
from edgekit_runtimes.host import cpu_limit
from edgekit_runtimes.open_model import keras_session, open_model
from edgekit_runtimes.placement import Operator, Placement
from edgekit_runtimes.session import Session

__all__ = [
    "DEVICES",
    "Device",
    "DeviceUnavailable",
    "InputError",
    "ModelError",
    "NotDelegated",
    "Operator",
    "Placement",
    "RuntimeMissing",
    "RuntimesError",
    "Session",
    "TensorSpec",
    "cpu_limit",
    "keras_session",
    "open_model",
]
