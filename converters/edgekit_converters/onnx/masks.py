"""Masked sequences for the ONNX operators RNN, GRU and LSTM.

These stop after ``sequence_lens`` steps. A step that does not count leaves the state of a Keras layer as
it is, so the layer computes the same from the steps that count alone: they are moved to the front, the
operator runs over as many of them as there are, and its outputs are moved back. Where the mask is a
prefix, as of a padded sequence, each step stays in its place.
"""

from dataclasses import dataclass

import numpy as np

from edgekit_converters.onnx.edit import NodeList
from edgekit_converters.onnx.recurrent_cells import Cell


@dataclass(frozen=True, slots=True)
class Masked:
    """The values that an operator of a masked layer reads, and those that its results need."""

    sequence: str
    """The steps that count, in their order, and behind them the others."""
    lengths: str
    """How many count, of shape (batch,); 1 where none does, for no operator takes 0."""
    some: str
    """Whether any step counts, of shape (batch, 1)."""
    counts: str
    """Whether each step does, of shape (steps, batch, 1): the layer's mask."""
    number: str
    """How many steps count up to each, itself included, of shape (steps, batch, 1)."""


def counting_first(nodes: NodeList, cell: Cell, sequence: str, mask: str) -> Masked:
    """Add the nodes before an operator: its sequence and lengths, from the layer's sequence and mask."""
    steps, batch = cell.shape
    keep = nodes.add("Cast", [mask], "keep", to=6)  # int32
    zero, one = (nodes.constant(f"recurrent/int_{n}", np.array(n, np.int32)) for n in (0, 1))
    first, second = (nodes.constant(f"recurrent/axis_{n}", np.array([n], np.int64)) for n in (0, 1))
    # The earliest of the steps that count have the largest ranks, and those that do not have 0.
    backwards = np.arange(steps, 0, -1, dtype=np.int32).reshape(-1, 1, 1)
    ranks = nodes.add(
        "Mul", [keep, nodes.constant(f"recurrent/backwards_{steps}", backwards)], "ranks"
    )
    every = nodes.constant(f"recurrent/all_{steps}", np.array([steps], np.int64))
    _, places = nodes.add_several("TopK", [ranks, every], ("ranked", "places"), axis=0)
    width = cell.weights[0].shape[1]
    moved = _chosen(nodes, sequence, places, (steps, batch, width), "counting")
    total = nodes.add("ReduceSum", [keep, first], "total", keepdims=0)
    lengths = nodes.add("Squeeze", [nodes.add("Max", [total, one], "steps"), second], "lengths")
    some = nodes.add("Greater", [total, zero], "some")
    axis = nodes.constant("recurrent/first_axis", np.array(0, np.int64))
    number = nodes.add("CumSum", [keep, axis], "number")
    return Masked(moved, lengths, some, mask, number)


def all_outputs(nodes: NodeList, cell: Cell, masked: Masked, ran: str, name: str) -> None:
    """Add the nodes from the operator's outputs, of shape (steps, batch, units), to the layer's."""
    zero, one = (nodes.constant(f"recurrent/int_{n}", np.array(n, np.int32)) for n in (0, 1))
    before = nodes.add("Sub", [masked.number, one], "before")
    places = nodes.add("Max", [before, zero], "latest")
    latest = _chosen(nodes, ran, places, (*cell.shape, cell.units), "outputs")
    has_one = masked.counts if cell.zeroed else nodes.add("Greater", [masked.number, zero], "began")
    nodes.add_named("Where", [has_one, latest, _nothing(nodes)], name)


def last_output(nodes: NodeList, cell: Cell, masked: Masked, state: str, name: str) -> None:
    """Add the nodes from the operator's last state, of shape (1, batch, units), to the layer's output."""
    has_one = masked.some
    if cell.zeroed:
        last = nodes.constant(
            f"recurrent/last_of_{cell.shape[0]}", np.array(cell.shape[0] - 1, np.int64)
        )
        has_one = nodes.add("Gather", [masked.counts, last], "last_counts", axis=0)
    nodes.add_named("Where", [has_one, state, _nothing(nodes)], name)


def _chosen(
    nodes: NodeList, values: str, places: str, shape: tuple[int, int, int], name: str
) -> str:
    """Add the nodes that take the values of other steps: of ``places``, of shape (steps, batch, 1)."""
    wanted = nodes.constant(
        "recurrent/shape_" + "_".join(map(str, shape)), np.array(shape, np.int64)
    )
    whole = nodes.add("Expand", [places, wanted], f"places_of_{name}")
    return nodes.add("GatherElements", [values, whole], name, axis=0)


def _nothing(nodes: NodeList) -> str:
    return nodes.constant("recurrent/nothing", np.array(0, np.float32))
