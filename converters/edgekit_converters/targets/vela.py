"""Arm Ethos-U: a TFLite file compiled by Vela, and what Vela estimates of it.

The figures are Vela's model of the chip: nothing here executes.
"""

import csv
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit_converters.base import ConversionError
from edgekit_converters.targets.placed import (
    PlacedOperator,
    count_on_npu,
    left_over,
    operators_of,
)
from edgekit_converters.targets.tool import failure, run_tool


@dataclass(frozen=True, slots=True)
class EthosU:
    """An Ethos-U, and the memories around it that Vela reckons with: those of Arm's reference designs."""

    macs: int
    """Multiply-accumulate units."""
    system: str
    """A ``System_Config`` of Vela's ``Arm/vela.ini``: clock and bandwidths."""
    memory: str
    """A ``Memory_Mode`` there: which memory holds weights and activations."""


def _u55(macs: int) -> EthosU:
    return EthosU(macs, "Ethos_U55_High_End_Embedded", "Shared_Sram")


def _u65(macs: int) -> EthosU:
    return EthosU(macs, "Ethos_U65_High_End", "Dedicated_Sram_384KB")


def _u85(macs: int, system: str) -> EthosU:
    return EthosU(macs, f"Ethos_U85_SYS_DRAM_{system}", "Dedicated_Sram_512KB")


ETHOS_U: dict[str, EthosU] = {
    "ethos-u55-32": _u55(32),
    "ethos-u55-64": _u55(64),
    "ethos-u55-128": _u55(128),
    "ethos-u55-256": _u55(256),
    "ethos-u65-256": _u65(256),
    "ethos-u65-512": _u65(512),
    "ethos-u85-128": _u85(128, "Low"),
    "ethos-u85-256": _u85(256, "Low"),
    "ethos-u85-512": _u85(512, "Mid"),
    "ethos-u85-1024": _u85(1024, "Mid"),
    "ethos-u85-2048": _u85(2048, "High"),
}
"""Every Ethos-U that Vela compiles for, by Vela's name of it."""


@dataclass(frozen=True, slots=True)
class VelaEstimate:
    """What Vela says of a compiled file: an estimate, of the memories that ``EthosU`` names."""

    cycles: int
    clock_mhz: float
    milliseconds: float
    sram_bytes: int
    """For activations, at most at one time."""
    dram_bytes: int
    flash_bytes: int
    """Off the chip: weights and commands."""
    macs: int


@dataclass(frozen=True, slots=True)
class VelaCompiled:
    """What became of a file."""

    operators: tuple[PlacedOperator, ...]
    """Those of the original file, in its order."""
    estimate: VelaEstimate
    log: str
    """What Vela printed."""

    @property
    def on_npu(self) -> int:
        """How many operators the NPU runs."""
        return count_on_npu(self.operators)


def compile_for_ethos_u(
    model: Path, target: Path, chip: str, *, scratch: Path, seconds: float = 300
) -> VelaCompiled:
    """Compile a TFLite file for an Ethos-U.

    Operators that Vela does not take stay in the compiled file as they are, for the kernels of the CPU.

    Args:
        model: the file; Vela takes integers, and leaves float operators to the CPU.
        target: the file to write; it is there whole, or not at all.
        chip: a name in ``ETHOS_U``.
        scratch: an existing, empty folder, which the caller removes.
        seconds: after which Vela is killed.

    Raises:
        ConversionError: Vela refuses the file, crashes, takes too long or leaves no file.
    """
    design = ETHOS_U[chip]
    given = scratch / "model.tflite"
    shutil.copyfile(model, given)
    command = [sys.executable, "-m", "ethosu.vela", str(given), "--accelerator-config", chip]
    command += ["--config", "Arm/vela.ini", "--system-config", design.system]
    command += ["--memory-mode", design.memory, "--output-dir", str(scratch), "--verbose-performance"]
    try:
        log = run_tool("Vela", command, scratch, seconds=seconds)
    except ConversionError as error:
        raise _explained(error, model, chip) from error
    made = scratch / "model_vela.tflite"
    if not made.exists() or not made.stat().st_size:
        raise failure("Vela", f"wrote no file for {model.name}, and does not say why", log)
    compiled = VelaCompiled(
        _placed(model, made, _reasons(log), _cycles(scratch / "model_per-layer.csv")),
        _estimate(scratch / f"model_summary_{design.system}.csv"),
        log,
    )
    made.replace(target)
    return compiled


def _explained(error: ConversionError, model: Path, chip: str) -> ConversionError:
    """Return an error that says what to do about those of Vela that are known."""
    advice = ""
    if "TFLite Semantics" in str(error):
        advice = (
            ". Vela does not read the loop of a recurrent layer that returns sequences or is masked: build "
            "the layer with unroll=True, or convert to=\"micro\", where an LSTM is one operator"
        )
    told = type(error)(f"{model.name}, {chip}: {error}{advice}.")
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


_WARNING = re.compile(
    r"^Warning \(supported operators\) operator: (\w+), ofm: '(.*)'\nReason: (.+)", re.MULTILINE
)


def _reasons(log: str) -> dict[tuple[str, str], str]:
    """Why Vela leaves operators to the CPU, by kind and first output."""
    return {(kind, name): reason.strip() for kind, name, reason in _WARNING.findall(log)}


def _placed(
    model: Path, made: Path, reasons: Mapping[tuple[str, str], str], cycles: Mapping[str, int]
) -> tuple[PlacedOperator, ...]:
    """Say of each operator whether it is in the compiled file still, where the CPU runs it.

    Vela's own count is of the operators that it makes of these: a softmax alone is 30.
    """
    before = operators_of(model)
    return tuple(
        PlacedOperator(op.kind, op.name, "CPU", _plain(reasons.get((op.kind, op.name), "")))
        if on_cpu
        else PlacedOperator(op.kind, op.name, "NPU", cycles=cycles.get(op.name))
        for op, on_cpu in zip(before, left_over(before, operators_of(made)), strict=True)
    )


def _plain(reason: str) -> str:
    return "Ethos-U has no such operator" if reason == "Unsupported opType" else reason


def _cycles(table: Path) -> dict[str, int]:
    """Cycles by the name of what an operator computes; Vela has a line for each of its own operators."""
    found: dict[str, int] = {}
    with table.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["Target"] == "NPU":
                found[row["Name"]] = found.get(row["Name"], 0) + int(float(row["Op Cycles"]))
    return found


def _estimate(table: Path) -> VelaEstimate:
    with table.open(newline="", encoding="utf-8") as lines:
        row = next(csv.DictReader(lines))

    def kib(area: str) -> int:
        return round(float(row[f"{area}_memory_used"]) * 1024)

    return VelaEstimate(
        cycles=int(float(row["cycles_total"])),
        clock_mhz=float(row["core_clock"]) / 1e6,
        milliseconds=float(row["inference_time"]) * 1e3,
        sram_bytes=kib("sram"),
        dram_bytes=kib("dram"),
        flash_bytes=kib("off_chip_flash") + kib("on_chip_flash"),
        macs=int(float(row["nn_macs"])),
    )
