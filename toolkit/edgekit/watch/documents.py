"""What ``/monitor`` and the lines of a log say of a model, as a ``ModelState`` has it."""

from collections.abc import Mapping
from typing import Any

from edgekit.accuracy.live import LiveEstimate
from edgekit.bundle.plain import from_plain
from edgekit.watch.state import ShadowState, TensorState


def tensors_of(told: Mapping[str, Any]) -> tuple[TensorState, ...]:
    """The inputs and outputs against the calibration data."""
    return tuple(from_plain(TensorState, entry) for entry in told.get("tensors") or ())


def shadow_of(told: Mapping[str, Any]) -> ShadowState | None:
    """What the second model answered; None where there is none."""
    shadow = told.get("shadow")
    if not shadow:
        return None
    return ShadowState(
        str(shadow["file"]),
        int(shadow["compared"]),
        int(shadow["dropped"]),
        int(shadow["failed"]),
        tuple(str(from_plain(LiveEstimate, output)) for output in shadow["outputs"]),
    )
