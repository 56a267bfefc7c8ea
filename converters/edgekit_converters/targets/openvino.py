"""Intel's NPUs: a file compiled to a blob by OpenVINO, where its compiler is there.

OpenVINO's wheels for Linux have the NPU's plug-in and not the compiler that it loads
(openvinotoolkit/openvino#36374, open in November 2026): then this refuses, and says what is missing.
"""

import re
import sys
from pathlib import Path

from edgekit_converters.targets.tool import ToolError, failure, run_tool

INTEL_NPUS: dict[str, str] = {
    "3720": "Core Ultra Series 1, Meteor Lake and Arrow Lake",
    "4000": "Core Ultra Series 2, Lunar Lake",
    "5010": "Core Ultra Series 3, Panther Lake",
}
"""Every NPU that blobs are made for, by OpenVINO's number of its platform."""

_NO_COMPILER = re.compile(r"Cannot load library \"(.*/)?(lib\w*npu_compiler\w*\.\w+)\"")


def compile_with_openvino(
    model: Path,
    target: Path,
    platform: str,
    *,
    device: str = "NPU",
    scratch: Path,
    seconds: float = 600,
) -> int:
    """Compile a TFLite or an ONNX file to a blob, which OpenVINO imports without compiling.

    It takes all operators of a file, or refuses it.

    Args:
        model: the file.
        target: the blob to write; it is there whole, or not at all.
        platform: a number of ``INTEL_NPUS``.
        device: OpenVINO's: ``NPU``, or ``CPU`` for a blob that this machine runs.
        scratch: an existing, empty folder, which the caller removes.
        seconds: after which OpenVINO is killed.

    Returns:
        The bytes of the blob.

    Raises:
        ConversionError: OpenVINO has no compiler for the NPU, refuses the file, crashes, takes too long
            or leaves an empty blob.
    """
    made = scratch / "made.blob"
    command = [sys.executable, "-m", "edgekit_converters.targets.openvino_blob"]
    command += [str(model.resolve()), str(made), device, platform]
    try:
        log = run_tool("OpenVINO", command, scratch, seconds=seconds)
        if not made.exists() or not made.stat().st_size:
            raise failure("OpenVINO", "wrote no blob, or an empty one", log)
    except ToolError as error:
        raise _explained(error, model, scratch) from error
    size = made.stat().st_size
    made.replace(target)
    return size


def _explained(error: ToolError, model: Path, scratch: Path) -> ToolError:
    log = (scratch / "OpenVINO.log").read_text(encoding="utf-8", errors="replace")
    if missing := _NO_COMPILER.search(log):
        folder = f" into {Path(missing[1]).resolve()}" if missing[1] else ""
        return ToolError(
            f"{model.name}, openvino: this OpenVINO has no compiler for Intel's NPU: its package from PyPI lacks "
            f"{missing[2]} (openvinotoolkit/openvino#36374). Put it and libopenvino_intel_npu_compiler.so of "
            f"Intel's archive of the same release{folder}, or compile where the NPU and its driver are: "
            "open_model(path, device='intel-npu') does it as it opens the file."
        )
    told = ToolError(f"{model.name}, openvino: {error}.")
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told
