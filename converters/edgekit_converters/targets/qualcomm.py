"""Qualcomm's NPUs: a TFLite file by LiteRT's ahead-of-time compiler, an ONNX file by ONNX Runtime's QNN.

Both use the libraries that ``onnxruntime-qnn`` brings, which compile for each processor wherever they run.
Nothing here executes on a Qualcomm processor.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edgekit_converters.targets.compiled import (
    NEVER_RUN,
    Compiled,
    PlacedOperator,
    count_on_npu,
    left_over,
    operators_of,
)
from edgekit_converters.targets.inspection import Figure, TargetError
from edgekit_converters.targets.tool import failure, run_tool, told_of


@dataclass(frozen=True, slots=True)
class Soc:
    """A system on a chip."""

    name: str
    """As LiteRT calls it."""
    number: int
    """As QNN calls it."""
    hexagon: int
    """The version of its NPU."""
    sold_as: str


_SOCS = (
    Soc("SA8255", 52, 73, "Snapdragon Cockpit Gen 4"),
    Soc("SA8295", 39, 68, "Snapdragon Cockpit Gen 4"),
    Soc("SM8350", 30, 68, "Snapdragon 888"),
    Soc("SM8450", 36, 69, "Snapdragon 8 Gen 1"),
    Soc("SM8475", 42, 69, "Snapdragon 8+ Gen 1"),
    Soc("SM8550", 43, 73, "Snapdragon 8 Gen 2"),
    Soc("SM8650", 57, 75, "Snapdragon 8 Gen 3"),
    Soc("SM8750", 69, 79, "Snapdragon 8 Elite"),
    Soc("SM8845", 97, 81, "Snapdragon 8 Gen 5"),
    Soc("SM8850", 87, 81, "Snapdragon 8 Elite Gen 5"),
)
QUALCOMM: dict[str, Soc] = {f"qualcomm-{soc.name.lower()}": soc for soc in _SOCS}
"""Every system that LiteRT compiles for, by the name of its target."""


def compile_for_qualcomm(
    model: Path, target: Path, chip: str, *, scratch: Path, seconds: float = 600
) -> Compiled:
    """Compile a TFLite or an ONNX file for a Qualcomm system.

    What its NPU does not run stays in the file, for the CPU.

    Args:
        model: a ``.tflite`` or ``.onnx`` file.
        target: the file to write, of the same kind; it is there whole, or not at all.
        chip: a name in ``QUALCOMM``.
        scratch: an existing, empty folder, which the caller removes.
        seconds: after which the compiler is killed.

    Raises:
        TargetError: the compiler refuses the file, crashes, takes too long, leaves no file or an
            empty one, or one of which nothing runs on the NPU.
    """
    soc = QUALCOMM[chip]
    made = scratch / f"made{model.suffix}"
    compile_one = _context if model.suffix == ".onnx" else _ahead_of_time
    try:
        operators, log = compile_one(model, made, soc, scratch, seconds)
        if not made.exists() or not made.stat().st_size:
            raise failure("the compiler", "wrote no file, or an empty one", log)
        if not count_on_npu(operators):
            raise failure("the compiler", "leaves all operators to the CPU", log)
    except TargetError as error:
        raise told_of(f"{model}: {chip}", error, _OTHER[model.suffix]) from error
    figure = Figure("file", made.stat().st_size, "bytes", f"for {soc.sold_as}: {NEVER_RUN}")
    made.replace(target)
    return Compiled(chip, operators, (figure,), tuple(_advice(operators)))


_OTHER = {
    ".onnx": "Name the TFLite file alone, which another compiler takes.",
    ".tflite": "Name the ONNX file alone, which another compiler takes; a file with the fused LSTM of "
    "microcontrollers is for none of them.",
}


def _advice(operators: Sequence[PlacedOperator]) -> Iterator[str]:
    if any(op.kind == "WHILE" and op.runs_on == "CPU" for op in operators):
        yield (
            "WHILE: a recurrent layer is a loop here, which the CPU steps through: unroll=True writes one "
            "without, and the ONNX file has it as one operator"
        )


_REFUSED = re.compile(r"LiteRT Op #\d+ '\w+' \(code=(\d+)\) is not supported")


def _ahead_of_time(
    model: Path, made: Path, soc: Soc, scratch: Path, seconds: float
) -> tuple[tuple[PlacedOperator, ...], str]:
    litert, qnn = _package("ai_edge_litert"), _package("onnxruntime_qnn")
    # LiteRT's plug-in is linked to a library that it does not use here and the package does not have:
    # any other with QNN's functions will do.
    links = scratch / "libraries"
    links.mkdir()
    (links / "libQnnLpai.so").symlink_to(qnn / "libQnnSaver.so")
    libraries = [links, qnn, qnn.with_name(f"{qnn.name}.libs")]
    # It splits names at commas: relative to its folder, they have none.
    shutil.copyfile(model, scratch / "given.tflite")
    command = [str(litert / "tools/apply_plugin_main"), "--cmd=apply", "--model=given.tflite"]
    command += [
        f"--o={made.name}",
        "--soc_manufacturer=Qualcomm",
        f"--soc_model={soc.name}",
        "--err=--",
    ]
    command += [f"--libs={litert / 'vendors/qualcomm/compiler'}"]
    log = run_tool(
        "LiteRT's compiler",
        command,
        scratch,
        seconds=seconds,
        environment={"LD_LIBRARY_PATH": ":".join(map(str, libraries))},
    )
    if not made.exists() or not made.stat().st_size:
        return (), log
    refused = _kinds({int(code) for code in _REFUSED.findall(log)})
    before = operators_of(model)
    placed = (
        PlacedOperator(
            op.kind,
            op.name,
            "CPU" if on_cpu else "NPU",
            "Qualcomm's compiler has no such operator" if on_cpu and op.kind in refused else "",
        )
        for op, on_cpu in zip(before, left_over(before, operators_of(made)), strict=True)
    )
    return tuple(placed), log


def _kinds(codes: set[int]) -> set[str]:
    from ai_edge_litert import schema_py_generated as schema

    return {name for name, value in vars(schema.BuiltinOperator).items() if value in codes}


def _context(
    model: Path, made: Path, soc: Soc, scratch: Path, seconds: float
) -> tuple[tuple[PlacedOperator, ...], str]:
    told = scratch / "placement.json"
    given = scratch / model.name
    shutil.copyfile(model, given)
    for beside in model.parent.glob(f"{model.name}.data"):
        shutil.copyfile(beside, scratch / beside.name)
    command = [sys.executable, "-m", "edgekit_converters.targets.qnn_context"]
    command += [str(given), str(made), str(told), str(soc.number)]
    log = run_tool("ONNX Runtime's QNN", command, scratch, seconds=seconds)
    placed = tuple(PlacedOperator(*node) for node in json.loads(told.read_text(encoding="utf-8")))
    return placed, log


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise TargetError(
            f"{name.replace('_', '-')} is not installed: pip install 'edgekit-toolkit[qualcomm]'"
        )
    return Path(spec.origin).parent
