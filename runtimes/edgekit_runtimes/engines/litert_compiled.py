"""LiteRT's compiled models, by which ``.tflite`` files run on GPUs and NPUs.

LiteRT reports what runs where only in its log, so the log is read.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, DeviceUnavailable, Engine, ModelError, TensorSpec
from edgekit_runtimes.engines import litert
from edgekit_runtimes.engines.captured_output import quiet, quiet_at_exit
from edgekit_runtimes.placement import Operator, Placement

Ends = tuple[list[TensorSpec], list[TensorSpec]]
"""The inputs and the outputs of a file."""


def open_after_trial(opener: Callable[[Path, int], Engine], path: Path, threads: int) -> Engine:
    """Opens a file in a child process first, and runs it there once.

    LiteRT's compiled models crash on some files that they report as fully accelerated.

    Raises:
        DeviceUnavailable: the child process crashed.
    """
    from edgekit_runtimes.subprocess_engine import open_in_child

    try:
        trial = open_in_child(opener, path, threads)
    except ModelError as error:
        raise DeviceUnavailable(f"{error} Open it with device='cpu'.") from error
    if trial.close:
        trial.close()
    return opener(path, threads)


def read_file(path: Path) -> tuple[Ends, list[Operator]]:
    """The ends and the operators of a file, by the plain interpreter.

    A compiled model has no list of scales, and crashes on a file that is cut short.
    """
    interpreter = litert.load(path, plain=True)
    specs = (
        [litert.spec(d) for d in interpreter.get_input_details()],
        [litert.spec(d) for d in interpreter.get_output_details()],
    )
    return specs, litert.operators(interpreter, "")[0]


def compile_model(path: Path, options: Any) -> tuple[Any, str]:
    """A compiled model, or None, and LiteRT's log."""
    from ai_edge_litert.compiled_model import CompiledModel

    quiet_at_exit()  # LiteRT prints what it destroys then
    with quiet() as printed:
        try:
            model = CompiledModel.from_file(str(path), options=options)
        except (RuntimeError, ValueError) as error:
            return None, f"{printed()}\n{error}"
        return model, printed()


def last_error(log: str) -> str:
    """The last error in LiteRT's log."""
    lines = [line.strip(" └") for line in log.splitlines() if "ERROR" in line or "Error" in line]
    reasons = [line for line in lines if not line.endswith("]")]  # more than a place in the source
    return (reasons or lines or ["LiteRT gives no reason."])[-1]


def make_engine(path: Path, model: Any, specs: Ends, placement: Placement) -> Engine:
    """An engine on a compiled model, which runs once to show that it can.

    Raises:
        ModelError: it cannot run.
    """
    inputs, outputs = specs
    with quiet():
        signature = model.get_signature_by_index(0)
        by_name: tuple[Mapping[str, TensorSpec], Mapping[str, TensorSpec]] = (
            {s.name: s for s in inputs},
            {s.name: s for s in outputs},
        )
        takes, gives = model.create_input_buffers(0), model.create_output_buffers(0)
    # A file of another maker may call its tensors otherwise than its signature does.
    inputs = [by_name[0].get(n, s) for n, s in zip(signature["inputs"], inputs, strict=True)]
    outputs = [by_name[1].get(n, s) for n, s in zip(signature["outputs"], outputs, strict=True)]
    shapes = [tuple(n or 1 for n in s.shape) for s in outputs]
    sizes = [prod(shape) for shape in shapes]

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        for buffer, array in zip(takes, arrays, strict=True):
            buffer.write(np.ascontiguousarray(array))
        model.run_by_index(0, takes, gives)
        return [
            buffer.read(size, s.dtype).reshape(shape)
            for buffer, size, s, shape in zip(gives, sizes, outputs, shapes, strict=True)
        ]

    def close() -> None:
        nonlocal model
        with quiet():  # it prints each thing that it destroys
            takes.clear()
            gives.clear()
            model.close()
            model = None

    with quiet() as printed:  # a model compiled for another chip fails only when it runs
        try:
            call([np.zeros([n or 1 for n in s.shape], s.dtype) for s in inputs])
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{path}: {placement.device} opened it, but cannot run it: {error} {last_error(printed())}"
            ) from error
    return Engine(
        inputs, outputs, call, lambda: placement, simulated=placement.simulated, close=close
    )
