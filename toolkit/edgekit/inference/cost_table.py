"""The operators of a converted file with their times in float32 and int8, and which is the better."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.bundle.packages import require
from edgekit.data.samples import DataError
from edgekit.inference.assignment import GraphCosts, OperatorCost, cheapest
from edgekit_runtimes import open_model

Choice = Literal["float32", "int8", ""]
_ALIKE = 0.05  # times that differ by less are the same
_LITTLE = 0.3  # microseconds
_CPU = {".tflite": "xnnpack", ".onnx": "mlas"}


@dataclass(frozen=True, slots=True)
class CostRow:
    """One operator."""

    name: str
    kind: str
    float_us: float | None
    int8_us: float | None
    choice: Choice
    """Where it is computed in the fastest split of the graph; empty where one file was measured alone."""

    why: str


@dataclass(frozen=True, slots=True)
class CostTable:
    """What the operators of a file take on this processor, in microseconds."""

    file: str
    counterpart: str | None
    """The file of the other precision; None: there is none, and the rows have ``file``'s times alone."""

    threads: int
    rows: tuple[CostRow, ...]
    float_us: float | None
    """Of all operators in float32; where one file was measured alone, of that file."""

    int8_us: float | None
    best_us: float | None
    """Of the fastest split, with its crossings."""


def cost_table(file: Path, *, threads: int = 1, seconds: float = 3.0) -> CostTable:
    """Measure a file's operators; with the file of the other precision beside it, both.

    >>> table = cost_table(Path("out/model_int8.tflite"), seconds=0.1)
    >>> table.counterpart, table.rows[0].kind
    ('out/model_float32.tflite', 'CONV_2D')

    Args:
        file: a ``.tflite`` or ``.onnx`` file. Files of one conversion lie side by side under the names that
            ``edgekit convert`` gives them: ``NAME_float32.tflite`` and ``NAME_int8.tflite``. The operators
            of ONNX files are those of the TFLite files, which are needed beside them.
        threads: of one call.
        seconds: of measuring.

    Raises:
        DataError: it is no such file.
        ModelError: it cannot be opened or run.
        RuntimeMissing: a package that compares two files is not installed.
    """
    if file.suffix not in _CPU:
        raise DataError(f"{file}: costs are measured of .tflite and .onnx files; this is neither.")
    pair = _pair(file)
    onnx = file.suffix == ".onnx"
    needed = [*pair, *(path.with_suffix(".tflite") for path in pair)] if onnx else list(pair)
    if not pair or not all(path.is_file() for path in needed):
        return _of_one(file, threads, seconds)
    require(("scipy", *(["onnx"] if onnx else [])), "what operators cost in two files", "convert")
    for path in dict.fromkeys(needed):
        open_model(path, device=_CPU[path.suffix], threads=threads).close()  # with all its checks
    costs = _costs(pair, threads, seconds)
    other = pair[0] if file == pair[1] else pair[1]
    best = cheapest(costs)
    rows = tuple(_row(operator, operator.name in best.in_float) for operator in costs.operators)
    return CostTable(
        str(file),
        str(other),
        threads,
        rows,
        sum(op.float_us or 0.0 for op in costs.operators),
        sum((op.float_us if op.int8_us is None else op.int8_us) or 0.0 for op in costs.operators),
        best.us,
    )


def _pair(file: Path) -> tuple[Path, ...]:
    """The float32 and the int8 file that a file is one of, by its name; nothing for others."""
    for precision in ("float32", "int8"):
        if file.stem.endswith(f"_{precision}"):
            name = file.stem.removesuffix(precision)
            return tuple(file.with_name(f"{name}{p}{file.suffix}") for p in ("float32", "int8"))
    return ()


def _costs(pair: tuple[Path, ...], threads: int, seconds: float) -> GraphCosts:
    if pair[0].suffix == ".tflite":
        from edgekit.inference.operator_costs import litert_costs

        return litert_costs(pair[0], pair[1], threads=threads, seconds=seconds)
    from edgekit.inference.node_costs import ort_costs

    lite = [path.with_suffix(".tflite") for path in pair]
    return ort_costs(lite[0], lite[1], pair[0], pair[1], threads=threads, seconds=seconds)


def _of_one(file: Path, threads: int, seconds: float) -> CostTable:
    open_model(file, device=_CPU[file.suffix], threads=threads).close()  # with all its checks
    if file.suffix == ".tflite":
        from edgekit.inference.operator_costs import litert_times as measure
    else:
        from edgekit.inference.node_costs import ort_times as measure
    costs = measure(file, threads=threads, seconds=seconds)
    rows = tuple(CostRow(op.name, op.kind, op.float_us, None, "", "") for op in costs.operators)
    total = sum(op.float_us or 0.0 for op in costs.operators)
    return CostTable(str(file), None, threads, rows, total, None, None)


def _row(operator: OperatorCost, in_float: bool) -> CostRow:
    choice: Choice = "float32" if in_float else "int8"
    return CostRow(
        operator.name,
        operator.kind,
        operator.float_us,
        operator.int8_us,
        choice,
        _reason(operator, choice),
    )


def _reason(operator: OperatorCost, choice: Choice) -> str:
    float_us, int8_us = operator.float_us, operator.int8_us
    if int8_us is None:
        return "float32 in both files"
    if float_us is None:
        return "runs in int8 only"
    if max(float_us, int8_us) < _LITTLE:
        return "next to nothing"
    if 0.0 in (float_us, int8_us):  # fused, or rewritten together with it
        return f"part of a neighbour in {'int8' if int8_us == 0.0 else 'float32'}"
    faster = "float32" if float_us < int8_us else "int8"
    times = max(float_us, int8_us) / max(min(float_us, int8_us), 1e-3)
    if times < 1 + _ALIKE:
        return "as fast in both"
    if faster != choice:
        return "crossing costs more"
    return f"{times:.1f} times as fast"
