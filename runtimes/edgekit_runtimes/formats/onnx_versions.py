"""Which release of ONNX Runtime first opened what an ``.onnx`` file is stamped with, in tables."""

IR: dict[int, str] = {
    7: "1.6",
    8: "1.10",
    9: "1.15",
    10: "1.18",
    11: "1.23",
    13: "1.24",
    14: "1.32",
}
"""The release that first opens a version of the file format, and those below it."""

OPSETS: dict[str, dict[int, str]] = {
    "": {
        13: "1.7",
        14: "1.8",
        15: "1.10",
        16: "1.11",
        17: "1.12",
        18: "1.14",
        19: "1.16",  # 1.15 opens it, and lacks the kernels
        20: "1.17",
        21: "1.18",
        22: "1.21",
        23: "1.23",
        25: "1.24",
        26: "1.25",
        28: "1.32",
    },
    "ai.onnx.ml": {2: "1.7", 3: "1.11", 4: "1.17", 5: "1.18"},
    "com.microsoft": {1: "1.7"},
}
"""The same for the versions of each domain's operators. ``ai.onnx`` is another name of the first.

From 1.15 on as found with each minor release; before that as ONNX Runtime's list of releases has it.
"""

MICROSOFT: dict[str, str] = {"QuantizeLinear": "1.18", "DequantizeLinear": "1.18"}
"""The release that first computes an operator of ``com.microsoft`` rightly in 16 bits, as edgekit writes it.

1.16 opens none of these files, and 1.17 is wrong on dense layers (``known_faults.py``).
"""
