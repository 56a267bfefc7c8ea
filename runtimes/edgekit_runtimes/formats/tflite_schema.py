"""The tables of a ``.tflite`` file: what each field is, as ``schema.fbs`` of LiteRT 2.3 has it.

A layout is one word a field, in the order of the schema: ``1 2 4 8`` for a number of so many bytes,
``s`` for a text, ``v4`` for a vector of numbers of four bytes, ``Name`` for a table, ``*Name`` for a
vector of tables, ``|name`` for the table of a union, whose kind is in the field before.
"""

TABLES: dict[str, str] = {
    "Model": "4 *OperatorCode *SubGraph s *Buffer v4 *Metadata *SignatureDef *ExternalBufferGroup "
    "*ExternalBuffer",
    "OperatorCode": "1 s 4 4",
    "SubGraph": "*Tensor v4 v4 *Operator s 4",
    "Tensor": "v4 1 4 s Quantization 1 Sparsity v4 1 *VariantSubType 4",
    "Quantization": "v4 v4 v4 v8 1 |quantization 4",
    "Sparsity": "v4 v4 *DimensionMetadata",
    "DimensionMetadata": "1 4 1 |sparse 1 |sparse",
    "VariantSubType": "v4 1 1",
    "Operator": "4 v4 v4 1 |options v1 1 v1 v4 8 8 1 |options2 4",
    "Buffer": "v1 8 8",
    "Metadata": "s 4",
    "SignatureDef": "*TensorMap *TensorMap s s 4",
    "TensorMap": "s 4",
    "ExternalBufferGroup": "s",
    "ExternalBuffer": "4 4 8 8 s",
}
"""The layout of each table."""

UNIONS: dict[str, dict[int, str]] = {
    "quantization": {1: "v1", 2: "4 4 4 v4", 3: "4 4 4 v4"},
    "sparse": {1: "v4", 2: "v2", 3: "v1"},
    "options": {
        1: "1 4 4 1 4 4 1",  # Conv2D
        2: "1 4 4 4 1 4 4",  # DepthwiseConv2D
        3: "4 v4 v4",  # ConcatEmbeddings
        4: "1",  # LSHProjection
        5: "1 4 4 4 4 1",  # Pool2D
        6: "4 1 1",  # SVDF
        7: "1 1",  # RNN
        8: "1 1 1 1 1 v1",  # FullyConnected
        9: "4",  # Softmax
        10: "4 1",  # Concatenation
        11: "1 1",  # Add
        12: "1",  # L2Norm
        13: "4 4 4 4",  # LocalResponseNormalization
        14: "1 4 4 1 1",  # LSTM
        15: "4 4 1 1",  # ResizeBilinear
        16: "4",  # Call
        17: "v4",  # Reshape
        18: "4 4 1",  # SkipGram
        19: "4",  # SpaceToDepth
        20: "1",  # EmbeddingLookupSparse
        21: "1",  # Mul
        23: "4 4",  # Gather
        27: "1",  # Reducer
        28: "1 1",  # Sub
        29: "1",  # Div
        30: "v4",  # Squeeze
        31: "1 1 1",  # SequenceRNN
        32: "4 4 4 4 4 1",  # StridedSlice
        35: "4",  # Split
        37: "1 1",  # Cast
        40: "1",  # ArgMax
        49: "1 4 4 1 1",  # TransposeConv
        50: "1",  # SparseToDense
        55: "1",  # Shape
        57: "1",  # ArgMin
        58: "4 4 4 1",  # FakeQuant
        59: "4 4",  # Pack
        61: "4",  # OneHot
        64: "4 4",  # Unpack
        69: "1 4 4 1 1 1",  # BidirectionalSequenceLSTM
        70: "1 1 1 1",  # BidirectionalSequenceRNN
        71: "1 4 4 1 1 1",  # UnidirectionalSequenceLSTM
        74: "1 1",  # ResizeNearestNeighbor
        75: "4",  # LeakyRelu
        77: "1",  # MirrorPad
        79: "4",  # SplitV
        80: "1",  # Unique
        87: "4 4",  # ReverseSequence
        92: "4 4",  # If
        93: "4 4",  # While
        94: "4",  # DepthToSpace
        101: "1 1 1",  # BatchMatMul
        102: "1 1",  # Cumsum
        103: "4",  # CallOnce
        106: "1 4 4 4 1 4 4 4",  # Conv3D
        107: "4 1 1",  # Hashtable
        111: "s s",  # VarHandle
        114: "8 8",  # Random
        115: "v4",  # Bucketize
        116: "1",  # Gelu
    },
    "options2": {
        1: "8",  # StablehloConcatenate
        2: "v8",  # StablehloBroadcastInDim
        3: "v8 v8 v8",  # StablehloSlice
        4: "v8 v8 v8 v8 v1 8 8 v8 8 8 v8 8 8 v8 8 8 v4",  # StablehloConvolution
        5: "s 1 s 4 v4 v1",  # StablehloCustomCall
        6: "v8 4",  # StablehloReduce
        7: "1 v8 v8 v8 8 1 4",  # StablehloScatter
        8: "4 4",  # StablehloCompare
        9: "v8",  # StablehloDynamicSlice
        10: "v8 v8 v8",  # StablehloPad
        11: "8",  # StablehloIota
        12: "v8 v8 v8 v8 v4",  # StablehloDotGeneral
        13: "v8 v8 v8 v8 v8 4",  # StablehloReduceWindow
        14: "8 1 4",  # StablehloSort
        15: "4 4",  # StablehloWhile
        16: "v8 v8 v8 8 v8 1",  # StablehloGather
        17: "v8",  # StablehloTranspose
        19: "1",  # StablehloRngBitGenerator
        20: "4",  # ReduceWindow
        21: "s 4 v1 1 4",  # StableHLOComposite
        23: "v4",  # StablehloCase
    },
}
"""The layouts of each union's tables, by the number of their kind; tables without a field are left out."""

OPTIONS_OF: dict[int, int] = {
    0: 11, 1: 5, 2: 10, 3: 1, 4: 2, 5: 94, 9: 8, 11: 12, 12: 5, 13: 13, 15: 4, 16: 14, 17: 5, 18: 21,
    22: 17, 23: 15, 24: 7, 25: 9, 26: 19, 27: 6, 29: 3, 30: 18, 31: 16, 33: 20, 35: 31, 36: 23, 40: 27,
    41: 28, 42: 29, 43: 30, 44: 71, 45: 32, 46: 70, 49: 35, 52: 69, 53: 37, 56: 40, 67: 49, 68: 50,
    74: 27, 77: 55, 79: 57, 80: 58, 81: 27, 82: 27, 83: 59, 85: 61, 88: 64, 89: 27, 91: 27, 97: 74,
    98: 75, 100: 77, 102: 79, 103: 80, 112: 87, 118: 92, 119: 93, 126: 101, 128: 102, 129: 103,
    132: 106, 136: 107, 140: 27, 141: 106, 142: 111, 146: 114, 147: 115, 148: 114, 149: 114, 150: 116,
}  # fmt: skip
"""The kind of options of each builtin operator that has options with fields."""

NEEDS_OPTIONS = frozenset(
    {
        1,
        2,
        3,
        4,
        5,
        9,
        12,
        16,
        17,
        25,
        26,
        27,
        44,
        45,
        49,
        52,
        67,
        83,
        88,
        102,
        118,
        119,
        129,
        132,
        141,
    }
)
"""Operators that zeros in place of options make divide by zero, or read what is not there."""
