"""Compiles an ONNX file for a Qualcomm NPU; run as a program, for QNN's libraries end a process on errors.

Usage: python -m edgekit_converters.targets.qnn_context MODEL.onnx CONTEXT.onnx PLACEMENT.json SOC
"""

import json
import sys
from pathlib import Path

_PROVIDER = "QNNExecutionProvider"


def main(model: str, context: str, placement: str, soc: str) -> None:
    """Write the context file, and where each node runs: kind, name and processor.

    Args:
        model: the file.
        context: the file to write; none is where no node runs on the NPU.
        placement: the JSON file to write.
        soc: QNN's number of the system.
    """
    import onnxruntime
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == _PROVIDER]
    options = onnxruntime.SessionOptions()
    for name, value in (
        ("session.record_ep_graph_assignment_info", "1"),
        ("ep.context_enable", "1"),
        ("ep.context_file_path", context),
        ("ep.context_embed_mode", "1"),
    ):
        options.add_session_config_entry(name, value)
    provider = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        "soc_model": soc,
        "offload_graph_io_quantization": "0",
    }
    options.add_provider_for_devices(devices, provider)
    session = onnxruntime.InferenceSession(model, options)
    placed = [
        (node.op_type, node.name, "NPU" if part.ep_name == _PROVIDER else "CPU")
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]
    Path(placement).write_text(json.dumps(placed), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
