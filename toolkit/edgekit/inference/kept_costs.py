"""What the two ways to measure operators share: times that are kept, and crossings priced by their size."""

import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from importlib import metadata
from typing import Any

import numpy as np

from edgekit.inference.assignment import TensorCost
from edgekit.inference.output_cache import is_on
from edgekit.inference.paired_operators import PairedTensor
from edgekit_runtimes.host import cpu_limit, instruction_sets, processor_name
from edgekit_runtimes.known_files import keep, recall

_SIZES = (1, 1024, 8192, 65536)  # of tensors that cross; between them the price is a line


def kept(package: str, question: Sequence[Any], measure: Callable[[], Any]) -> Any:
    """What was measured for a question on this machine, or is measured now and kept, as JSON has it.

    Args:
        package: the runtime's, whose version counts.
        question: all else that times depend on, as JSON takes it.
        measure: gives what JSON gives back as it was.
    """
    machine = [processor_name(), sorted(instruction_sets()), cpu_limit(), metadata.version(package)]
    kept_as = f"costs-{sha256(json.dumps([machine, *question]).encode()).hexdigest()}"
    if is_on() and (known := recall(kept_as)) is not None:
        return json.loads(known)
    found = measure()
    if is_on():
        keep(kept_as, json.dumps(found))
    return found


def crossing_sizes(tensors: Iterable[PairedTensor]) -> list[int]:
    """The numbers of elements to measure crossing for, where a graph has these tensors."""
    largest = max((tensor.elements for tensor in tensors), default=1)
    return [*(n for n in _SIZES if n < largest), max(largest, 2)]


def tensor_costs(
    tensors: Iterable[PairedTensor],
    sizes: Sequence[int],
    quantize_us: Sequence[float],
    dequantize_us: Sequence[float],
) -> list[TensorCost]:
    """Tensors with the prices of crossing, each on the line between two sizes that were measured."""
    return [
        TensorCost(
            tensor.name,
            tensor.maker,
            tensor.readers,
            float(np.interp(tensor.elements, sizes, quantize_us)),
            float(np.interp(tensor.elements, sizes, dequantize_us)),
            tensor.is_output,
        )
        for tensor in tensors
    ]
