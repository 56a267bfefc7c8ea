"""What a file holds that a release of a runtime computes wrongly; see ``known_faults.py``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit_runtimes.formats import onnx_file, tflite_file

_RECURRENT = {"GRU": 4, "LSTM": 4, "RNN": 4}
"""Which input is ``sequence_lens``."""
_PRODUCTS = ("MatMul", "Gemm", "Conv", "QLinearMatMul", "QLinearConv", "QGemm")
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "Softmax")
_KEEP_THE_SIGN = ("Transpose", "Reshape", "Cast", "Identity", "MaxPool", "AveragePool")


def pads_before_max_pools(path: Path) -> bool:
    """Whether zeros are put around values that may be negative, before a max pooling."""
    graph, scalars = onnx_file.read_graph(path), onnx_file.read_scalars(path)
    made = {tensor: node for node in graph.nodes for tensor in node.outputs}

    def above(tensor: str, kinds: Sequence[str]) -> onnx_file.Node | None:
        node = made.get(tensor)
        while node is not None and node.kind in kinds and node.inputs:
            node = made.get(node.inputs[0])
        return node

    for pool in graph.nodes:
        if pool.kind != "MaxPool" or "auto_pad" in pool.attributes:
            continue
        pad = above(pool.inputs[0], ("Transpose", "Cast", "Identity"))
        if pad is None or pad.kind != "Pad":
            continue
        value = scalars.get(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else 0
        source = above(pad.inputs[0], _KEEP_THE_SIGN)
        positive = source is not None and (
            source.kind in _NEVER_NEGATIVE
            or (
                source.kind == "Clip"
                and len(source.inputs) > 1
                and scalars.get(source.inputs[1], -1) >= 0
            )
        )
        if value == 0 and not positive:
            return True
    return False


def _columns(path: Path) -> Iterator[int]:
    """The number of outputs of each product with quantized weights."""
    graph = onnx_file.read_graph(path)
    made = {tensor: node for node in graph.nodes for tensor in node.outputs}
    for node in graph.nodes:
        if node.kind not in _PRODUCTS:
            continue
        position = 3 if node.kind.startswith("Q") else 1
        weights = made.get(node.inputs[position]) if len(node.inputs) > position else None
        if position == 1 and (weights is None or weights.kind != "DequantizeLinear"):
            continue
        shape = graph.weights(node, position)
        if shape:
            yield shape[0] if "Conv" in node.kind else shape[-1]
        if node.kind == "Gemm" and shape:  # its weights may be transposed
            yield shape[0]


def narrow_products(path: Path) -> bool:
    """Whether a quantized product has 24 or 28 columns."""
    return any(columns in (24, 28) for columns in _columns(path))


def products(path: Path) -> bool:
    """Whether there is a quantized product."""
    return any(True for _ in _columns(path))


def lengths(path: Path) -> bool:
    """Whether a recurrent operator is told how long its sequences are."""
    return any(
        len(node.inputs) > (position := _RECURRENT.get(node.kind, 99)) and node.inputs[position]
        for node in onnx_file.read_graph(path).nodes
    )


def wide_integers(path: Path) -> bool:
    """Whether activations have 16 bits."""
    return bool({"int16", "uint16"} & onnx_file.read_types(path)[0])


def divides_integers(path: Path) -> bool:
    """Whether a division is computed in int8."""
    return _has(path, {42}, "DIV in int8")


def integer_matrix_products(path: Path) -> bool:
    """Whether two computed matrices are multiplied in int8."""
    return _has(path, {126}, "BATCH_MATMUL in int8")


def half_convolutions(path: Path) -> bool:
    """Whether a convolution has float16 weights."""
    return _has(path, {3, 4}, "CONV_2D") and "float16" in tflite_file.read_types(path)[1]


def _has(path: Path, codes: set[int], part: str) -> bool:
    """Whether a part of a file, in loops too, is named so; its operators' codes are quicker to read."""
    if not codes & tflite_file.read_codes(path):
        return False
    from edgekit_runtimes.formats.least_versions import needs_of  # seldom reached

    return any(part in need.part for need in needs_of(path))
