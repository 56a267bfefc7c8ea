"""Lifting out of a TFLite file, before tf2onnx reads it, what tf2onnx does badly.

tf2onnx copies constants again and again: a model of 553 MB took over 20 GB. So it gets a file whose
graph takes the weights as inputs. Loops that ONNX has an operator for become an operator that tf2onnx
does not know and so leaves as it is.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.recurrent_match import Cells
from edgekit_converters.onnx.transforms import write_transforms
from edgekit_converters.tflite import flatbuffer

STAND_IN = "CELL_"
"""The operator in the place of a loop, followed by its body's index; tf2onnx puts ``TFL_`` before."""


def lift_weights(
    graph: Path, bare: Path, cells: Cells
) -> tuple[dict[str, Array], list[str], dict[str, tuple[int, ...]]]:
    """Write the graph with its float constants as inputs, and its ``cells`` as stand-in operators.

    Args:
        graph: the float TFLite file.
        bare: the file to write.
        cells: from ``find_cells``.

    Returns:
        The constants by name, the names of the outputs, and every tensor's shape.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    if cells.by_body:
        _lift_cells(model, cells)
    write_transforms(model)
    lifted: dict[str, Array] = {}
    inputs = list(main.inputs)
    for index, tensor in enumerate(main.tensors):
        value = flatbuffer.constant(model, tensor)
        if value is None or tensor.type != flatbuffer.FLOAT32 or value.size < 2:
            continue
        lifted[flatbuffer.name(tensor)] = value
        tensor.buffer = 0  # the empty one, by the format's rule
        inputs.append(index)
    main.inputs = inputs
    model.signatureDefs = []
    _flatten_dense_inputs(model)
    flatbuffer.write(model, bare)
    shapes = {flatbuffer.name(t): flatbuffer.shape(t) for t in main.tensors}
    return lifted, [flatbuffer.name(main.tensors[i]) for i in main.outputs], shapes


def _lift_cells(model: Any, cells: Cells) -> None:
    """Replace loops by operators from sequence and state to state and outputs; drop their graphs.

    Every tensor gets its shape: tf2onnx would get it from LiteRT, which cannot run these operators.
    """
    main = model.subgraphs[0]
    for tensor, shape in zip(main.tensors, cells.shapes, strict=True):
        tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
    kept = [0]
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) != flatbuffer.WHILE:
            continue
        options = operator.builtinOptions
        cell = cells.by_body.get(options.bodySubgraphIndex)
        if cell is None:
            for end in ("condSubgraphIndex", "bodySubgraphIndex"):
                kept.append(getattr(options, end))
                setattr(options, end, len(kept) - 1)
            continue
        code = flatbuffer.add_operator_code(model, flatbuffer.CUSTOM)
        code.customCode = f"{STAND_IN}{options.bodySubgraphIndex}".encode()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        mask = () if cell.mask is None else (cell.mask,)
        operator.inputs = [operator.inputs[i] for i in (cell.sequence, *cell.states, *mask)]
        listed = -1 if cell.listed is None else operator.outputs[cell.listed]
        operator.outputs = [*(operator.outputs[i] for i in cell.states), listed]
    model.subgraphs = [model.subgraphs[number] for number in kept]


def _flatten_dense_inputs(model: Any) -> None:
    """Insert the reshape that FULLY_CONNECTED does implicitly.

    tf2onnx inserts it too, and loses the bias.
    """
    main = model.subgraphs[0]
    operators = []
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) == flatbuffer.FULLY_CONNECTED:
            source = main.tensors[operator.inputs[0]]
            depth = flatbuffer.shape(main.tensors[operator.inputs[1]])[1]
            options = operator.builtinOptions
            if len(flatbuffer.shape(source)) != 2 and not options.keepNumDims:
                flat = (int(np.prod(flatbuffer.shape(source))) // depth, depth)
                name = f"{flatbuffer.name(source)}_flat_{len(main.tensors)}"
                reshape = flatbuffer.add_reshape(model, operator.inputs[0], name, flat)
                operator.inputs = [reshape.outputs[0], *operator.inputs[1:]]
                operators.append(reshape)
        operators.append(operator)
    main.operators = operators
