"""Compiles a file to a blob by OpenVINO; run as a program, for native code may end the process.

Usage: python -m edgekit_converters.targets.openvino_blob MODEL BLOB DEVICE PLATFORM
"""

import sys
from pathlib import Path


def main(model: str, blob: str, device: str, platform: str) -> None:
    """Write the blob.

    Args:
        model: the file.
        blob: the file to write.
        device: OpenVINO's name of it.
        platform: of the NPU, as a number; any other device does without.
    """
    import openvino

    # The compiler of the driver needs the NPU; the one in the plug-in compiles for any.
    options = {"NPU_PLATFORM": platform, "NPU_COMPILER_TYPE": "PLUGIN"} if device == "NPU" else {}
    compiled = openvino.Core().compile_model(model, device, options)
    content = compiled.export_model()
    # Older releases return bytes, newer ones a stream.
    Path(blob).write_bytes(content if isinstance(content, bytes) else content.getvalue())


if __name__ == "__main__":
    main(*sys.argv[1:])
