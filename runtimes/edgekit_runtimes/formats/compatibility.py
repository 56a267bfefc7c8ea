"""Whether one version of a runtime runs a file, and what is in the way."""

from pathlib import Path

from edgekit_runtimes.formats import onnx_versions
from edgekit_runtimes.formats.known_faults import FAULTS, Fault
from edgekit_runtimes.formats.least_versions import LITERT, ONNX_RUNTIME, TFLITE, needs_of
from edgekit_runtimes.formats.release import release

TITLES = {LITERT: "LiteRT", TFLITE: "TensorFlow Lite", ONNX_RUNTIME: "ONNX Runtime"}
"""The runtimes that files are known to need versions of, and how a person calls them."""

SUFFIXES = {LITERT: ".tflite", TFLITE: ".tflite", ONNX_RUNTIME: ".onnx"}
"""The files that each runs."""


def obstacles(path: Path, runtime: str, version: str) -> list[str]:
    """Finds what of a file a version of a runtime does not run, or is known to compute wrongly.

    Args:
        path: a file of the runtime's kind.
        runtime: a name in ``TITLES``.
        version: of it, as ``1.4``.

    Returns:
        A sentence for each; none where it runs the file.

    Raises:
        ModelError: the file is damaged.

    >>> obstacles(Path("out/model_float32.tflite"), "litert", "1.0")
    []
    """
    title = TITLES[runtime]
    found = []
    for need in needs_of(path):
        least = need.versions.get(runtime)
        if least is None:
            found.append(f"{need.part}, which no version of {title} is known to run")
        elif release(version) < release(least):
            found.append(f"{need.part}, which {title} runs from {least} on")
    wrong = [
        f"{title} {version} {fault.what} ({fault.source})"
        for fault in FAULTS
        if _in(fault, runtime, version) and not fault.processor and fault.affects(path)
    ]
    return found or wrong


def newest_opset(version: str, most: int) -> int | None:
    """The newest opset of ONNX, up to ``most``, that a version of ONNX Runtime opens; None: of none that is known."""
    opened = [
        opset
        for opset, least in onnx_versions.OPSETS[""].items()
        if opset <= most and release(least) <= release(version)
    ]
    return max(opened, default=None)


def _in(fault: Fault, runtime: str, version: str) -> bool:
    at = release(version)
    return (
        fault.runtime == TITLES[runtime]
        and release(fault.first) <= at
        and (fault.fixed is None or at < release(fault.fixed))
    )
