"""Model files that somebody made to do harm: for a runtime, for Keras, for TensorFlow."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attack.hostile_data import Make
from edgekit_converters.tflite import flatbuffer


def _tflite(change: Callable[[Any], object]) -> Make:
    """``edgekit run`` of the digits model with one change."""

    def make(folder: Path, seeds: Path) -> list[object]:
        model = flatbuffer.read(seeds / "tflite" / "float.tflite")
        change(model)
        flatbuffer.write(model, folder / "model.tflite")
        return ["run", folder / "model.tflite", "--data", seeds / "few.npz"]

    return make


def _graph(change: Callable[[Any], object]) -> Make:
    return _tflite(lambda model: change(model.subgraphs[0]))


def _call_itself(model: Any) -> None:
    """The graph's last operator becomes a loop whose body is the graph."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.WhileOptionsT()
    options.condSubgraphIndex = options.bodySubgraphIndex = 0
    operator = flatbuffer.make_operator(model, flatbuffer.WHILE, [0], [0])
    operator.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    operator.builtinOptions = options
    model.subgraphs[0].operators.insert(0, operator)


def _custom(model: Any) -> None:
    code = model.operatorCodes[0]
    code.deprecatedBuiltinCode = code.builtinCode = flatbuffer.CUSTOM
    code.customCode = b"FlexWriteFile"


def _onnx(
    nodes: Callable[[Any], Sequence[Any]],
    *,
    shape: Sequence[int] = (1, 4),
    kind: int = 1,
    constants: Callable[[Any], Sequence[Any]] = lambda helper: (),
    functions: Callable[[Any], Sequence[Any]] = lambda helper: (),
) -> Make:
    """``edgekit inspect`` of an ONNX file from ``x`` to ``y`` with these nodes."""

    def make(folder: Path, seeds: Path) -> list[object]:
        from onnx import helper

        ends = [helper.make_tensor_value_info("x", kind, shape)]
        outs = [helper.make_tensor_value_info("y", 1, None)]
        graph = helper.make_graph(nodes(helper), "g", ends, outs, constants(helper))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=8, functions=functions(helper)
        )
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        return ["run", folder / "model.onnx", "--data", "random", "--count", "1"]

    return make


def _int(helper: Any, name: str, values: Sequence[int]) -> Any:
    return helper.make_tensor(name, 7, [len(values)], values)


def _outside(location: str) -> Make:
    """Weights that claim to lie in another file of the machine."""

    def constants(helper: Any) -> list[Any]:
        tensor = helper.make_tensor("w", 1, [4], [0.0] * 4)
        tensor.ClearField("float_data")
        tensor.data_location = 1
        for key, value in (("location", location), ("offset", "0"), ("length", "16")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        return [tensor]

    return _onnx(lambda h: [h.make_node("Add", ["x", "w"], ["y"])], constants=constants)


def _endless(helper: Any) -> list[Any]:
    """A loop of 2^62 steps."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes"]),
            helper.make_node("Sin", ["v"], ["w"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", 7, []),
            helper.make_tensor_value_info("going", 9, []),
            helper.make_tensor_value_info("v", 1, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("goes", 9, []),
            helper.make_tensor_value_info("w", 1, [1, 4]),
        ],
    )
    return [helper.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)]


def _nested(helper: Any) -> list[Any]:
    """Branches in branches, two hundred deep."""
    out = helper.make_tensor_value_info("z", 1, None)
    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "0", [], [out])
    for depth in range(45):
        node = helper.make_node("If", ["yes"], ["z"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([node], str(depth + 1), [], [out]) if depth < 8 else inner
    return [helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)]


def _truth(helper: Any) -> list[Any]:
    return [helper.make_tensor("yes", 9, [], [True]), helper.make_tensor("n", 7, [], [1 << 62])]


def _recursive(helper: Any) -> list[Any]:
    node = helper.make_node("again", ["a"], ["b"], domain="own")
    opsets = [helper.make_opsetid("own", 1)]
    return [helper.make_function("own", "again", ["a"], ["b"], [node], opsets)]


def _raw(name: str, content: bytes) -> Make:
    def make(folder: Path, seeds: Path) -> list[object]:
        (folder / name).write_bytes(content)
        return ["inspect", folder / name]

    return make


def _special(name: str, place: Callable[[Path], object]) -> Make:
    def make(folder: Path, seeds: Path) -> list[object]:
        place(folder / name)
        return ["inspect", folder / name]

    return make


def _keras(config: Callable[[dict[str, Any]], object], command: str = "inspect") -> Make:
    """A ``.keras`` file with another configuration."""

    def make(folder: Path, seeds: Path) -> list[object]:
        (good,) = (seeds / "keras").iterdir()
        with (
            zipfile.ZipFile(good) as archive,
            zipfile.ZipFile(folder / "model.keras", "w") as written,
        ):
            for name in archive.namelist():
                content = archive.read(name)
                if name == "config.json":
                    document = json.loads(content)
                    config(document)
                    content = json.dumps(document).encode()
                written.writestr(name, content)
        if command == "inspect":
            return ["inspect", folder / "model.keras"]
        return [
            "convert",
            folder / "model.keras",
            "--data",
            seeds / "few.npz",
            "-o",
            folder / "out",
        ]

    return make


def _layer(**entry: Any) -> Callable[[dict[str, Any]], None]:
    """Puts a layer of another class before the last."""

    def change(document: dict[str, Any]) -> None:
        document["config"]["layers"].insert(-1, {"registered_name": None, **entry})

    return change


def _call(module: str, name: str, *arguments: Any) -> dict[str, Any]:
    function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    return {"module": "keras.layers", "class_name": "Lambda", "config": {
        "name": "l", "function": function, "arguments": {"command": list(arguments)}}}  # fmt: skip


def _slip(folder: Path, seeds: Path) -> list[object]:
    """Members that lie above the folder that they are unpacked into."""
    (good,) = (seeds / "keras").iterdir()
    written = io.BytesIO(good.read_bytes())
    with zipfile.ZipFile(written, "a") as archive:
        for name in ("../harm", "../../harm", "/tmp/harm-absolute", "assets/../../harm"):
            archive.writestr(name, b"x")
    (folder / "model.keras").write_bytes(written.getvalue())
    return ["inspect", folder / "model.keras"]


def _bomb(folder: Path, seeds: Path) -> list[object]:
    """Weights of a gigabyte of zeros."""
    (good,) = (seeds / "keras").iterdir()
    with (
        zipfile.ZipFile(good) as archive,
        zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as written,
    ):
        for name in archive.namelist():
            if name.endswith(".h5"):
                with written.open(name, "w") as member:
                    for _ in range(300):
                        member.write(bytes(1 << 20))
            else:
                written.writestr(name, archive.read(name))
    return ["inspect", folder / "model.keras"]


MODELS: dict[str, Make] = {
    "no inputs": _graph(lambda g: setattr(g, "inputs", [])),
    "no outputs": _graph(lambda g: setattr(g, "outputs", [])),
    "input beyond the tensors": _graph(lambda g: setattr(g, "inputs", [1 << 20])),
    "input of texts": _graph(lambda g: setattr(g.tensors[g.inputs[0]], "type", 5)),
    "dimensions of zero": _graph(lambda g: setattr(g.tensors[g.inputs[0]], "shape", [1, 0, 8, 1])),
    "negative dimensions": _graph(lambda g: setattr(g.tensors[g.inputs[0]], "shape", [1, -8, 8, 1])),
    "2^60 elements": _graph(lambda g: setattr(g.tensors[g.inputs[0]], "shape", [1 << 30, 1 << 30, 1, 1])),
    "4 GB of input": _graph(lambda g: setattr(g.tensors[g.inputs[0]], "shape", [1, 1 << 15, 1 << 15, 1])),
    "a graph that calls itself": _tflite(_call_itself),
    "an operator of TensorFlow": _tflite(_custom),
    "no graph": _tflite(lambda m: setattr(m, "subgraphs", [])),
    "no operators": _graph(lambda g: setattr(g, "operators", [])),
    "operators twice": _graph(lambda g: g.operators.extend(g.operators)),
    "empty tflite": _raw("model.tflite", b""),
    "only a mark": _raw("model.tflite", b"\x1c\0\0\0TFL3"),
    "only zeros": _raw("model.tflite", b"\0\0\0\0TFL3" + bytes(1000)),
    "empty onnx": _raw("model.onnx", b""),
    "deep onnx": _raw("model.onnx", b"\x3a\xff\xff\xff\x07" * 10_000),
    "tflite that is a pipe": _special("model.tflite", os.mkfifo),
    "tflite that is endless": _special("model.tflite", lambda path: path.symlink_to("/dev/zero")),
    "onnx that is a pipe": _special("model.onnx", os.mkfifo),
    "weights in a file of the system": _outside("/etc/passwd"),
    "weights above": _outside("../../../../../../etc/passwd"),
    "weights in a pipe": _outside("/dev/stdin"),
    "texts": _onnx(lambda h: [h.make_node("Identity", ["x"], ["y"])], kind=8),
    "endless loop": _onnx(_endless, constants=_truth),
    "branches in branches": _onnx(_nested, constants=_truth),
    "function that calls itself": _onnx(
        lambda h: [h.make_node("again", ["x"], ["y"], domain="own")], functions=_recursive
    ),
    "100 GB of zeros": _onnx(
        lambda h: [h.make_node("ConstantOfShape", ["s"], ["y"])],
        constants=lambda h: [_int(h, "s", [1 << 35])],
    ),
    "2^62 zeros": _onnx(
        lambda h: [h.make_node("ConstantOfShape", ["s"], ["y"])],
        constants=lambda h: [_int(h, "s", [1 << 31, 1 << 31])],
    ),
    "index outside": _onnx(
        lambda h: [h.make_node("Gather", ["x", "i"], ["y"], axis=1)],
        constants=lambda h: [_int(h, "i", [1 << 40])],
    ),
    "shape of another size": _onnx(
        lambda h: [h.make_node("Reshape", ["x", "s"], ["y"])],
        constants=lambda h: [_int(h, "s", [-1, 0, 7])],
    ),
    "tile to 4 TB": _onnx(
        lambda h: [h.make_node("Tile", ["x", "s"], ["y"])],
        constants=lambda h: [_int(h, "s", [1 << 20, 1 << 18])],
    ),
}  # fmt: skip
"""For LiteRT and ONNX Runtime."""

KERAS: dict[str, Make] = {
    "a call of os.system": _keras(_layer(**_call("os", "system", "touch harm"))),
    "a call of builtins.exec": _keras(_layer(**_call("builtins", "exec", "open('harm', 'w')"))),
    "a call, converted": _keras(_layer(**_call("os", "system", "touch harm")), "convert"),
    "a class of another module": _keras(_layer(module="subprocess", class_name="Popen", config={"args": ["touch", "harm"]})),
    "a class, converted": _keras(_layer(module="subprocess", class_name="Popen", config={"args": ["touch", "harm"]}), "convert"),
    "a marshalled lambda": _keras(_layer(module="keras.layers", class_name="Lambda", config={
        "name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}})),
    "a module of torch": _keras(_layer(module="keras.layers", class_name="TorchModuleWrapper", config={"module": "gASVJAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAp0b3VjaCBoYXJtlIWUUpQu"})),
    "words from a file": _keras(_layer(module="keras.layers", class_name="StringLookup", config={"vocabulary": "/etc/passwd"}), "convert"),
    "a SavedModel elsewhere": _keras(_layer(module="keras.layers", class_name="TFSMLayer", config={"filepath": "/etc"}), "convert"),
    "a get_file": _keras(_layer(**_call("keras.utils", "get_file", "harm", "file:///etc/passwd"))),
    "deep configuration": _keras(lambda d: d.update(config=json.loads("[" * 900 + "]" * 900))),
    "no configuration": _keras(dict.clear),
    "members above": _slip,
    "weights of zeros": _bomb,
    "empty keras": _raw("model.keras", b""),
    "empty h5": _raw("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "keras that is a pipe": _special("model.keras", os.mkfifo),
}  # fmt: skip
"""For Keras, which needs TensorFlow in its process."""


def _saved(reach: str) -> Make:
    """A SavedModel that reaches outside when it is called."""

    def make(folder: Path, seeds: Path) -> list[object]:
        import tensorflow as tf

        harm = str(folder / "harm")
        reaches: dict[str, Callable[[], Any]] = {
            "WriteFile": lambda: tf.io.write_file(harm, "x"),
            "ReadFile": lambda: tf.io.read_file("/etc/passwd"),
            "MatchingFiles": lambda: tf.io.matching_files("/etc/*"),
            "PyFunc": lambda: tf.numpy_function(lambda: np.float32(1), [], tf.float32),
            "PrintV2": lambda: tf.print("x", output_stream=f"file://{harm}"),
        }

        class Model(tf.Module):  # type: ignore[misc]
            @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 1), tf.float32, "image")])  # type: ignore[untyped-decorator]
            def serve(self, image: Any) -> Any:
                done = reaches[reach]()
                with tf.control_dependencies([] if done is None else [done]):
                    return {"y": tf.identity(image)}

        model = Model()
        tf.saved_model.save(model, str(folder / "saved"), signatures=model.serve)
        return ["convert", folder / "saved", "--data", seeds / "few.npz", "-o", folder / "out"]

    return make


SAVED: dict[str, Make] = {
    reach: _saved(reach)
    for reach in ("WriteFile", "ReadFile", "MatchingFiles", "PyFunc", "PrintV2")
}
"""For TensorFlow."""
