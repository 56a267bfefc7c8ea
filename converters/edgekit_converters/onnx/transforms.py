"""Fourier transforms as products with their matrices: tf2onnx knows only the absolute value of TFLite's."""

from typing import Any

import numpy as np

from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import FULLY_CONNECTED, RESHAPE

_RFFT2D, _IMAG, _REAL = 131, 133, 134


def write_transforms(model: Any) -> None:
    """Replace the REAL and the IMAG of an RFFT2D along one axis by a product with cosines, or sines.

    The complex values go where nothing reads them any more.
    """
    main = model.subgraphs[0]
    makers = {index: operator for operator in main.operators for index in operator.outputs}
    operators: list[Any] = []
    for operator in main.operators:
        kind = flatbuffer.opcode(model, operator)
        transform = makers.get(operator.inputs[0]) if kind in (_REAL, _IMAG) else None
        while transform is not None and flatbuffer.opcode(model, transform) == RESHAPE:
            transform = makers.get(transform.inputs[0])
        if transform is None or flatbuffer.opcode(model, transform) != _RFFT2D:
            operators.append(operator)
            continue
        x = transform.inputs[0]
        *_, rows, length = flatbuffer.shape(main.tensors[x])
        sizes = flatbuffer.constant(model, main.tensors[transform.inputs[1]])
        if rows != 1 or sizes is None or list(sizes) != [1, length]:
            operators.append(operator)
            continue
        turns = np.outer(np.arange(length // 2 + 1), np.arange(length)) * (2 * np.pi / length)
        matrix = (np.cos(turns) if kind == _REAL else -np.sin(turns)).astype(np.float32)
        (y,) = operator.outputs
        result = flatbuffer.shape(main.tensors[y])
        called = flatbuffer.name(main.tensors[y])
        count = int(np.prod(result)) // len(matrix)
        weight = flatbuffer.add_tensor(model, f"{called}/waves", matrix.shape, matrix)
        flat = flatbuffer.add_reshape(model, x, f"{called}/rows", (count, length))
        made = flatbuffer.add_tensor(model, f"{called}/products", (count, len(matrix)))
        product = flatbuffer.make_operator(
            model, FULLY_CONNECTED, [flat.outputs[0], weight, -1], [made]
        )
        back = flatbuffer.add_reshape(model, made, f"{called}/back", result)
        back.outputs = [y]
        operators += [flat, product, back]
    if operators == main.operators:
        return
    while True:  # what nothing reads any more: the transform, and changes of its layout
        read = {i for operator in operators for i in operator.inputs} | set(main.outputs)
        kept = [operator for operator in operators if read & set(operator.outputs)]
        if len(kept) == len(operators):
            break
        operators = kept
    main.operators = operators
