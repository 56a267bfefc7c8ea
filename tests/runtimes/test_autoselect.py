"""``device="auto"``: the fastest device that answers rightly, and what is remembered of it."""

import json
from pathlib import Path
from shutil import copy, copytree

import numpy as np
import pytest

from edgekit_runtimes import Session, cpu_limit, open_model

FILES = ("model_float32.tflite", "model_int8.tflite", "model_float32.onnx", "model_int8.onnx")


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where choices are kept, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgekit" / "auto.json"


@pytest.fixture
def folder(converted: Path, tmp_path: Path) -> Path:
    """A copy of the converted files."""
    copytree(converted, tmp_path / "out")
    return tmp_path / "out"


def held_out(digits: Path) -> np.ndarray:
    images: np.ndarray = np.load(digits / "eval.npz")["image"][:100]
    return images


def chosen(model: Session) -> tuple[str, str, int]:
    with model:
        return Path(model.path).name, model.device, model.threads


def remembered(memory: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(memory.read_text())
    return found


def remember(memory: Path, choice: str) -> None:
    """Puts another choice in the place of the only one there is."""
    (key,) = remembered(memory)
    memory.write_text(json.dumps({key: choice}))


def only(folder: Path, *names: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        file["verdict"] = "pass" if file["file"] in names else "inconclusive"
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", [*FILES, ""])
def test_the_answers_are_those_of_the_plain_device(
    digits: Path, converted: Path, memory: Path, name: str
) -> None:
    with open_model(converted / name, device="auto") as model:
        answers = model.run(held_out(digits))
        path, device, threads = model.path, model.device, model.threads
    with open_model(path) as plain:
        expected = plain.run(held_out(digits))
    assert np.mean(answers.argmax(-1) == expected.argmax(-1)) >= 0.98
    noise = np.sum((answers - expected) ** 2) / np.sum(expected**2)
    assert 10 * np.log10(noise + 1e-20) < -20
    assert not name or path == str(converted / name)
    assert 1 <= threads <= cpu_limit()
    assert list(remembered(memory).values()) == [f"{Path(path).name} {device} {threads}"]


def test_the_second_time_nothing_is_measured(folder: Path, memory: Path) -> None:
    first = chosen(open_model(folder, device="auto"))
    before = memory.stat()
    for _ in range(3):
        assert chosen(open_model(folder, device="auto")) == first
    after = memory.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert {p.name for p in memory.parent.iterdir()} <= {
        "auto.json",
        "files",
    }  # hashes of old files


@pytest.mark.parametrize("choice", ["model_int8.tflite openvino 1", "model_int16x8.onnx mlas 1"])
def test_what_is_remembered_is_what_is_opened(folder: Path, memory: Path, choice: str) -> None:
    chosen(open_model(folder, device="auto"))
    remember(memory, choice)
    name, device, threads = chosen(open_model(folder, device="auto"))
    assert f"{name} {device} {threads}" == choice


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": {}}', b"null", b"[" * 100000]
)
def test_a_damaged_memory_is_replaced(converted: Path, memory: Path, content: bytes) -> None:
    memory.parent.mkdir(parents=True)
    memory.write_bytes(content)
    path = converted / "model_int8.tflite"
    name, device, threads = chosen(open_model(path, device="auto"))
    assert f"{name} {device} {threads}" in remembered(memory).values()
    stamp = memory.stat().st_mtime_ns
    assert chosen(open_model(path, device="auto")) == (name, device, threads)
    assert memory.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("choice", ["model_int8.tflite gone 1", 7, None, ["xnnpack"], {"a": 1}])
def test_a_remembered_choice_that_there_is_not_is_measured_again(
    converted: Path, memory: Path, choice: object
) -> None:
    path = converted / "model_int8.tflite"
    chosen(open_model(path, device="auto"))
    (key,) = remembered(memory)
    memory.write_text(json.dumps({key: choice}))
    name, device, threads = chosen(open_model(path, device="auto"))
    assert remembered(memory) == {key: f"{name} {device} {threads}"}


def test_a_memory_that_cannot_be_written_does_not_matter(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        with open_model(converted / "model_int8.onnx", device="auto") as model:
            assert model.run(np.zeros((1, 8, 8, 1), np.float32)).shape == (1, 10)


def test_another_file_of_the_same_name_is_measured_again(folder: Path, memory: Path) -> None:
    path = folder / "model_int8.tflite"
    (folder / "manifest.json").unlink()  # else it would be a file that was changed
    chosen(open_model(path, device="auto"))
    before = remembered(memory)
    copy(folder / "model_float32.tflite", path)
    chosen(open_model(path, device="auto"))
    assert before.items() < remembered(memory).items()
    assert len(remembered(memory)) == 2


def test_the_same_file_elsewhere_is_not(folder: Path, converted: Path, memory: Path) -> None:
    for parent in (folder, converted):
        chosen(open_model(parent / "model_int8.tflite", device="auto"))
    assert len(remembered(memory)) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_number_of_threads_that_was_asked_for_is_kept(
    converted: Path, memory: Path, threads: int
) -> None:
    for path in (converted, converted / "model_float32.onnx"):
        for _ in range(2):
            assert chosen(open_model(path, device="auto", threads=threads))[2] == threads
    chosen(open_model(converted / "model_float32.onnx", device="auto"))
    assert len(remembered(memory)) == 3  # any number of threads is another question


@pytest.mark.parametrize("name", ["model_int16x8.tflite", "model_int16x8.onnx"])
def test_only_what_holds_is_chosen(folder: Path, name: str) -> None:
    only(folder, name)
    for device in ("auto", "cpu"):
        model = open_model(folder, device=device)
        assert chosen(model)[0] == name


def test_a_changed_verdict_asks_again(folder: Path) -> None:
    first = chosen(open_model(folder, device="auto"))
    manifest = json.loads((folder / "manifest.json").read_text())
    only(folder, *(f["file"] for f in manifest["files"] if f["file"] != first[0]))
    assert chosen(open_model(folder, device="auto"))[0] != first[0]


def test_a_simulator_is_never_chosen(converted: Path, memory: Path) -> None:
    chosen(open_model(converted / "model_int8.tflite", device="auto"))
    remember(memory, "model_int8.tflite micro 1")
    assert chosen(open_model(converted / "model_int8.tflite", device="auto"))[1] != "micro"


def test_strict_is_a_question_of_its_own(converted: Path, memory: Path) -> None:
    path = converted / "model_int8.tflite"
    chosen(open_model(path, device="auto"))
    remember(memory, "model_int8.tflite openvino 2")
    chosen(open_model(path, device="auto", strict=True))
    assert len(json.loads(memory.read_text())) == 2
    assert chosen(open_model(path, device="auto"))[1:] == ("openvino", 2)


def test_strict_does_not_mind_which_kernels_of_the_processor(converted: Path, memory: Path) -> None:
    with open_model(converted / "model_int8.tflite", device="auto", strict=True) as model:
        assert model.run(np.zeros((1, 8, 8, 1), np.float32)).shape == (1, 10)


def test_keras_is_what_there_is_for_keras_files(digits: Path) -> None:
    assert chosen(open_model(digits / "cnn.keras", device="auto"))[1] == "keras"
