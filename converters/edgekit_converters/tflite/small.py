"""What a quantized TFLite file can do without: in a small one it outweighs the weights."""

from typing import Any

from edgekit_converters.tflite import flatbuffer

_OF_CONVERTER = b"CONVERSION_METADATA"
"""How TFLiteConverter made the float file, which is not how this one was made."""

_SHORT = 4096
"""Bytes of a constant up to which an equal one is looked for."""


def make_small(model: Any) -> None:
    """Take from a quantized ``ModelT`` what no runtime needs.

    The names of biases, shapes and other small constants become numbers, as in loops; those of weights
    and of computed tensors stay, for reports name layers by them. Equal constants are stored once.
    """
    model.metadata = [entry for entry in model.metadata or [] if entry.name != _OF_CONVERTER]
    stored: dict[bytes, int] = {}
    for graph in model.subgraphs:
        ends = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            shape = flatbuffer.shape(tensor)
            # It tells a scalar from a tensor of unknown rank; any other has its shape for that.
            tensor.hasRank = tensor.hasRank and not shape
            value = model.buffers[tensor.buffer].data
            if value is None or not len(value):
                continue
            if len(value) <= _SHORT:
                tensor.buffer = stored.setdefault(bytes(value), tensor.buffer)
            if graph is model.subgraphs[0] and index not in ends and len(shape) < 2:
                tensor.name = f"0/{index}".encode()
