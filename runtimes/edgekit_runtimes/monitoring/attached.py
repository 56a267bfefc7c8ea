"""A monitor at a session: what it is shown, and the check that it is of the same model."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter

import numpy as np

from edgekit_runtimes.arrays import dequantize
from edgekit_runtimes.base import Array, InputError, ModelError, TensorSpec
from edgekit_runtimes.monitoring.monitor import Monitor
from edgekit_runtimes.monitoring.reference import Reference, TensorReference


def check_reference(
    reference: Reference, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], path: str
) -> None:
    """Refuse a reference that is of another model.

    Raises:
        ModelError: it has a tensor that the model lacks, or of another shape.
    """
    for given, specs in ((reference.inputs, inputs), (reference.outputs, outputs)):
        known = {spec.name: spec for spec in specs}
        for name, tensor in given.items():
            if name not in known or not _fits(tensor, known[name]):
                raise ModelError(
                    f"{path}: the monitor's reference has {name!r} of shape {tensor.shape}, which is none of "
                    f"{'; '.join(map(str, specs))}: it is of another model."
                )


def observing(
    one: Callable[[Array], Array], monitor: Monitor, taken: TensorSpec, given: TensorSpec
) -> Callable[[Array], Array]:
    """A call of one array whose monitor is shown it when that is due; else it costs two tenths of a microsecond."""

    def observed(x: Array) -> Array:
        y = one(x)
        if perf_counter() >= monitor.due:
            with suppress(InputError):
                monitor.observe({taken.name: _real(x, taken)}, {given.name: _real(y, given)})
        return y

    return observed


def observe(
    monitor: Monitor,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    taken: Sequence[TensorSpec],
    given: Sequence[TensorSpec],
) -> None:
    """Show a call by names to a monitor, when that is due."""
    if perf_counter() < monitor.due:
        return
    # Of a model that takes samples of any size, those of another size are not looked at.
    with suppress(InputError):
        monitor.observe(
            {spec.name: _real(np.asarray(inputs[spec.name]), spec) for spec in taken},
            {spec.name: _real(outputs[spec.name], spec) for spec in given},
        )


def _real(array: Array, spec: TensorSpec) -> Array:
    """Real numbers, also of a session that passes the file's integers."""
    raw = spec.scale is not None and array.dtype == spec.dtype
    return dequantize(array, spec) if raw else array


def _fits(tensor: TensorReference, spec: TensorSpec) -> bool:
    return len(tensor.shape) + 1 == len(spec.shape) and all(
        want is None or have == want
        for have, want in zip(tensor.shape, spec.shape[1:], strict=True)
    )
