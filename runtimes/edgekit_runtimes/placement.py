"""Operator placement: which processor runs which operators of a model, and why the rest fell back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a model, as its runtime runs it."""

    kind: str
    """``CONV_2D``, ``QLinearConv``, ...: the runtime's name."""

    processor: str
    """``XNNPACK``, ``CPU``, ``QNNExecutionProvider``, ..."""

    precision: str
    """The type it computes in: ``int8``, ``float32``, ...; ``?`` where the runtime does not report it."""

    macs: int = 0
    """Multiply-accumulate operations in one call; 0 where there are none, or the number is not known."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs: as a sentence by ``str()``, as a table in a notebook.

    Operators are counted as the runtime sees them: a provider that fuses the whole model into one node
    still reports the nodes that it took.

    >>> operators = [Operator("CONV_2D", "GPU", "float32", macs=100), Operator("TOPK", "CPU", "int32")]
    >>> placement = Placement("webgpu", "Mali-G78", "GPU", operators, reasons={"TOPK": "no kernel"})
    >>> print(placement)
    webgpu on Mali-G78: GPU runs 1 of 2 operators in 1 partition; the rest on the CPU: 1 TOPK (no kernel)
    >>> placement.delegated_fraction
    0.5
    """

    device: str
    """The exact name of the device, as in ``edgekit devices``."""

    processor: str
    """The processor's name: ``AMD EPYC``, ``SwiftShader Device (Subzero)``, ..."""

    accelerator: str
    """The ``Operator.processor`` that the device stands for."""

    operators: Sequence[Operator]
    partitions: int = 1
    """How many contiguous parts the accelerator runs; each further one copies tensors to and fro."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    """By operator kind: why the accelerator did not take it, where the runtime reports it."""

    simulated: bool = False
    """Whether the processor is a simulator: right outputs, meaningless timing."""

    taken: int | None = None
    """How many operators the accelerator runs, where the runtime reports only their number."""

    notes: Sequence[str] = ()
    """What is done differently from the file as it is written; each a short line."""

    @property
    def delegated(self) -> int:
        """How many operators the accelerator runs."""
        if self.taken is not None:
            return self.taken
        return sum(op.processor == self.accelerator for op in self.operators)

    @property
    def delegated_fraction(self) -> float:
        """The fraction of the operators that the accelerator runs; 0 to 1."""
        return self.delegated / len(self.operators) if self.operators else 0.0

    @property
    def int8_operators(self) -> float:
        """The fraction of the operators that compute in 8-bit integers; 0 to 1."""
        if not self.operators:
            return 0.0
        return sum(op.precision == "int8" for op in self.operators) / len(self.operators)

    @property
    def int8_macs(self) -> float | None:
        """The fraction of the multiply-accumulate operations that are 8-bit; None where none are known."""
        total = self.macs
        if not total:
            return None
        return sum(op.macs for op in self.operators if op.precision == "int8") / total

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations in one call, as far as they are known."""
        return sum(op.macs for op in self.operators)

    def counts(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """How many operators, and their MACs, by (processor, kind, precision); in order of appearance."""
        numbers = Counter((op.processor, op.kind, op.precision) for op in self.operators)
        macs: Counter[tuple[str, str, str]] = Counter()
        for op in self.operators:
            macs[op.processor, op.kind, op.precision] += op.macs
        return {key: (number, macs[key]) for key, number in numbers.items()}

    def __str__(self) -> str:
        where = f"{self.device} on {self.processor}{' (simulated)' if self.simulated else ''}"
        if not self.operators:
            return f"{where}: no operator is known"
        head = (
            f"{where}: {self.accelerator} runs {self.delegated} of {len(self.operators)} operators in "
            f"{self.partitions} partition{'' if self.partitions == 1 else 's'}"
        )
        rest = Counter(op.kind for op in self.operators if op.processor != self.accelerator)
        if self.taken is not None:  # which ones fell back is not reported
            rest = Counter(dict.fromkeys(self.reasons, 0))
        fallback = [
            f"{f'{number} ' if number else ''}{kind}"
            + (f" ({self.reasons[kind]})" if kind in self.reasons else "")
            for kind, number in rest.items()
        ]
        rest_of_it = f"; the rest on the CPU: {', '.join(fallback)}" if fallback else ""
        return "; ".join((head + rest_of_it, *self.notes))

    def _repr_html_(self) -> str:
        """The table that a notebook shows: operators by processor, and why some fell back."""
        from html import escape

        total = self.macs
        rows = [
            (processor, kind, precision, str(number), f"{macs / total:.1%}" if macs else "")
            for (processor, kind, precision), (number, macs) in self.counts().items()
        ]
        head = "".join(
            f"<th>{title}</th>" for title in ("runs on", "operator", "precision", "count", "MACs")
        )
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
        )
        return (
            f"<table><caption>{escape(str(self))}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def macs(out: Sequence[int], weights: Sequence[int], channels: int) -> int:
    """Multiply-accumulate operations of a convolution or a dense layer.

    Args:
        out: the shape of the output.
        weights: the shape of the weights, in any order of axes.
        channels: how many output channels the weights have; each output value sums over the weights
            of its own channel.
    """
    return prod(out) * prod(weights) // max(channels, 1)
