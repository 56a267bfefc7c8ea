"""Which release of TensorFlow Lite and of LiteRT first ran an operator of ``.tflite`` files, in tables.

An operator of a file has a number and a version; a runtime refuses versions that it does not know.
"""

OPERATORS: dict[int, tuple[str, str, int, int]] = {
    0: ("ADD", "1.5 1.14 2.4 2.6 2.13", 2, 3),
    1: ("AVERAGE_POOL_2D", "1.5 1.14 2.3", 2, 3),
    2: ("CONCATENATION", "1.5 1.14 2.3 2.14 2.21", 2, 3),
    3: ("CONV_2D", "1.5 1.14 1.14 2.3 2.4 2.9 2.11 2.15", 3, 4),
    4: ("DEPTHWISE_CONV_2D", "1.5 1.12 1.14 2.2 2.3 2.3 2.11", 3, 5),
    5: ("DEPTH_TO_SPACE", "2.1 2.5", 2, 1),
    6: ("DEQUANTIZE", "1.13.1 1.14 1.15 2.2 2.7 2.18 2.21", 2, 3),
    7: ("EMBEDDING_LOOKUP", "1.13 1.14 1.14 2.18 2.21", 1, 1),
    8: ("FLOOR", "1.9", 1, 1),
    9: ("FULLY_CONNECTED", "1.5 1.10 1.14 1.14 2.0 2.1 2.3 2.3 2.3 2.11 2.15 2.17 2.18 2.21", 4, 7),
    10: ("HASHTABLE_LOOKUP", "1.5", 1, 1),
    11: ("L2_NORMALIZATION", "1.5 1.14", 2, 1),
    12: ("L2_POOL_2D", "1.5", 1, 1),
    13: ("LOCAL_RESPONSE_NORMALIZATION", "1.5", 1, 1),
    14: ("LOGISTIC", "1.14 1.14 2.3", 2, 3),
    15: ("LSH_PROJECTION", "1.5", 1, 1),
    16: ("LSTM", "1.7 1.10 1.14 2.3", 1, 1),
    17: ("MAX_POOL_2D", "1.5 1.14 2.3", 2, 3),
    18: ("MUL", "1.5 1.14 1.15 2.3 2.6 2.11 2.13", 2, 4),
    19: ("RELU", "1.5 2.1 2.5", 2, 3),
    20: ("RELU_N1_TO_1", "1.5", 1, 1),
    21: ("RELU6", "1.5 1.14 2.5", 2, 3),
    22: ("RESHAPE", "1.5", 1, 1),
    23: ("RESIZE_BILINEAR", "1.7 1.14 2.2 2.5", 2, 4),
    24: ("RNN", "1.5 1.14 2.3", 1, 1),
    25: ("SOFTMAX", "1.5 1.14 2.3", 2, 3),
    26: ("SPACE_TO_DEPTH", "1.5 1.14", 2, 1),
    27: ("SVDF", "1.5 1.14 2.2 2.3", 1, 1),
    28: ("TANH", "1.14 1.14 2.3", 2, 3),
    30: ("SKIP_GRAM", "1.5", 1, 1),
    33: ("EMBEDDING_LOOKUP_SPARSE", "1.5", 1, 1),
    34: ("PAD", "1.5 1.14 2.4 2.6 2.20", 2, 3),
    35: ("UNIDIRECTIONAL_SEQUENCE_RNN", "1.14 1.14 2.3", 1, 1),
    36: ("GATHER", "1.6 1.14 1.15 2.4 2.5 2.13 2.15", 2, 4),
    37: ("BATCH_TO_SPACE_ND", "1.6 1.14 2.3 2.12", 2, 4),
    38: ("SPACE_TO_BATCH_ND", "1.6 1.14 2.3 2.12", 2, 4),
    39: ("TRANSPOSE", "1.6 1.14 1.15 2.3 2.4 2.12 2.14.4", 2, 5),
    40: ("MEAN", "1.6 1.14 2.4", 2, 3),
    41: ("SUB", "1.6 1.14 2.3 2.4 2.4", 2, 5),
    42: ("DIV", "1.6 2.3", 1, 1),
    43: ("SQUEEZE", "1.6 2.5", 1, 1),
    44: ("UNIDIRECTIONAL_SEQUENCE_LSTM", "1.13.1 1.14 2.3 2.12", 1, 1),
    45: ("STRIDED_SLICE", "1.6 1.14 2.1 2.2 2.5 2.6 2.14 2.14", 2, 1),
    46: ("BIDIRECTIONAL_SEQUENCE_RNN", "1.14 1.14 2.3", 1, 1),
    47: ("EXP", "1.7 2.12", 2, 2),
    48: ("TOPK_V2", "1.7 1.14 2.13", 2, 3),
    49: ("SPLIT", "1.5 1.14 1.14 2.3", 2, 4),
    50: ("LOG_SOFTMAX", "1.14 1.14", 2, 1),
    52: ("BIDIRECTIONAL_SEQUENCE_LSTM", "1.14 1.14 1.14", 1, 1),
    53: ("CAST", "1.5 2.7 2.8 2.9 2.12 2.15 2.17 2.21", 3, 1),
    54: ("PRELU", "1.8", 1, 1),
    55: ("MAXIMUM", "1.14 1.14 2.3 2.3", 2, 4),
    56: ("ARG_MAX", "1.9 1.14 2.9", 2, 1),
    57: ("MINIMUM", "1.14 1.14 2.3 2.3", 2, 4),
    58: ("LESS", "1.14 1.14 2.13", 2, 3),
    59: ("NEG", "1.9", 1, 1),
    60: ("PADV2", "1.9 1.14 2.4 2.6 2.20", 2, 3),
    61: ("GREATER", "1.14 1.14", 2, 1),
    62: ("GREATER_EQUAL", "1.14 1.14 2.13", 2, 3),
    63: ("LESS_EQUAL", "1.14 1.14", 2, 1),
    64: ("SELECT", "1.14 1.14 2.12 2.12", 2, 1),
    65: ("SLICE", "1.14 1.14 1.14 2.4 2.5 2.14 2.21", 2, 4),
    66: ("SIN", "1.9", 1, 1),
    67: ("TRANSPOSE_CONV", "1.9 2.2 2.3 2.13 2.15", 2, 3),
    68: ("SPARSE_TO_DENSE", "1.9 1.14 1.15", 1, 1),
    69: ("TILE", "1.10.1 2.2 2.8", 3, 1),
    70: ("EXPAND_DIMS", "1.10", 1, 1),
    71: ("EQUAL", "1.14 1.14 2.3 2.13 2.21", 2, 5),
    72: ("NOT_EQUAL", "1.14 1.14 2.3 2.21", 2, 4),
    73: ("LOG", "1.14 2.15", 2, 2),
    74: ("SUM", "1.10 1.15", 2, 1),
    75: ("SQRT", "1.10 2.21", 2, 2),
    76: ("RSQRT", "1.10 2.5 2.15", 2, 3),
    77: ("SHAPE", "1.10", 1, 1),
    78: ("POW", "1.10", 1, 1),
    79: ("ARG_MIN", "1.9 1.14 2.9", 2, 1),
    80: ("FAKE_QUANT", "1.5 1.10", 1, 1),
    81: ("REDUCE_PROD", "1.11 2.6", 2, 2),
    82: ("REDUCE_MAX", "1.11 1.14 2.5", 2, 3),
    83: ("PACK", "1.11 1.14 2.3 2.13", 2, 3),
    84: ("LOGICAL_OR", "1.11", 1, 1),
    85: ("ONE_HOT", "1.11", 1, 1),
    86: ("LOGICAL_AND", "1.11", 1, 1),
    87: ("LOGICAL_NOT", "1.11", 1, 1),
    88: ("UNPACK", "1.11 1.14 2.2 2.3", 2, 4),
    89: ("REDUCE_MIN", "1.11 1.14 2.5", 2, 3),
    90: ("FLOOR_DIV", "1.14 1.14 2.13", 3, 3),
    91: ("REDUCE_ANY", "1.11", 1, 1),
    92: ("SQUARE", "1.12", 1, 1),
    93: ("ZEROS_LIKE", "1.12", 1, 1),
    94: ("FILL", "1.13 2.3 2.5 2.12", 3, 3),
    95: ("FLOOR_MOD", "1.13 2.13", 2, 2),
    96: ("RANGE", "1.13 2.14", 1, 1),
    97: ("RESIZE_NEAREST_NEIGHBOR", "1.13.1 1.14 2.3 2.4", 2, 4),
    98: ("LEAKY_RELU", "1.13.1 2.3", 1, 2),
    99: ("SQUARED_DIFFERENCE", "1.13.1 2.5", 2, 1),
    100: ("MIRROR_PAD", "1.13.1 2.3 2.12", 2, 3),
    101: ("ABS", "1.13 2.4 2.5 2.6 2.12", 2, 3),
    102: ("SPLIT_V", "1.13.1 2.3", 2, 1),
    103: ("UNIQUE", "1.14", 1, 1),
    104: ("CEIL", "1.14", 1, 1),
    105: ("REVERSE_V2", "1.14 2.2 2.5", 3, 1),
    106: ("ADD_N", "1.14", 1, 1),
    107: ("GATHER_ND", "1.14 2.3 2.5 2.13 2.16", 1, 3),
    108: ("COS", "1.14", 1, 1),
    109: ("WHERE", "1.14 2.8", 1, 1),
    110: ("RANK", "1.14", 1, 1),
    111: ("ELU", "1.14", 1, 1),
    112: ("REVERSE_SEQUENCE", "1.14", 1, 1),
    113: ("MATRIX_DIAG", "1.14", 1, 1),
    114: ("QUANTIZE", "1.14 1.15 2.7 2.21", 1, 2),
    115: ("MATRIX_SET_DIAG", "1.14", 1, 1),
    116: ("ROUND", "1.14", 1, 1),
    117: ("HARD_SWISH", "1.15", 1, 1),
    118: ("IF", "1.15", 1, 1),
    119: ("WHILE", "1.15", 1, 1),
    120: ("NON_MAX_SUPPRESSION_V4", "2.1", 1, 1),
    121: ("NON_MAX_SUPPRESSION_V5", "2.1", 1, 1),
    122: ("SCATTER_ND", "2.1", 1, 1),
    123: ("SELECT_V2", "2.2 2.12", 1, 1),
    124: ("DENSIFY", "2.2", 1, 1),
    125: ("SEGMENT_SUM", "2.2", 1, 1),
    126: ("BATCH_MATMUL", "2.3 2.3 2.4 2.5", 2, 3),
    128: ("CUMSUM", "2.4", 1, 1),
    129: ("CALL_ONCE", "2.5", 1, 1),
    130: ("BROADCAST_TO", "- 2.5 2.5", 3, 3),
    131: ("RFFT2D", "2.5", 1, 1),
    132: ("CONV_3D", "2.5", 1, 1),
    133: ("IMAG", "2.5", 1, 1),
    134: ("REAL", "2.5", 1, 1),
    135: ("COMPLEX_ABS", "2.5", 1, 1),
    136: ("HASHTABLE", "2.5", 1, 1),
    137: ("HASHTABLE_FIND", "2.5", 1, 1),
    138: ("HASHTABLE_IMPORT", "2.5", 1, 1),
    139: ("HASHTABLE_SIZE", "2.5", 1, 1),
    140: ("REDUCE_ALL", "2.6", 1, 1),
    141: ("CONV_3D_TRANSPOSE", "2.6", 1, 1),
    142: ("VAR_HANDLE", "2.6", 1, 1),
    143: ("READ_VARIABLE", "2.6", 1, 1),
    144: ("ASSIGN_VARIABLE", "2.6", 1, 1),
    145: ("BROADCAST_ARGS", "2.6", 1, 1),
    146: ("RANDOM_STANDARD_NORMAL", "2.8", 1, 1),
    147: ("BUCKETIZE", "2.8", 1, 1),
    148: ("RANDOM_UNIFORM", "2.8", 1, 1),
    149: ("MULTINOMIAL", "2.8", 1, 1),
    150: ("GELU", "2.9 2.9", 2, 1),
    151: ("DYNAMIC_UPDATE_SLICE", "2.9 2.17 2.19 2.20 2.21", 1, 4),
    152: ("RELU_0_TO_1", "2.10", 1, 1),
    153: ("UNSORTED_SEGMENT_PROD", "2.10", 1, 1),
    154: ("UNSORTED_SEGMENT_MAX", "2.10", 1, 1),
    155: ("UNSORTED_SEGMENT_SUM", "2.10", 1, 1),
    156: ("ATAN2", "2.10", 1, 1),
    157: ("UNSORTED_SEGMENT_MIN", "2.11", 1, 1),
    158: ("SIGN", "2.11 2.12", 1, 1),
    159: ("BITCAST", "2.13", 1, 1),
    160: ("BITWISE_XOR", "2.13", 1, 1),
    161: ("RIGHT_SHIFT", "2.13", 1, 1),
    163: ("STABLEHLO_ADD", "2.16", 1, 1),
    165: ("STABLEHLO_MULTIPLY", "2.16", 1, 1),
    166: ("STABLEHLO_MAXIMUM", "2.16", 1, 1),
    176: ("STABLEHLO_AND", "2.17", 1, 1),
    181: ("STABLEHLO_MINIMUM", "2.16", 1, 1),
    190: ("STABLEHLO_SCATTER", "2.15", 1, 1),
    195: ("STABLEHLO_PAD", "2.16", 1, 1),
    198: ("STABLEHLO_REDUCE_WINDOW", "2.16", 1, 1),
    201: ("STABLEHLO_GATHER", "2.16", 1, 1),
    203: ("DILATE", "2.15", 1, 1),
    204: ("STABLEHLO_RNG_BIT_GENERATOR", "2.15", 1, 1),
    205: ("REDUCE_WINDOW", "2.15", 1, 1),
    206: ("STABLEHLO_COMPOSITE", "2.17", 1, 1),
    207: ("STABLEHLO_SHIFT_LEFT", "2.17", 1, 1),
    209: ("STABLEHLO_CASE", "2.17", 1, 1),
}
"""Each builtin operator, by its number: its name, the release of TensorFlow Lite that brought its version
1, 2, 3, ..., the version that computes in int8, and the one that computes in int16.

Names and releases are those of TensorFlow 2.21 (``lite/tools/versioning/runtime_version.cc``); ``-`` is a
version that there never was. Quantizers leave the version that an operator had in float32, so that an old
runtime takes a file for one that it can run; what a type needs is in ``op_version.cc`` beside it.
"""

INT4_WEIGHTS: dict[int, int] = {3: 7, 4: 7, 9: 10}
"""The version of operators whose weights have 4 bits."""

INT8_WEIGHTS: dict[int, tuple[int, int]] = {3: (2, 5), 4: (4, 6), 9: (3, 12)}
"""The version of operators that compute in float32 with int8 weights, of one scale and of one a channel."""

FIRST_LITERT = "1.0"
"""It runs all versions of ``OPERATORS`` but those of ``LITERT``."""

LITERT: dict[int, dict[int, str]] = {
    0: {6: "2.1.6"},  # ADD
    2: {5: "2.1.2", 6: "2.1.6", 7: "2.2"},  # CONCATENATION
    6: {7: "2.1", 8: "2.1.3", 9: "2.2"},  # DEQUANTIZE
    7: {5: "2.1.2"},  # EMBEDDING_LOOKUP
    9: {14: "2.1"},  # FULLY_CONNECTED
    18: {8: "2.1.6"},  # MUL
    25: {4: "2.1.6"},  # SOFTMAX
    34: {5: "2.0.2", 6: "2.2"},  # PAD
    36: {8: "2.2"},  # GATHER
    39: {7: "1.2", 8: "2.1.6", 9: "2.1.6"},  # TRANSPOSE
    49: {5: "2.2"},  # SPLIT
    53: {7: "1.1", 8: "2.1", 9: "2.2"},  # CAST
    60: {5: "2.0.2", 6: "2.2"},  # PADV2
    65: {7: "2.1", 8: "2.1.6"},  # SLICE
    66: {2: "2.1.6"},  # SIN
    71: {5: "2.1"},  # EQUAL
    72: {4: "2.1"},  # NOT_EQUAL
    75: {2: "2.0.2"},  # SQRT
    83: {5: "2.2"},  # PACK
    88: {5: "2.1.3", 6: "2.2"},  # UNPACK
    94: {5: "2.2"},  # FILL
    102: {3: "2.2"},  # SPLIT_V
    105: {4: "2.2"},  # REVERSE_V2
    107: {6: "2.2"},  # GATHER_ND
    108: {2: "2.1.6"},  # COS
    114: {4: "2.1", 5: "2.1.3", 6: "2.1.3"},  # QUANTIZE
    130: {4: "2.2"},  # BROADCAST_TO
    150: {3: "2.1.6"},  # GELU
    151: {3: "1.1", 4: "1.3", 5: "2.1.2", 6: "2.1.6"},  # DYNAMIC_UPDATE_SLICE
    176: {1: "1.1"},  # STABLEHLO_AND
    207: {1: "1.1"},  # STABLEHLO_SHIFT_LEFT
    209: {1: "1.1"},  # STABLEHLO_CASE
}
"""The release of LiteRT that brought a version of an operator, where ``FIRST_LITERT`` lacks it.

Found by giving every release of ``ai-edge-litert`` up to 2.3.0 a file with each version of each operator.
"""

BY_TYPE: dict[tuple[int, str], dict[str, str]] = {
    (42, "int8"): {"litert": "1.4"},
    (67, "int8 weights"): {"litert": "1.0"},  # TensorFlow Lite 2.14 refuses it
    (150, "int16"): {"litert": "1.3"},
}
"""The releases that run an operator on a type for which it has no version of its own.

Found by running files in each release of ``ai-edge-litert``, and in ``tflite-runtime`` 2.14. TensorFlow's
releases between them were not tried.
"""
