"""A small ONNX file of random numbers, with the names and shapes that one wants."""

from pathlib import Path
from typing import Any

import numpy as np


def write_plain(
    path: Path,
    *,
    given: str = "image",
    shape: tuple[int, ...] = (8, 8, 1),
    made: str = "digit",
    classes: int = 10,
) -> np.ndarray[Any, Any]:
    """One matrix product and softmax; its weights."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    weights = (
        np.random.default_rng(7).normal(size=(int(np.prod(shape)), classes)).astype(np.float32)
    )
    nodes = [
        helper.make_node("Flatten", [given], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], [made]),
    ]
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, [None, *shape])],
        [helper.make_tensor_value_info(made, TensorProto.FLOAT, [None, classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, path)
    return weights
