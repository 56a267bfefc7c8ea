"""One session for many threads, and streams of samples through it."""

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit_runtimes import (
    Engine,
    InputError,
    ModelError,
    Session,
    TensorSpec,
    cpu_limit,
    open_model,
)

WAYS = [
    ("model_int8.tflite", "xnnpack"),
    ("model_int8.onnx", "mlas"),
    ("model_int8.tflite", "openvino"),
    ("model_int16x8.tflite", "xnnpack"),  # by kernels without vectors: slow
]

pytestmark = pytest.mark.timeout(120)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 8, 8, 1), np.float32)


def wide(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, SIDE), np.float32)


SIDE, LAYERS = 1024, 3
"""Of a model that takes about a millisecond: long enough for threads to pay."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same slow model as slow.tflite and slow.onnx."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("slow")
    random = np.random.default_rng(0)
    weights = [random.normal(0, 1 / 32, (SIDE, SIDE)).astype(np.float32) for _ in range(LAYERS)]

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE), tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def chain(x: Any) -> Any:
        for w in weights:
            x = tf.nn.relu(tf.matmul(x, w))
        return x

    convert = tf.lite.TFLiteConverter.from_concrete_functions([chain.get_concrete_function()])
    (folder / "slow.tflite").write_bytes(convert.convert())
    names = ["x", *(f"h{i}" for i in range(LAYERS))]
    nodes = []
    for i in range(LAYERS):
        nodes.append(helper.make_node("MatMul", [names[i], f"w{i}"], [f"p{i}"]))
        nodes.append(helper.make_node("Relu", [f"p{i}"], [names[i + 1]]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, SIDE]) for n in names]
    held = [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    graph = helper.make_graph(nodes, "slow", ends[:1], ends[-1:], held)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "slow.onnx")
    return folder


@pytest.mark.parametrize(("name", "device"), WAYS[:3])
def test_threads_share_a_session(converted: Path, name: str, device: str) -> None:
    samples = images(50)
    with open_model(converted / name, device=device) as model:
        expected = model.run(samples)

        def wrong(thread: int) -> int:
            order = np.random.default_rng(thread).integers(0, 50, 625)
            return sum(
                not np.array_equal(model.run(samples[i : i + 1])[0], expected[i]) for i in order
            )

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(wrong, range(16))) == 0


@pytest.mark.parametrize(("name", "device"), WAYS)
def test_a_stream_is_answered_in_order_as_one_by_one(
    converted: Path, name: str, device: str
) -> None:
    samples = images(300)
    with open_model(converted / name, device=device) as model:
        expected = model.run(samples)
        np.testing.assert_array_equal(list(model.map(samples)), expected)
        np.testing.assert_array_equal(list(model.map(iter(samples.astype(float)))), expected)
        named = list(model.map({"image": sample} for sample in samples))
        assert list(model.map([])) == []
    np.testing.assert_array_equal([answer["digit"] for answer in named], expected)


@pytest.mark.parametrize("name", ["slow.tflite", "slow.onnx"])
def test_a_slow_model_is_answered_in_order_too(slow: Path, name: str) -> None:
    samples = wide(300)
    with open_model(slow / name) as model:
        expected = model.run(samples)
        np.testing.assert_array_equal(list(model.map(samples)), expected)
        named = list(model.map({"x": sample} for sample in samples))
        end = model.outputs[0].name
    np.testing.assert_array_equal([answer[end] for answer in named], expected)


@pytest.mark.skipif(cpu_limit() < 2, reason="there is one processor")
@pytest.mark.parametrize("name", ["slow.tflite", "slow.onnx"])
def test_a_slow_model_keeps_several_threads_busy(slow: Path, name: str) -> None:
    most = 0
    with open_model(slow / name) as model:
        before = threading.active_count()
        for _ in model.map(wide(200)):
            most = max(most, threading.active_count() - before)
    assert most == cpu_limit() + 1  # one more reads the samples


@pytest.mark.parametrize("quick", [True, False])
def test_an_endless_stream_is_read_a_little_ahead_and_can_be_left(
    converted: Path, slow: Path, quick: bool
) -> None:
    path = converted / "model_int8.tflite" if quick else slow / "slow.tflite"
    sample = images(1)[0] if quick else wide(1)[0]
    read = ahead = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal read
        while True:
            read += 1
            yield sample

    with open_model(path) as model:
        for given, _ in enumerate(model.map(endless()), 1):
            ahead = max(ahead, read - given)
            if given == 500:
                break
        np.testing.assert_array_equal(model.run(sample[np.newaxis]).shape[0], 1)  # it goes on
    assert ahead <= (0 if quick else 64 * (4 * cpu_limit() + 2))


@pytest.mark.parametrize(
    ("name", "good"), [("slow.tflite", 57), ("slow.onnx", 57), ("slow.tflite", 1)]
)
def test_what_the_source_raises_comes_behind_the_answers_before_it(
    slow: Path, name: str, good: int
) -> None:
    def breaks() -> Iterator[np.ndarray]:
        yield from wide(good)
        raise OSError("the camera is gone")

    answers: list[np.ndarray] = []
    with open_model(slow / name) as model:
        with pytest.raises(OSError, match="the camera is gone"):
            answers.extend(model.map(breaks()))
        np.testing.assert_array_equal(answers, model.run(wide(good)))


@pytest.mark.parametrize("name", ["slow.tflite", "slow.onnx"])
@pytest.mark.parametrize("bad", [0, 2, 5, 61])
def test_a_wrong_sample_is_told_at_its_turn(slow: Path, name: str, bad: int) -> None:
    samples = list(wide(80))
    samples[bad] = samples[bad][:7]
    answers: list[np.ndarray] = []
    with open_model(slow / name) as model:
        with pytest.raises(InputError, match=r"'x': expected \(batch, 1024\), got \(1, 7\)"):
            answers.extend(model.map(samples))
        assert len(answers) == bad
        np.testing.assert_array_equal(answers, model.run(wide(80))[:bad] if bad else [])


def test_a_slow_source_has_its_answers_without_delay(slow: Path) -> None:
    given: list[np.ndarray] = []
    late: list[int] = []

    def camera() -> Iterator[np.ndarray]:
        for i, sample in enumerate(wide(15)):
            deadline = time.monotonic() + 5
            while len(given) < i - 1 and time.monotonic() < deadline:
                time.sleep(0.001)
            if len(given) < i - 1:
                late.append(i - 2)
            yield sample

    with open_model(slow / "slow.tflite") as model:
        for output in model.map(camera()):
            given.append(output)
    assert late == []


@pytest.mark.parametrize("name", ["slow.tflite", "slow.onnx"])
def test_two_streams_go_through_one_session_at_once(slow: Path, name: str) -> None:
    samples = wide(120)
    with open_model(slow / name) as model:
        expected = model.run(samples)
        for forth, back in zip(model.map(samples), model.map(samples[::-1]), strict=True):
            assert forth.shape == back.shape
        with ThreadPoolExecutor(3) as pool:
            orders = [samples, samples[::-1], samples]
            forth, back, again = pool.map(lambda s: list(model.map(s)), orders)
    np.testing.assert_array_equal(forth, expected)
    np.testing.assert_array_equal(back, expected[::-1])
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("name", ["slow.tflite", "slow.onnx"])
def test_closing_amid_a_stream_ends_it_with_an_error(slow: Path, name: str) -> None:
    model = open_model(slow / name)
    answers = model.map(itertools.cycle(wide(10)))
    for _ in range(50):
        next(answers)
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        list(answers)


def test_a_closed_session_takes_no_stream(converted: Path) -> None:
    model = open_model(converted / "model_int8.tflite")
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        list(model.map(images(1)))


def test_a_file_opened_twice_is_two_models(converted: Path) -> None:
    first = open_model(converted / "model_int8.tflite")
    with open_model(converted / "model_int8.tflite") as second:
        expected = first.run(images(5))
        first.close()
        np.testing.assert_array_equal(second.run(images(5)), expected)


@pytest.mark.parametrize("size", [None, 1, 2])
def test_an_output_without_a_batch_axis_is_a_model_error(size: int | None) -> None:
    x, y = TensorSpec("x", (size, 3), "float32"), TensorSpec("y", (), "float32")
    model = Session("mean", Engine([x], [y], lambda a: [a[0].mean()]), device="fake")
    for count in (1, 2, 3):
        with pytest.raises(ModelError, match="'y' is a single number for the whole batch"):
            model.run(np.ones((count, 3), np.float32))
