"""Arm Ethos-U: a TFLite file compiled by Vela, and what Vela estimates of it.

The figures are Vela's model of the chip: nothing here executes.
"""

import csv
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit_converters.targets.compiled import (
    NEVER_RUN,
    Compiled,
    PlacedOperator,
    left_over,
    operators_of,
)
from edgekit_converters.targets.dense_scales import per_channel, write_with_one_scale
from edgekit_converters.targets.inspection import Figure, TargetError
from edgekit_converters.targets.operators import read_model
from edgekit_converters.targets.tool import failure, run_tool, told_of
from edgekit_converters.tflite import flatbuffer


@dataclass(frozen=True, slots=True)
class EthosU:
    """The memories around an Ethos-U that Vela reckons with: those of Arm's reference designs."""

    system: str
    """A ``System_Config`` of Vela's ``Arm/vela.ini``: clock and bandwidths."""
    memory: str
    """A ``Memory_Mode`` there: which memory holds weights and activations."""


_U55 = EthosU("Ethos_U55_High_End_Embedded", "Shared_Sram")
_U65 = EthosU("Ethos_U65_High_End", "Dedicated_Sram_384KB")
_U85_LOW = EthosU("Ethos_U85_SYS_DRAM_Low", "Dedicated_Sram_512KB")
_U85_MID = EthosU("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_512KB")
_U85_HIGH = EthosU("Ethos_U85_SYS_DRAM_High", "Dedicated_Sram_512KB")

ETHOS_U: dict[str, EthosU] = {
    "ethos-u55-32": _U55,
    "ethos-u55-64": _U55,
    "ethos-u55-128": _U55,
    "ethos-u55-256": _U55,
    "ethos-u65-256": _U65,
    "ethos-u65-512": _U65,
    "ethos-u85-128": _U85_LOW,
    "ethos-u85-256": _U85_LOW,
    "ethos-u85-512": _U85_MID,
    "ethos-u85-1024": _U85_MID,
    "ethos-u85-2048": _U85_HIGH,
}
"""Every Ethos-U that Vela compiles for, by Vela's name of it, which ends in its multipliers."""

_ADVICE = {
    "WHILE": 'a recurrent layer is a loop here: unroll=True writes one without, and to="micro" an LSTM as one '
    "operator",
    "RESIZE_BILINEAR": "Ethos-U resizes by 2, 4 or 8: resize images before the model",
    "RESIZE_NEAREST_NEIGHBOR": "Ethos-U resizes by 2, 4 or 8: resize images before the model",
    "GATHER": "an Embedding looks up on the CPU; a U85 has a GATHER",
    "CAST": 'Input(dtype="int32") spares an Embedding the CAST of its indices',
}
"""What to change in the model, by an operator on the CPU."""

_REAL = {flatbuffer.FLOAT32}
_MUCH = 0.2  # of the cycles, from where another try is worth a second
_LESS = 0.95


def compile_for_ethos_u(
    model: Path, target: Path, chip: str, *, scratch: Path, seconds: float = 300
) -> Compiled:
    """Compile a TFLite file for an Ethos-U.

    Operators that Vela does not take stay in the compiled file as they are, for the kernels of the CPU.

    Args:
        model: the file; Vela takes integers, and leaves float operators to the CPU.
        target: the file to write; it is there whole, or not at all.
        chip: a name in ``ETHOS_U``.
        scratch: an existing, empty folder, which the caller removes.
        seconds: after which Vela is killed.

    Raises:
        TargetError: Vela refuses the file, crashes, takes too long or leaves no file.
    """
    design = ETHOS_U[chip]
    before = operators_of(model)
    try:
        log = _vela(model, chip, scratch, seconds)
    except TargetError as error:
        known = "TFLite Semantics" in str(error)
        raise told_of(f"{model}: {chip}", error, _LOOPS if known else "") from error
    made = scratch / _MADE
    reasons = _reasons(log)
    cycles = _cycles(scratch / "model_per-layer.csv", {op.name for op in before})
    # Vela's own count is of the operators that it makes of these: a softmax alone is 30.
    operators = tuple(
        PlacedOperator(op.kind, op.name, "CPU", reasons.get((op.kind, op.name), ""))
        if on_cpu
        else PlacedOperator(op.kind, op.name, "NPU", cycles=cycles.get(op.name))
        for op, on_cpu in zip(before, left_over(before, operators_of(made)), strict=True)
    )
    summary = f"model_summary_{design.system}.csv"
    figures = (
        *_figures(scratch / summary, design),
        Figure("file", made.stat().st_size, "bytes", NEVER_RUN),
    )
    advice = [*_advice(read_model(model), operators)]
    if _dense_share(read_model(model), cycles) > _MUCH:
        trial = scratch / "dense"
        trial.mkdir()
        write_with_one_scale(model, trial / "dense.tflite")
        with suppress(TargetError):
            _vela(trial / "dense.tflite", chip, trial, seconds)
            advice += _dense_advice(figures, _figures(trial / summary, design))
    made.replace(target)
    return Compiled(chip, operators, figures, tuple(advice))


_MADE = "model_vela.tflite"


def _vela(model: Path, chip: str, folder: Path, seconds: float) -> str:
    """Compile a file to ``_MADE`` in a folder, with tables beside it; return the log."""
    design = ETHOS_U[chip]
    shutil.copyfile(model, folder / "model.tflite")
    command = [sys.executable, "-m", "ethosu.vela", "model.tflite", "--accelerator-config", chip]
    command += ["--config", "Arm/vela.ini", "--system-config", design.system]
    command += ["--memory-mode", design.memory, "--output-dir", ".", "--verbose-performance"]
    log = run_tool("Vela", command, folder, seconds=seconds)
    made = folder / _MADE
    if not made.exists() or not made.stat().st_size:
        raise failure("Vela", "wrote no file", log)
    return log


_LOOPS = (
    "Vela does not read the loop of a recurrent layer that returns sequences or is masked: build the layer "
    'with unroll=True, or convert with to="micro", where an LSTM is one operator.'
)

_WARNING = re.compile(
    r"^Warning \(supported operators\) operator: (\w+), ofm: '(.*)'\nReason: (.+)", re.MULTILINE
)


def _reasons(log: str) -> dict[tuple[str, str], str]:
    """Why Vela leaves operators to the CPU, by kind and first output."""
    plain = {"Unsupported opType": "this Ethos-U has no such operator"}
    return {
        (kind, name): plain.get(reason.strip(), reason.strip())
        for kind, name, reason in _WARNING.findall(log)
    }


def _cycles(table: Path, names: Collection[str]) -> dict[str, int]:
    """Cycles by the name of what an operator of the file computes.

    Vela has a line for each of its own operators, in the order in which they run: those of one operator of
    the file end with the one that has its name.
    """
    found = dict.fromkeys(names, 0)
    with table.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["Target"] == "NPU"]
    waiting, last = 0, ""
    for row in rows:
        waiting += int(float(row["Op Cycles"]))
        if row["Name"] in found:
            last = row["Name"]
            found[last] += waiting
            waiting = 0
    if last:
        found[last] += waiting
    return found


def _figures(table: Path, design: EthosU) -> tuple[Figure, ...]:
    with table.open(newline="", encoding="utf-8") as lines:
        row = next(csv.DictReader(lines))
    clock = float(row["core_clock"]) / 1e6
    estimate = "Vela's estimate"
    memories = (
        ("SRAM", "sram", "activations, and weights on their way"),
        ("DRAM", "dram", "weights, commands and activations"),
        ("flash", "off_chip_flash", "weights and commands"),
    )
    used = {name: round(float(row[f"{area}_memory_used"]) * 1024) for name, area, _ in memories}
    return (
        Figure("cycles", int(float(row["cycles_total"])), "cycles", estimate),
        Figure(
            "time",
            float(row["inference_time"]) * 1e3,
            "ms",
            f"{estimate} at {clock:,.0f} MHz, {design.system}, {design.memory}; without the CPU's operators",
        ),
        *(
            Figure(name, used[name], "bytes", f"{estimate}: {what}")
            for name, _, what in memories
            if used[name]
        ),
    )


def _advice(model: Any, operators: Sequence[PlacedOperator]) -> Iterator[str]:
    main = model.subgraphs[0]
    ends = [main.tensors[i] for i in (*main.inputs, *main.outputs)]
    if real := [flatbuffer.name(end) for end in ends if end.type in _REAL]:
        yield f"float32 ends ({', '.join(real)}): io='int8' gives integers, which the NPU takes as they are"
    on_cpu = dict.fromkeys(operator.kind for operator in operators if operator.runs_on == "CPU")
    yield from (f"{kind}: {_ADVICE[kind]}" for kind in on_cpu if kind in _ADVICE)


def _dense_share(model: Any, cycles: Mapping[str, int]) -> float:
    """The fraction of the cycles that Dense layers with a scale for each output take."""
    tensors = model.subgraphs[0].tensors
    names = [flatbuffer.name(tensors[operator.outputs[0]]) for operator in per_channel(model)]
    return sum(cycles.get(name, 0) for name in names) / max(1, sum(cycles.values()))


def _dense_advice(figures: Sequence[Figure], other: Sequence[Figure]) -> Iterator[str]:
    was, would = figures[0].value, other[0].value
    if would < _LESS * was:
        yield (
            f"FULLY_CONNECTED: Vela packs weights with one scale better: about {would:,.0f} cycles instead of "
            f"{was:,.0f}. dense_per_tensor=True converts so, and the report says what that costs"
        )
