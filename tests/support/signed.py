"""ONNX files with signed weights, and the outputs of ONNX Runtime itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import numpy_helper

from edgekit_runtimes.engines.signed_weights import with_signed_weights

Array = npt.NDArray[Any]


def outputs(
    source: Path | bytes, samples: Mapping[str, Array], *, as_written: bool = False
) -> list[Array]:
    """The outputs of ONNX Runtime itself, one sample a call."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if as_written:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    takes = [i.name for i in session.get_inputs()]
    count = len(samples[takes[0]])
    return [
        np.stack(values)
        for values in zip(
            *(
                session.run(None, {n: samples[n][i : i + 1] for n in takes})
                for i in range(min(count, 100))
            ),
            strict=True,
        )
    ]


def signed(path: Path) -> tuple[onnx.ModelProto, int]:
    changed = with_signed_weights(path)
    assert changed is not None
    return onnx.load_from_string(changed.content), changed.count


def initializers(model: onnx.ModelProto) -> dict[str, Array]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
