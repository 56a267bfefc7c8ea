"""What a logarithm is taken of, which stays in float in quantized files.

Integers have an even step, and a logarithm looks at ratios: what lies below half a step becomes 0, the small number
under which a Keras layer lets nothing fall included, and has no logarithm at all. So the operators before a LOG compute in
float, back to a layer with a bias or an activation: through the transforms that a spectrogram is made of, which are
convolutions and matrix products without.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.tflite import flatbuffer

_LOG = 73
_PLAIN = frozenset({
    *(0, 18, 41, 42, 101, 59, 55, 57, 75, 92, 78),  # ADD MUL SUB DIV ABS NEG MAXIMUM MINIMUM SQRT SQUARE POW
    *(22, 39, 70, 43, 45, 65, 2, 83, 34, 60),  # layouts: RESHAPE TRANSPOSE ... CONCATENATION PACK PAD PADV2
    *(40, 74, 82, 89, 1, 17, 25, 14, 47),  # MEAN SUM REDUCE_MAX REDUCE_MIN pools SOFTMAX LOGISTIC EXP
})  # fmt: skip
_WEIGHTED = frozenset({3, 4, 9, 126})  # CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED BATCH_MATMUL


def before_logarithms(graph: Path) -> list[str]:
    """Return the results of operators that only matter to a float graph by their logarithm, by name.

    They and all that they are computed from, back to a trained layer or a loop.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    maker = {index: op for op in main.operators for index in op.outputs}
    waiting = [
        index
        for operator in main.operators
        if flatbuffer.opcode(model, operator) == _LOG
        for index in operator.inputs
    ]
    found: dict[int, str] = {}
    while waiting:
        operator = maker.get(index := waiting.pop())
        if operator is None or index in found:
            continue
        kind = flatbuffer.opcode(model, operator)
        if kind in _PLAIN or (kind in _WEIGHTED and not _is_trained(model, operator)):
            found[index] = flatbuffer.name(main.tensors[index])
            waiting += [i for i in operator.inputs if i >= 0]
    return list(found.values())


def _is_trained(model: Any, operator: Any) -> bool:
    """Return whether an operator with weights has a bias or an activation."""
    if getattr(operator.builtinOptions, "fusedActivationFunction", 0):
        return True
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return False
    bias = flatbuffer.constant(model, model.subgraphs[0].tensors[operator.inputs[2]])
    return bias is None or bool(np.any(bias))
