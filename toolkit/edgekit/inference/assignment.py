"""The cheapest split of a graph between float32 and int8: numbers in, sets of operators out.

An operator has a time in each; a tensor that one side makes and the other reads has the price of
crossing; and a tensor that is rounded has a noise. The cheapest split of all is a minimum cut.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_RESOLUTION = 1 << 30  # of all costs together: scipy's flows are 32-bit integers
_NEVER = (1 << 31) - 1  # more than all costs together
_FLOAT, _INT8 = 0, 1  # the nodes of the cut's two sides

Side = Literal["float32", "int8"]


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """What an operator takes, in microseconds."""

    name: str
    """Of its first output in the float graph."""

    kind: str
    float_us: float | None
    """None: it has no float form."""

    int8_us: float | None
    """None: it has no integer form."""


@dataclass(frozen=True, slots=True)
class TensorCost:
    """What it takes to have a tensor on the other side too, in microseconds."""

    name: str
    maker: int | None
    """The place of the operator that makes it; None: it is an input of the graph."""

    readers: tuple[int, ...]
    quantize_us: float
    dequantize_us: float
    is_output: bool = False


@dataclass(frozen=True, slots=True)
class GraphCosts:
    """A graph with its costs; integer tensors of the float graph (indices, shapes) are left out."""

    operators: Sequence[OperatorCost]
    tensors: Sequence[TensorCost]
    ends: Side = "float32"
    """The type of the graph's inputs and outputs."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One split of a graph."""

    in_float: frozenset[str]
    """The names of the operators that compute in float32."""

    us: float
    """What the operators and the crossings take together."""

    noise: float
    """The sum over all tensors that are rounded."""


def cheapest(
    costs: GraphCosts, noise: Mapping[str, float] | None = None, weight: float = 0.0
) -> Assignment:
    """Return the split with the least time plus ``weight`` times noise.

    A tensor is rounded, and has its noise, unless all operators that touch it compute in float. One
    crossing serves all readers of the other side. Of splits that cost the same, the one with the fewest
    operators in float.

    >>> conv = OperatorCost("conv", "CONV_2D", float_us=40, int8_us=12)
    >>> swish = OperatorCost("swish", "HARD_SWISH", float_us=5, int8_us=136)
    >>> x, y, z = (
    ...     TensorCost("x", None, (0,), 2, 2),
    ...     TensorCost("y", 0, (1,), 2, 2),
    ...     TensorCost("z", 1, (), 2, 2, is_output=True),
    ... )
    >>> cheapest(GraphCosts([conv, swish], [x, y, z]))
    Assignment(in_float=frozenset({'swish'}), us=21, noise=0)

    Args:
        costs: of the graph.
        noise: of rounding each tensor alone, by its name, in any unit that adds up; 0 where it is missing.
        weight: microseconds that one unit of noise is worth.

    Raises:
        ValueError: an operator has no form at all.
    """
    noise = noise or {}
    chosen = _minimum_cut(*_edges(costs, noise, weight))
    in_int8 = [place in chosen for place in range(2, len(costs.operators) + 2)]
    return _priced(costs, noise, in_int8)


def assignments(
    costs: GraphCosts,
    noise: Mapping[str, float],
    weights: Sequence[float] | None = None,
    most: int = 16,
) -> list[Assignment]:
    """Return the splits that are cheapest for some weight of noise, from fastest to most exact.

    Each is faster than all with as little noise that some weight would choose; no two are alike.

    Args:
        costs: of the graph.
        noise: as for ``cheapest``.
        weights: the weights to try; else they are looked for, where they change the choice.
        most: how many splits to look for at most.
    """
    if weights is not None:
        found = [cheapest(costs, noise, weight) for weight in weights]
    else:
        found = _frontier(costs, noise, most)
    return sorted(dict.fromkeys(found), key=lambda a: (a.us, -a.noise))


def _frontier(costs: GraphCosts, noise: Mapping[str, float], most: int) -> list[Assignment]:
    """The two ends, and between any two neighbours what is cheapest where they cost the same."""
    fastest = cheapest(costs, noise)
    largest = max(noise.values(), default=0.0)
    if not largest:
        return [fastest]
    # A thousandth of the largest noise is worth the whole time: below that it counts as nothing.
    exact = cheapest(costs, noise, 1000 * max(fastest.us, 1.0) / largest)
    found = [fastest, exact]
    waiting = [(fastest, exact)]
    while waiting and len(found) < most:
        waiting.sort(key=lambda pair: pair[0].noise - pair[1].noise)
        fast, slow = waiting.pop()  # the widest gap
        if fast.noise <= slow.noise or slow.us <= fast.us:
            continue
        weight = (slow.us - fast.us) / (fast.noise - slow.noise)
        between = cheapest(costs, noise, weight)
        if slow.noise < between.noise < fast.noise and between not in found:
            found.append(between)
            waiting += [(fast, between), (between, slow)]
    return found


def _priced(costs: GraphCosts, noise: Mapping[str, float], in_int8: Sequence[bool]) -> Assignment:
    """What a split costs."""
    us: float = 0
    total: float = 0
    for operator, integer in zip(costs.operators, in_int8, strict=True):
        us += (operator.int8_us if integer else operator.float_us) or 0
    ends = costs.ends == "int8"
    for tensor in costs.tensors:
        made = ends if tensor.maker is None else in_int8[tensor.maker]
        read = [in_int8[place] for place in tensor.readers]
        if tensor.is_output:
            read.append(ends)
        if not made and any(read):
            us += tensor.quantize_us
        if made and not all(read):
            us += tensor.dequantize_us
        if made or any(read):
            total += noise.get(tensor.name, 0)
    kept = (op.name for op, integer in zip(costs.operators, in_int8, strict=True) if not integer)
    return Assignment(frozenset(kept), us, total)


def _edges(
    costs: GraphCosts, noise: Mapping[str, float], weight: float
) -> tuple[int, list[tuple[int, int, float | None]]]:
    """The number of nodes, and the edges: from, to, and what cutting it costs; None: it is never cut.

    The first two nodes are the sides, then come the operators. An edge is cut where it leads from the
    float side to the other.
    """
    edges: list[tuple[int, int, float | None]] = []
    for place, operator in enumerate(costs.operators, 2):
        if operator.float_us is None and operator.int8_us is None:
            raise ValueError(
                f"operator {operator.name!r} has neither a time in float32 nor in int8."
            )
        edges.append((_FLOAT, place, operator.int8_us))
        edges.append((place, _INT8, operator.float_us))
    outside = _INT8 if costs.ends == "int8" else _FLOAT
    nodes = len(costs.operators) + 2
    for tensor in costs.tensors:
        maker = outside if tensor.maker is None else tensor.maker + 2
        readers = [place + 2 for place in tensor.readers]
        if tensor.is_output:
            readers.append(outside)
        integers, floats, rounded = nodes, nodes + 1, nodes + 2
        nodes += 3
        edges.append((maker, integers, tensor.quantize_us))
        edges.append((floats, maker, tensor.dequantize_us))
        for reader in readers:
            edges.append((integers, reader, None))
            edges.append((reader, floats, None))
        if worth := weight * noise.get(tensor.name, 0):
            edges.append((_FLOAT, rounded, worth))
            edges += [(rounded, touching, None) for touching in (maker, *readers)]
    return nodes, edges


def _minimum_cut(nodes: int, edges: Iterable[tuple[int, int, float | None]]) -> set[int]:
    """Return the nodes on the int8 side: as many as a cut of the least cost has."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    known = [edge for edge in edges if edge[0] != edge[1]]
    total = sum(cost for _, _, cost in known if cost is not None) or 1.0
    capacities = [
        _NEVER if cost is None else round(cost / total * _RESOLUTION) for _, _, cost in known
    ]
    sources, targets = [edge[0] for edge in known], [edge[1] for edge in known]
    table = coo_array((capacities, (sources, targets)), shape=(nodes, nodes), dtype=np.int64)
    table.sum_duplicates()
    capacity = coo_array(
        (np.minimum(table.data, _NEVER).astype(np.int32), table.coords), shape=table.shape
    ).tocsr()
    left = capacity - maximum_flow(capacity, _FLOAT, _INT8).flow
    left.eliminate_zeros()
    in_float = breadth_first_order(left, _FLOAT, return_predecessors=False)
    return set(range(nodes)) - {int(node) for node in in_float}
