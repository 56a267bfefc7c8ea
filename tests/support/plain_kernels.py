"""``KERNELS=plain``: a whole run as on a processor for which nobody wrote fast kernels.

LiteRT runs without XNNPACK where a test does not ask for ``xnnpack`` by its name, and ONNX Runtime
does not optimize graphs. What a test expects must not come from one processor's kernels.
"""

import importlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any


def use_plain_kernels() -> None:
    """Changes how the runtimes of this process open files, for good."""
    opening = importlib.import_module(
        "edgekit_runtimes.open_model"
    )  # not the function of that name
    litert = importlib.import_module("edgekit_runtimes.engines.litert")
    ort = importlib.import_module("edgekit_runtimes.engines.ort")
    open_device, session_options = opening._open, ort.session_options

    def open_plain(path: Path, device: Any, threads: int, *, by_name: bool, **more: Any) -> Any:
        if device.name == "xnnpack" and not by_name:
            device = replace(device, open=partial(litert.open_litert, plain=True))
        return open_device(path, device, threads, by_name=by_name, **more)

    def without_optimizing(runtime: Any, *more: Any, **named: Any) -> Any:
        made = session_options(runtime, *more, **named)
        made.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return made

    opening._open, ort.session_options = open_plain, without_optimizing
