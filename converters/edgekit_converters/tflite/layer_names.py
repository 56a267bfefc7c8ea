"""The names of Keras layers in a TFLite file, in which TensorFlow calls them otherwise.

TensorFlow gives each name scope of a graph a name of its own, and Keras enters a layer's scope more than
once: the tensors of layer ``conv2d`` begin with ``conv2d_1/``, and those of ``conv2d_1`` with
``conv2d_1_2/``. So the scope that each layer really is called in is watched while the graph is traced.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgekit_converters.tflite import flatbuffer


@contextmanager
def watched_scopes(model: Any) -> Iterator[dict[str, str]]:
    """Fill a table, while a Keras model is traced, with the name of the layer of each name scope."""
    layers: dict[str, str] = {}
    watched = {id(layer): layer for layer in model._flatten_layers()}.values()

    def watching(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            import tensorflow as tf

            layers[tf.get_current_name_scope()] = layer.name
            return call(*arguments, **named)

        return watched

    for layer in watched:
        vars(layer)["call"] = watching(layer, layer.call)  # past Keras, which tracks attributes
    try:
        yield layers
    finally:
        for layer in watched:
            vars(layer).pop("call", None)


def name_layers(model: Any, layers: Mapping[str, str]) -> None:
    """Name the graphs and the tensors of a TFLite file after layers; of loops, only the layer around them."""
    for graph in model.subgraphs:
        if graph.name is not None:
            graph.name = _renamed(flatbuffer.name(graph), layers).encode()
        for tensor in graph.tensors:
            tensor.name = _renamed(flatbuffer.name(tensor), layers).encode()


def _renamed(name: str, layers: Mapping[str, str]) -> str:
    """Return the name after layers: a fused operator's has several parts, joined by semicolons."""
    return ";".join("/".join(_parts(part.split("/"), layers)) for part in name.split(";"))


def _parts(scopes: list[str], layers: Mapping[str, str]) -> Iterable[str]:
    path = ""
    for scope in scopes:
        if scope in layers:  # the model's own, which Keras may have numbered
            path = scope
            yield "model"
        else:
            path = f"{path}/{scope}" if path else ""
            yield layers.get(path, scope)


def operators_of_layers(model: Any) -> dict[str, list[str]]:
    """Return the operators of each layer that compute real numbers, by the layer's name.

    An operator belongs to the layers that its outputs and its constants are named after: a convolution to
    its own, and to the batch norm that was folded into it. A layer in another is called ``outer/inner``.
    """
    main = model.subgraphs[0]
    found: dict[str, dict[str, None]] = {}
    for operator in main.operators:
        outputs = [main.tensors[index] for index in operator.outputs]
        constants = [
            main.tensors[index]
            for index in operator.inputs
            if index >= 0 and flatbuffer.constant(model, main.tensors[index]) is not None
        ]
        if all(tensor.type != flatbuffer.FLOAT32 for tensor in outputs):
            continue
        first = flatbuffer.name(outputs[0])
        for name in (first, *map(flatbuffer.name, [*outputs, *constants])):
            scopes = name.split("/")[:-1]
            if name == first and not scopes:
                scopes = [name]  # an output of the model is called after its layer
            for end in range(1, len(scopes) + 1):
                found.setdefault("/".join(scopes[:end]), {})[first] = None
    return {layer: list(operators) for layer, operators in found.items()}
