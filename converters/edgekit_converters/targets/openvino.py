"""Intel's NPUs: an ONNX file compiled to a blob by OpenVINO, where its compiler is there.

OpenVINO's wheels for Linux have the NPU's plug-in and not the compiler that it loads
(openvinotoolkit/openvino#36374, open in November 2026): then this refuses, and says what is missing.
"""

import re
import sys
from pathlib import Path

from edgekit_converters.targets.compiled import NEVER_RUN, Compiled, PlacedOperator
from edgekit_converters.targets.inspection import Figure, TargetError
from edgekit_converters.targets.tool import failure, run_tool, told_of

INTEL_NPUS: dict[str, tuple[str, str]] = {
    "openvino-npu3720": ("3720", "Core Ultra of Meteor Lake and Arrow Lake"),
    "openvino-npu4000": ("4000", "Core Ultra of Lunar Lake"),
    "openvino-npu5010": ("5010", "Core Ultra of Panther Lake"),
}
"""Every NPU that blobs are made for: OpenVINO's number of its platform, and where it is."""

_NO_COMPILER = re.compile(r"Cannot load library \"(.*/)?(lib\w*npu_compiler\w*\.\w+)\"")


def compile_with_openvino(
    model: Path,
    target: Path,
    chip: str,
    *,
    scratch: Path,
    seconds: float = 600,
    device: str = "NPU",
) -> Compiled:
    """Compile a file to a blob, which OpenVINO imports without compiling.

    It takes all operators of a file, or refuses it.

    Args:
        model: an ONNX file.
        target: the blob to write; it is there whole, or not at all.
        chip: a name in ``INTEL_NPUS``.
        scratch: an existing, empty folder, which the caller removes.
        seconds: after which OpenVINO is killed.
        device: OpenVINO's: ``NPU``, or ``CPU`` for a blob that this machine runs.

    Raises:
        TargetError: OpenVINO has no compiler for the NPU, refuses the file, crashes, takes too long or
            leaves an empty blob.
    """
    platform, sold_as = INTEL_NPUS[chip]
    made = scratch / "made.blob"
    command = [sys.executable, "-m", "edgekit_converters.targets.openvino_blob"]
    command += [str(model.resolve()), str(made), device, platform]
    try:
        log = run_tool("OpenVINO", command, scratch, seconds=seconds)
        if not made.exists() or not made.stat().st_size:
            raise failure("OpenVINO", "wrote no blob, or an empty one", log)
    except TargetError as error:
        raise _without_compiler(scratch, model, chip) or told_of(
            f"{model}: {chip}", error
        ) from error
    figure = Figure("file", made.stat().st_size, "bytes", f"for {sold_as}: {NEVER_RUN}")
    made.replace(target)
    return Compiled(chip, _operators(model), (figure,))


def _operators(model: Path) -> tuple[PlacedOperator, ...]:
    import onnx

    nodes = onnx.load(model, load_external_data=False).graph.node
    return tuple(PlacedOperator(node.op_type, node.name, "NPU") for node in nodes)


def _without_compiler(scratch: Path, model: Path, chip: str) -> TargetError | None:
    """Return the error where OpenVINO did not find its compiler; else None."""
    log = (scratch / "OpenVINO.log").read_text(encoding="utf-8", errors="replace")
    missing = _NO_COMPILER.search(log)
    if missing is None:
        return None
    folder = f" into {Path(missing[1]).resolve()}" if missing[1] else ""
    return TargetError(
        f"{model}: {chip}: this OpenVINO has no compiler for Intel's NPU: its package from PyPI lacks "
        f"{missing[2]} (openvinotoolkit/openvino#36374). Put it and libopenvino_intel_npu_compiler.so of Intel's "
        f"archive of the same release{folder}, or compile where the NPU and its driver are: open_model(path, "
        "device='intel-npu') does it as it opens the file."
    )
