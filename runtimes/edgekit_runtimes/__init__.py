"""Runs model files: one way to open them, whatever the format and the processor.

>>> from edgekit_runtimes import open_model
>>> with open_model("model_int8.tflite") as model:   # doctest: +SKIP
...     y = model.run(x)
"""

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
from edgekit_runtimes.devices import DEVICES, Device
from edgekit_runtimes.files import FILES, FileReader, open_layers
from edgekit_runtimes.host import cpu_limit
from edgekit_runtimes.open_model import keras_session, open_model
from edgekit_runtimes.placement import Operator, Placement
from edgekit_runtimes.precision import StoredPrecision, precision_of
from edgekit_runtimes.session import Session
from edgekit_runtimes.verify_folder import Check, Verified, verify_folder

__all__ = [
    "DEVICES",
    "FILES",
    "Check",
    "Device",
    "DeviceUnavailable",
    "Engine",
    "FileReader",
    "InputError",
    "ModelError",
    "NotDelegated",
    "Operator",
    "Placement",
    "RuntimeMissing",
    "RuntimesError",
    "Session",
    "SignatureError",
    "StoredPrecision",
    "TensorSpec",
    "Verified",
    "cpu_limit",
    "keras_session",
    "open_layers",
    "open_model",
    "precision_of",
    "verify_folder",
]
