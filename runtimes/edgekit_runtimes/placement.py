"""Placement: which processor runs which operators of a model, and why the rest fell back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a model, as its runtime really runs it."""

    kind: str
    """``CONV_2D``, ``QLinearConv``, ...: the runtime's own word."""

    processor: str
    """``XNNPACK``, ``CPU``, ``QNNExecutionProvider``, ..."""

    precision: str
    """What it computes in: ``int8``, ``float32``, ...; ``?`` where the runtime does not tell."""

    macs: int = 0
    """Multiply-accumulate operations in one call; 0 where there are none, or it is not known."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs.

    What is counted are operators as the runtime sees them: a provider that fuses the whole model
    into one node still tells of the nodes that it took.
    """

    device: str
    """The exact name of the device, as in ``edgekit devices``."""

    processor: str
    """The processor in words: ``AMD EPYC``, ``SwiftShader Device (Subzero)``, ..."""

    accelerator: str
    """The ``Operator.processor`` that was asked for."""

    operators: Sequence[Operator]
    partitions: int = 1
    """How many pieces the accelerator runs; each one more is a hand-over."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    """By operator kind: why the accelerator did not take it, where the runtime tells."""

    emulated: bool = False
    """Whether the processor is imitated in software: right answers, timing that says nothing."""

    taken: int | None = None
    """How many operators the accelerator runs, where the runtime tells the number but not which."""

    @property
    def delegated(self) -> int:
        """How many operators the accelerator runs."""
        if self.taken is not None:
            return self.taken
        return sum(op.processor == self.accelerator for op in self.operators)

    @property
    def delegated_share(self) -> float:
        """The part of the operators that the accelerator runs; 0 to 1."""
        return self.delegated / len(self.operators) if self.operators else 0.0

    @property
    def int8_operators(self) -> float:
        """The part of the operators that compute in 8-bit integers; 0 to 1."""
        if not self.operators:
            return 0.0
        return sum(op.precision == "int8" for op in self.operators) / len(self.operators)

    @property
    def int8_macs(self) -> float | None:
        """The part of the multiply-accumulate operations that are 8-bit; None where none are known."""
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
        emulated = " (emulated)" if self.emulated else ""
        said = (
            f"{self.device} on {self.processor}{emulated}: {self.accelerator} runs {self.delegated} of "
            f"{len(self.operators)} operators in {self.partitions} "
            f"partition{'' if self.partitions == 1 else 's'}"
        )
        rest = Counter(op.kind for op in self.operators if op.processor != self.accelerator)
        if self.taken is not None:  # which ones stayed behind is not told
            rest = Counter(dict.fromkeys(self.reasons, 0))
        why = [
            f"{f'{number} ' if number else ''}{kind}"
            + (f" ({self.reasons[kind]})" if kind in self.reasons else "")
            for kind, number in rest.items()
        ]
        return said + (f"; the rest on the CPU: {', '.join(why)}" if why else "")


def macs(out: Sequence[int], weights: Sequence[int], channels: int) -> int:
    """Multiply-accumulate operations of a convolution or a dense layer.

    Args:
        out: the shape of the output.
        weights: the shape of the weights, in any order of axes.
        channels: how many output channels the weights have; each output value sums over the weights
            of its own channel.
    """
    return prod(out) * prod(weights) // max(channels, 1)
