"""Writing scales and integers into an ONNX graph, as QuantizeLinear and DequantizeLinear.

Everything is unsigned: a TFLite int8 value q is the uint8 value q + 128, at the same scale. Only the weights
of transposed convolutions stay as they are in the TFLite file.
"""

import json
from typing import Any

import numpy as np

from edgekit_converters.base import Array, InterfaceType
from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.tflite.quantized_operators import Constant, Scale

METADATA_KEY = "edgekit.quantization"
"""The metadata entry for the scales of integer inputs and outputs: ONNX has no field for them."""

UNQUANTIZED = "_unquantized"
"""Behind the name of an output: what is quantized to become it."""

_MICROSOFT = "com.microsoft"
"""Its QuantizeLinear takes 16 bits. ONNX's does from opset 21 on."""


_LONG = 512
"""How many equal scales a file holds at most: more are channels of no layer."""


class QuantizationWriter:
    """Writes scales and integers into a graph, equal ones only once."""

    def __init__(self, graph: GraphEditor, interface: InterfaceType) -> None:
        self.graph, self.interface = graph, interface
        self.pairs: dict[tuple[str, Scale], tuple[str, str]] = {}
        self.spread: dict[tuple[str, Scale], str] = {}
        self.constants: dict[tuple[tuple[str, ...], int | None], str] = {}
        self.rows: dict[tuple[str, bytes, int], str] = {}
        self.ends: dict[str, dict[str, float]] = {}
        self.wide = False

    def pair(self, value: str, scale: Scale) -> str:
        """Return the value after a QuantizeLinear and a DequantizeLinear."""
        return self._pair(value, scale)[1]

    def pair_along(self, value: str, scale: Scale, axis: int, size: int) -> str:
        """Return the same, with the scale once for each of ``size`` places along an axis of the value.

        ONNX Runtime quantizes the float weights of a Conv or Gemm between a DequantizeLinear and a
        QuantizeLinear by itself (its ``WeightBiasQuantization``), with one scale for all channels. It
        leaves them alone behind a DequantizeLinear of more than one scale. A long row of them is made by
        the file as it is opened: for raw sound, it would be larger than the weights.
        """
        if (value, scale) not in self.spread:
            integers, _ = self._pair(value, scale)
            zero = _zero_point(scale)
            numbers = [
                self._repeated(np.array([number], kind), size)
                for number, kind in ((scale.scale, np.float32), (zero, zero.dtype))
            ]
            made = self._add(
                "DequantizeLinear", [integers, *numbers], "", zero.dtype, {"axis": axis}
            )
            self.spread[value, scale] = made
        return self.spread[value, scale]

    def _repeated(self, number: Array, size: int) -> str:
        """Return a row of one number, which is a constant where it is short."""
        from onnx import numpy_helper

        if size <= _LONG:
            return self.graph.shared(number.repeat(size))
        key = (number.dtype.str, number.tobytes(), size)
        if key not in self.rows:
            self.rows[key] = self.graph.node(
                "ConstantOfShape",
                [self.graph.shared(np.array([size], np.int64))],
                attributes={"value": numpy_helper.from_array(number)},
            )
        return self.rows[key]

    def _pair(self, value: str, scale: Scale) -> tuple[str, str]:
        if (value, scale) not in self.pairs:
            numbers, kind = self._numbers(scale), _zero_point(scale).dtype
            integers = value
            if self.interface == "int8" and value in self.graph.inputs:
                self._retype(next(i for i in self.graph.graph.input if i.name == value), scale)
            else:
                integers = self._add("QuantizeLinear", [value, *numbers], "", kind)
            real = self._add("DequantizeLinear", [integers, *numbers], "", kind)
            self.pairs[value, scale] = integers, real
        return self.pairs[value, scale]

    def end(self, output: Any, scale: Scale) -> None:
        """Quantize an output of the graph, which keeps its name."""
        name, inner = output.name, f"{output.name}{UNQUANTIZED}"
        if inner in self.graph.outputs:
            inner = f"{name}/unquantized"
        self.graph.rename(name, inner)
        numbers, kind = self._numbers(scale), _zero_point(scale).dtype
        if self.interface == "int8":
            self._retype(output, scale)
            self._add("QuantizeLinear", [inner, *numbers], name, kind)
        else:
            integers = self._add("QuantizeLinear", [inner, *numbers], "", kind)
            self._add("DequantizeLinear", [integers, *numbers], name, kind)

    def constant(
        self,
        name: str,
        values: Array,
        constant: Constant,
        axis: int | None,
        *,
        signed: bool = False,
    ) -> str:
        """Add an integer constant; return the name of its float32 value.

        ``signed`` leaves 8-bit values as they are.
        """
        if values.dtype == np.int64:  # the bias of a 16-bit layer: wider than ONNX can quantize
            return name
        scales, zero = constant.scales, constant.zero_point
        if values.dtype == np.int8 and not signed:
            values, zero = (values.astype(np.int16) + 128).astype(np.uint8), zero + 128
        if axis is None:
            scales = scales.reshape(-1)[0]
        integers = self.graph.constant(f"{name}_q", np.ascontiguousarray(values))
        scale = self.graph.shared(np.asarray(scales, np.float32))
        operands = [integers, scale]
        if values.dtype != np.int32:  # for which ONNX knows none
            operands.append(self.graph.shared(np.full(np.shape(scales), zero, values.dtype)))
        attributes = {} if axis is None else {"axis": axis}
        key = tuple(operands), axis
        if key not in self.constants:
            self.constants[key] = self._add(
                "DequantizeLinear", operands, "", values.dtype, attributes
            )
        return self.constants[key]

    def describe(self, model: Any) -> None:
        """Add to the model the operator set and the metadata that its quantization needs."""
        from onnx import helper

        if self.wide and all(o.domain != _MICROSOFT for o in model.opset_import):
            model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
        if self.ends:
            helper.set_model_props(model, {METADATA_KEY: json.dumps(self.ends)})

    def _numbers(self, scale: Scale) -> tuple[str, str]:
        number = np.array(scale.scale, np.float32)
        return self.graph.shared(number), self.graph.shared(_zero_point(scale))

    def _retype(self, port: Any, scale: Scale) -> None:
        from onnx import helper

        zero = _zero_point(scale)
        port.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(zero.dtype)
        self.ends[port.name] = {"scale": scale.scale, "zero_point": int(zero)}

    def _add(
        self,
        kind: str,
        inputs: list[str],
        output: str,
        kind_of: np.dtype[Any],
        attributes: dict[str, int] | None = None,
    ) -> str:
        wide = kind_of == np.int16
        self.wide = self.wide or wide
        return self.graph.node(
            kind, inputs, output, domain=_MICROSOFT if wide else "", attributes=attributes
        )


def _zero_point(scale: Scale) -> Array:
    if scale.bits == 16:
        return np.array(scale.zero_point, np.int16)
    return np.array(scale.zero_point + 128, np.uint8)
