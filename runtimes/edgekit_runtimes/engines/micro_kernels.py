"""The operators of a file that TensorFlow Lite Micro, as installed, has no kernel for."""

import re

from edgekit_runtimes.engines.captured_output import quiet

NO_KERNEL = "Failed to get registration from op code"
"""What TensorFlow Lite Micro prints where it lacks an operator, before its name."""

_ARENA = 1 << 26  # bytes: enough for the tables of a file, before any operator is prepared
_RESHAPE = 22  # BuiltinOperator: there is a kernel for it


def missing_kernels(content: bytes) -> tuple[str, ...]:
    """Return the kinds of a file's operators without a kernel, in the order in which they come.

    TensorFlow Lite Micro names the first one. So that it names the next, that one becomes another operator,
    in a copy of the file: it asks for all kernels before it looks at any operand.

    Args:
        content: of a TFLite file.
    """
    import flatbuffers
    from tflite_micro import runtime
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    numbers = {k: n for k, n in vars(schema.BuiltinOperator).items() if isinstance(n, int)}
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    missing: list[str] = []
    for _ in model.operatorCodes:
        with quiet() as printed:
            try:
                runtime.Interpreter.from_bytes(content, arena_size=_ARENA)
                break
            except RuntimeError:
                found = re.search(rf"{NO_KERNEL} (\w+)", printed())
        if found is None or found[1] in missing:
            break
        missing.append(found[1])
        for code in model.operatorCodes:
            if max(code.builtinCode, code.deprecatedBuiltinCode) == numbers.get(found[1]):
                code.builtinCode = code.deprecatedBuiltinCode = _RESHAPE
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), b"TFL3")
        content = bytes(builder.Output())
    return tuple(missing)
