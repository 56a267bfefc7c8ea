"""Files that end a process, or make a runtime raise what nobody catches: each is a ModelError."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import crashing_runtime

from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import DEVICES, FILES, Device, ModelError, open_model
from edgekit_runtimes.subprocess_engine import Child, run_once


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


Change = Callable[[Any], None]


def _graph(change: Change) -> Change:
    return lambda model: change(model.subgraphs[0])


def _set(where: Callable[[Any], Any], name: str, value: Any) -> Change:
    return lambda model: setattr(where(model), name, value)


def first_operator(model: Any) -> Any:
    return model.subgraphs[0].operators[0]


def last_operator(model: Any) -> Any:
    return model.subgraphs[0].operators[-1]


def graph(model: Any) -> Any:
    return model.subgraphs[0]


def pooling(model: Any) -> Any:
    return next(o for o in graph(model).operators if o.builtinOptionsType == 5)


def image(model: Any) -> Any:
    return graph(model).tensors[graph(model).inputs[0]]


def computed(model: Any) -> Any:
    return graph(model).tensors[first_operator(model).outputs[0]]


def weight(model: Any) -> Any:
    """The constant tensor with most values."""
    return max(
        (t for t in graph(model).tensors if model.buffers[t.buffer].data is not None),
        key=lambda t: len(model.buffers[t.buffer].data),
    )


def write_to_a_constant(model: Any) -> None:
    first_operator(model).outputs = [graph(model).tensors.index(weight(model))]


def read_what_comes_later(model: Any) -> None:
    operators = graph(model).operators
    operators[0].inputs = [int(operators[-1].outputs[0]), *list(operators[0].inputs)[1:]]


def make_a_constant_an_input(model: Any) -> None:
    graph(model).inputs = [*graph(model).inputs, graph(model).tensors.index(weight(model))]


def too_many_scales(model: Any) -> None:
    weight(model).quantization.scale = [1.0] * 7
    weight(model).quantization.zeroPoint = [0] * 7


def another_kind_of_options(model: Any) -> None:
    softmax, dense = last_operator(model), pooling(model)
    for operator in graph(model).operators:
        softmax = operator if operator.builtinOptionsType == 9 else softmax
    softmax.builtinOptionsType, softmax.builtinOptions = (
        dense.builtinOptionsType,
        dense.builtinOptions,
    )


def zero_point_of_another_type(model: Any) -> None:
    first = graph(model).tensors[int(first_operator(model).outputs[0])]
    first.quantization.zeroPoint = [-4194432]


DAMAGE: list[tuple[Change, str]] = [
    (_set(first_operator, "inputs", [100_000, 1, 2]), "there is no tensor 100000"),
    (_set(last_operator, "outputs", [-2]), "there is no tensor -2"),
    (_set(first_operator, "opcodeIndex", 99), "there is no operator code 99"),
    (_set(graph, "inputs", [500]), "there is no tensor 500"),
    (_set(graph, "outputs", [-1]), "there is no tensor -1"),
    (_set(weight, "shape", [3, 3]), "needs .* bytes, and it has"),
    (_set(weight, "shape", [-1, 4]), r"its shape is \[-1, 4\]"),
    (_set(weight, "shape", [2**30, 2**30]), "is too large"),
    (_set(weight, "type", 99), "there is no type 99"),
    (too_many_scales, "7 scales"),
    (zero_point_of_another_type, "a zero point lies outside -128 to 127"),
    (_set(pooling, "builtinOptionsType", 0), "has no options"),
    (another_kind_of_options, "has the options of another kind"),
    (_set(image, "shape", [2**24, 8, 8, 1]), "'image' claims 4,096 MiB"),
    (_set(computed, "shape", [2**24, 8, 8, 4]), "claims 4,096 MiB"),
    (write_to_a_constant, "which has its value already"),
    (read_what_comes_later, "which nothing computes before"),
    (make_a_constant_an_input, "is an input and a constant"),
]


@pytest.mark.parametrize(("change", "words"), DAMAGE, ids=[words for _, words in DAMAGE])
def test_a_file_whose_parts_do_not_fit_is_refused(
    change: Change, words: str, converted: Path, tmp_path: Path
) -> None:
    model = flatbuffer.read(converted / "model_int8.tflite")
    change(model)
    flatbuffer.write(model, tmp_path / "damaged.tflite")
    with pytest.raises(
        ModelError, match=rf"damaged\.tflite: the file is cut short or damaged: .*{words}"
    ):
        open_model(tmp_path / "damaged.tflite")


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_byte_changed_anywhere_crashes_nothing(
    suffix: str, converted: Path, tmp_path: Path
) -> None:
    """A fuzz in small; ``make attack`` is the large one."""
    content = (converted / f"model_int8{suffix}").read_bytes()
    random = np.random.default_rng(26265)
    refused = 0
    for number in range(60):
        damaged = bytearray(content)
        at, value = random.integers(len(content)), random.integers(1, 256)
        damaged[at] ^= int(value)
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(damaged if number % 6 else damaged[: int(at)])
        try:
            with open_model(path) as model:
                model.run({s.name: np.zeros([n or 1 for n in s.shape]) for s in model.inputs})
        except ModelError:
            refused += 1
    assert refused >= 8


def test_every_byte_of_the_structure_is_looked_at(converted: Path, tmp_path: Path) -> None:
    """The walk ends, in an error or not, whatever a byte outside the weights says."""
    content = bytearray((converted / "model_int8.tflite").read_bytes())
    path = tmp_path / "model.tflite"
    refused = 0
    for at in range(0, len(content), 101):
        before, content[at] = content[at], 0xFF
        path.write_bytes(content)
        content[at] = before
        try:
            FILES[".tflite"].verify(path)
        except ModelError:
            refused += 1
    assert refused


@pytest.mark.parametrize(
    ("opener", "words"),
    [
        (crashing_runtime.open_crashing, "signal 11"),
        (crashing_runtime.open_endless, "not done after 1 seconds"),
        (crashing_runtime.open_greedy, "MemoryError"),
    ],
)
def test_what_no_check_foresees_happens_to_another_process(
    opener: Any, words: str, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit_runtimes.rehearsal.TIME_LIMIT", 1.0)
    crashing = Device(
        name="crashing", kind="cpu", runtime="none", suffixes=(".tflite",), open=opener,
        missing=lambda: None, add="",
    )  # fmt: skip
    monkeypatch.setattr(sys.modules["edgekit_runtimes.open_model"], "DEVICES", [*DEVICES, crashing])
    path = tmp_path / "model.tflite"
    path.write_bytes((converted / "model_int8.tflite").read_bytes())
    for _ in range(2):
        with pytest.raises(ModelError, match=rf"model\.tflite: .*{words}"):
            open_model(path, device="crashing")
    open_model(path).close()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of the system")
def test_a_trial_that_nobody_waits_for_ends_by_itself(tmp_path: Path) -> None:
    child = Child("the trial")
    with pytest.raises(ModelError, match="signal 14"):
        child.ask(run_once, crashing_runtime.open_endless, tmp_path / "model.tflite", 1, 0.5)
    child.end()


def save_onnx(path: Path, kind: int, metadata: str | None = None, *, inputs: bool = True) -> Path:
    """An ONNX file that gives its input back, of this element type; or a constant, without inputs."""
    import onnx
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", kind, [1, 2])
    y = helper.make_tensor_value_info("y", kind, [1, 2])
    constant = helper.make_tensor("c", TensorProto.FLOAT, [1, 2], [1.0, 2.0])
    node = (
        helper.make_node("Identity", ["x"], ["y"])
        if inputs
        else helper.make_node("Constant", [], ["y"], value=constant)
    )
    model = helper.make_model(
        helper.make_graph([node], "g", [x] if inputs else [], [y]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    if metadata is not None:
        helper.set_model_props(model, {"edgekit.quantization": metadata})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("kind", "metadata", "inputs", "words"),
    [
        (8, None, True, "'x' holds string"),
        (1, None, False, "it has no inputs"),
        (1, "{", True, "edgekit.quantization is damaged"),
        (1, "[1]", True, "edgekit.quantization is damaged"),
        (1, '{"x": {"scale": "a", "zero_point": 0}}', True, "edgekit.quantization is damaged"),
        (1, '{"x": {"scale": 0.1}}', True, "edgekit.quantization is damaged"),
        (1, '{"x": {"scale": 0.1, "zero_point": 0}}', True, "do not fit"),
        (3, '{"x": {"scale": 0.0, "zero_point": 0}}', True, "do not fit"),
        (3, '{"x": {"scale": NaN, "zero_point": 0}}', True, "do not fit"),
        (3, '{"x": {"scale": 0.1, "zero_point": 1000}}', True, "do not fit"),
    ],
)
def test_an_onnx_file_that_cannot_be_run_on_numbers_is_a_model_error(
    kind: int, metadata: str | None, inputs: bool, words: str, tmp_path: Path
) -> None:
    path = save_onnx(tmp_path / "model.onnx", kind, metadata, inputs=inputs)
    with pytest.raises(ModelError, match=rf"model\.onnx: .*{words}"):
        open_model(path)


def test_so_is_a_tflite_file_with_names_of_no_encoding(converted: Path, tmp_path: Path) -> None:
    content = (converted / "model_int8.tflite").read_bytes()
    assert content.count(b"image") >= 1
    (tmp_path / "named.tflite").write_bytes(content.replace(b"image", b"\xff\xfe\xfd\xfc\xfb"))
    for trust in (False, True):
        with pytest.raises(ModelError, match=r"named\.tflite: .*(UTF-8|utf-8)"):
            open_model(tmp_path / "named.tflite", trust=trust)
