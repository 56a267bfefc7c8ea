"""From opening to closing: batches, files that change beneath, state, memory, child processes."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit_runtimes import InputError, ModelError, open_model

pytestmark = pytest.mark.timeout(120)
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")

BIG = 2048
"""The side of a matrix of 16 MiB."""


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 8, 8, 1), np.float32)


def tflite(function: Callable[..., Any], shape: tuple[int, ...], owner: Any = None) -> bytes:
    """A function of TensorFlow's as a TFLite file."""
    import tensorflow as tf

    signature = [tf.TensorSpec(shape, tf.float32, name="x")]
    graph = tf.function(function, input_signature=signature).get_concrete_function()
    convert = tf.lite.TFLiteConverter.from_concrete_functions([graph], owner)
    convert.experimental_enable_resource_variables = True
    content: bytes = convert.convert()
    return content


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def fours(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits CNN in batches of four."""
    folder = tmp_path_factory.mktemp("fours")
    edgekit.convert(digits / "cnn.keras", digits / "calib.npz", folder, batch=4)
    return folder


FOURS = [
    ("model_float32.tflite", "xnnpack"),
    ("model_int8.tflite", "micro"),
    ("model_int8.onnx", "mlas"),
    ("model_int8.tflite", "openvino"),
]


@pytest.mark.parametrize(("name", "device"), FOURS)
def test_a_file_of_fixed_batches_takes_any_number(
    converted: Path, fours: Path, name: str, device: str
) -> None:
    with open_model(converted / name, device=device) as model:
        expected = model.run(images(9))
    with open_model(fours / name, device=device) as model:
        assert model.inputs[0].shape == (4, 8, 8, 1)
        for count in (1, 3, 4, 5, 8, 9):
            np.testing.assert_allclose(model.run(images(count)), expected[:count], atol=1e-6)
            streamed = list(model.map(images(count)))
            np.testing.assert_allclose(streamed, expected[:count], atol=1e-6)
        assert list(model.map([])) == []


@pytest.mark.parametrize("name", ["model_float32.tflite", "model_int8.onnx"])
def test_a_wrong_sample_in_a_batch_is_told_at_its_turn(fours: Path, name: str) -> None:
    samples = list(images(12))
    samples[6] = samples[6][:3]
    answers: list[np.ndarray] = []
    with open_model(fours / name) as model:
        with pytest.raises(InputError, match=r"'image': expected \(batch, 8, 8, 1\)"):
            answers.extend(model.map(samples))
        np.testing.assert_allclose(answers, model.run(images(6)), atol=1e-6)


@pytest.mark.parametrize("name", ["model_int16x8.tflite", "model_int8.onnx"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_session_is_of_the_file_that_it_opened(
    converted: Path, tmp_path: Path, name: str, gone: bool
) -> None:
    """An update puts another file in its place, while the old one is still being served."""
    path, other = tmp_path / name, tmp_path / "next"
    copy(converted / name, path)
    with open_model(path) as model:
        expected = model.run(images(300))
        if gone:
            path.unlink()
        else:
            copy(converted / f"model_float32{path.suffix}", other)
            other.replace(path)
        np.testing.assert_array_equal(model.run(images(300)), expected)
        np.testing.assert_array_equal(list(model.map(images(300))), expected)


def test_a_file_with_state_starts_clean_at_each_call(tmp_path: Path) -> None:
    import tensorflow as tf

    class Sum(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.total = tf.Variable(tf.zeros((1, 3)))

        def add(self, x: Any) -> Any:
            return self.total.assign_add(x) * 1.0

    owner = Sum()
    (tmp_path / "sum.tflite").write_bytes(tflite(owner.add, (1, 3), owner))
    with open_model(tmp_path / "sum.tflite") as model:
        first = model.run(np.ones((1, 3), np.float32))
        np.testing.assert_array_equal(model.run(np.ones((1, 3), np.float32)), first)


def memory() -> int:
    """Bytes of this process that no file stands behind."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@needs_proc
def test_closing_gives_the_memory_back(tmp_path: Path) -> None:
    import tensorflow as tf

    weights = np.random.default_rng(0).random((BIG, BIG), np.float32)
    (tmp_path / "big.tflite").write_bytes(tflite(lambda x: tf.matmul(x, weights), (1, BIG)))
    code = (
        "import sys; import numpy as np; from test_lifetime import memory; "
        "from edgekit_runtimes import open_model; x = np.zeros((1, 2048), np.float32)\n"
        "for device in ('xnnpack', 'openvino'):\n"
        "    with open_model(sys.argv[1], device=device) as model:\n"
        "        model.run(x)\n"  # what a library keeps for good
        "    del model; before = memory(); model = open_model(sys.argv[1], device=device)\n"
        "    model.run(x); held = memory(); model.close(); print(held - before, memory() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big.tflite")],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]),
            "MALLOC_MMAP_THRESHOLD_": "1000000",  # what is freed goes back at once
        },
    )
    for held, left in (map(int, line.split()) for line in done.stdout.splitlines()):
        assert held > BIG * BIG * 4 / 2
        assert left < held / 4


@needs_proc
def test_a_crash_of_the_child_is_an_error_and_not_the_end(converted: Path) -> None:
    before = children()
    model = open_model(converted / "model_int8.tflite", device="micro")
    model.run(images(1))
    (child,) = children() - before
    os.kill(child, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"model_int8\.tflite.*crashed \(signal 9\)"):
            model.run(images(1))
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        model.run(images(1))
    with open_model(converted / "model_int8.tflite", device="micro") as again:
        assert again.run(images(1)).shape == (1, 10)


@needs_proc
@pytest.mark.parametrize("forgotten", [True, False])
def test_the_child_goes_with_its_session(converted: Path, forgotten: bool) -> None:
    before = children()
    model = open_model(converted / "model_int8.tflite", device="micro")
    assert len(children() - before) == 1
    if not forgotten:
        model.close()
    del model
    gc.collect()
    assert children() - before == set()


@needs_proc
def test_a_child_that_cannot_open_its_file_goes(converted: Path) -> None:
    before = children()
    with pytest.raises(ModelError, match=r"Hybrid models are not supported.*CONV_2D"):
        open_model(converted / "model_dynamic.tflite", device="micro")
    assert children() - before == set()


def test_the_child_ends_with_the_program(converted: Path) -> None:
    code = (
        "import sys; from edgekit_runtimes import open_model; "
        "model = open_model(sys.argv[1], device='micro'); print('opened')"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(converted / "model_int8.tflite")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("opened\n", "")
    assert time.monotonic() - start < 30


MANY_IMAGES = """
import numpy as np, sys
import keras
from edgekit_runtimes import open_model
layers = keras.layers
convolutions = [layers.Conv2D(8, 3, padding="same") for _ in range(8)]
model = keras.Sequential([layers.Input((128, 128, 3)), *convolutions, layers.Flatten(),
                          layers.Dense(2)])
model.save(sys.argv[1])

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)

x = np.random.default_rng(0).random((256, 128, 128, 3), np.float32)
with open_model(sys.argv[1]) as session:
    alone = session.run(x[:1])
    before = peak()
    all_of_them = session.run(x)
    print((peak() - before) // 1000)
np.testing.assert_allclose(all_of_them[:1], alone, atol=1e-5)
"""


@pytest.mark.slow
@needs_proc
def test_keras_does_not_hold_every_layer_of_a_large_batch(tmp_path: Path) -> None:
    """A call keeps what every layer gives, here 4 MB a sample, until it ends."""
    done = subprocess.run(
        [sys.executable, "-c", MANY_IMAGES, tmp_path / "model.keras"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout.split()[-1]) < 400, "MB, where the whole batch would take 1,000"
