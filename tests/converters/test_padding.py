"""Zeros around negative values before max pooling, which ONNX Runtime up to 1.31 would fuse away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo

import edgekit_converters
from edgekit_converters import PRECISIONS, load_model
from edgekit_runtimes import open_model


def behind(activation: Any, width: Any = 1, window: Any = 3, **pooling: Any) -> Callable[[], Any]:
    """A max pooling of zeros and of what a convolution gives after an activation."""

    def build() -> Any:
        import keras
        from keras import layers

        x = layers.Input((12, 12, 2), name="x")
        y = layers.Conv2D(3, 3, bias_initializer=keras.initializers.Constant(-2))(x)
        y = layers.Activation(activation)(y) if activation else y
        return keras.Model(
            x, layers.MaxPooling2D(window, **pooling)(layers.ZeroPadding2D(width)(y))
        )

    return build


def fused_by_onnx_runtime(path: Path) -> list[str]:
    """Returns the max poolings that PadFusion of ONNX Runtime up to 1.31 takes a Pad into."""
    import onnx

    graph = onnx.load(str(path)).graph
    producer = {port: node for node in graph.node for port in node.output}
    fused = []
    for node in graph.node:
        attributes = {a.name for a in node.attribute}
        if node.op_type == "MaxPool" and "auto_pad" not in attributes:
            above = producer.get(node.input[0])
            while above is not None and above.op_type in ("Transpose", "Cast", "Identity"):
                above = producer.get(above.input[0])
            if above is not None and above.op_type == "Pad":
                fused.append(node.name)
    return fused


@pytest.mark.parametrize(
    ("build", "fused"),
    [
        pytest.param(zoo.padded_max_pool, False, id="negative"),
        pytest.param(behind("tanh"), False, id="tanh"),
        pytest.param(behind("relu"), True, id="relu"),
        pytest.param(behind("relu6", ((0, 1), (1, 0))), True, id="relu6, uneven"),
        pytest.param(behind("sigmoid"), True, id="sigmoid"),
        pytest.param(behind("relu", 2, 2), False, id="as wide as the window"),
        pytest.param(
            behind("tanh", 1, (2, 3), strides=(4, 2), padding="same"), False, id="strides of more"
        ),
    ],
)
def test_zeros_are_fused_into_a_max_pooling_only_where_it_is_exact(
    build: Callable[[], Any], fused: bool, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    build().save(tmp_path / "model.keras")
    model = load_model(str(tmp_path / "model.keras"))
    x = zoo.samples(model, 24)["x"]
    paths = {p: tmp_path / f"{p}.onnx" for p in PRECISIONS}
    edgekit_converters.convert(
        model,
        {("onnx", p): path for p, path in paths.items()},
        [{"x": v} for v in x],
        scratch=tmp_path,
    )
    expected = model.predict([x], verbose=0)
    for precision, path in paths.items():
        assert bool(fused_by_onnx_runtime(path)) == (fused and precision not in ("int8", "int16x8"))
        with open_model(path) as session:
            got = session.run(x)
        tolerance = {"float32": 1e-5, "float16": 1e-2}.get(precision, 0.1)
        np.testing.assert_allclose(got, expected, atol=tolerance * abs(expected).max())
