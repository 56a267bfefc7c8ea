"""Zero padding before max pooling, kept out of ONNX Runtime's PadFusion.

Up to 1.31 that optimization takes the zeros for padding of the pooling itself, which is minus infinity:
where all other values of a window are negative, their maximum comes out instead of zero. And where the
zeros are as wide as the window, the fused file does not open.
"""

from typing import Any

from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.onnx.weights import LAYOUT

_NEVER_NEGATIVE = frozenset({"Relu", "Sigmoid", "Softmax", "Clip"})
_KEEP_THE_SIGN = LAYOUT | {"MaxPool", "AveragePool"}


def keep_zeros_before_max_pools(graph: Any) -> None:
    """Rewrite max poolings of zero-padded values as equal ones that PadFusion leaves alone.

    It leaves alone those whose padding is given by ``auto_pad``. Where the padded values cannot be
    negative, fusing is exact, and faster: these stay as they are.
    """
    from onnx import helper, numpy_helper

    editor = GraphEditor(graph)
    scalars_and_pads = {i.name: i for i in graph.initializer if len(i.dims) <= 1}

    def constant(node: Any, position: int) -> Any | None:
        name = node.input[position] if position < len(node.input) else ""
        found = scalars_and_pads.get(name)
        return None if found is None else numpy_helper.to_array(found)

    def cannot_be_negative(value: str) -> bool:
        node = _above(editor, value, _KEEP_THE_SIGN)
        if node is None or node.op_type not in _NEVER_NEGATIVE:
            return False
        low = constant(node, 1)
        return node.op_type != "Clip" or (low is not None and bool(low >= 0))

    nodes = []
    for node in graph.node:
        nodes.append(node)
        pad = _above(editor, node.input[0], LAYOUT) if node.op_type == "MaxPool" else None
        if pad is None or pad.op_type != "Pad":
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        window, own = attributes["kernel_shape"], attributes.get("pads", [])
        widths = constant(pad, 1)
        if (
            widths is not None
            and max(widths) + max(own, default=0) < min(window)
            and cannot_be_negative(pad.input[0])
        ):
            continue
        if any(own) and any(s > k for s, k in zip(attributes["strides"], window, strict=True)):
            # ONNX Runtime 1.31 computes a negative SAME padding here. A Max of one value copies it.
            copied = f"{node.output[0]}/padded"
            nodes.insert(-1, helper.make_node("Max", [node.input[0]], [copied]))
            node.input[0] = copied
            continue
        kept = [a for a in node.attribute if a.name not in ("pads", "auto_pad")]
        del node.attribute[:]
        # tf2onnx wrote TensorFlow's SAME as pads, with the odd one at the end.
        automatic = "SAME_UPPER" if any(own) else "VALID"
        node.attribute.extend([*kept, helper.make_attribute("auto_pad", automatic)])
    del graph.node[:]
    graph.node.extend(nodes)


def _above(editor: GraphEditor, value: str, passed: frozenset[str]) -> Any | None:
    """Return the node that computes a value, beyond the operators to pass."""
    node = editor.producer.get(value)
    while node is not None and node.op_type in passed:
        node = editor.producer.get(node.input[0])
    return node
