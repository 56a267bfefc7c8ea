"""A runtime is one file and one entry of ``DEVICES``; a kind of file one more entry of ``FILES``."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from edgekit.bundle.environment import versions
from edgekit_runtimes import (
    DEVICES,
    FILES,
    Device,
    Engine,
    FileReader,
    ModelError,
    Operator,
    Placement,
    RuntimeMissing,
    TensorSpec,
    open_layers,
    open_model,
    precision_of,
)
from edgekit_runtimes.layers import Layer, Layers

DOUBLE = """<ir_version: 9, opset_import: ["": 17]>
double (float[1, 3] x) => (float[1, 3] y) { y = Add(x, x) }"""
X = np.array([[1, 2, 3]], np.float32)
ENDS = TensorSpec("x", (1, 3), "float32"), TensorSpec("y", (1, 3), "float32")


def open_fake(path: Path, threads: int, device: str = "fake") -> Engine:
    """Doubles its input: what a runtime's file has to offer."""
    placement = Placement(device, "a fake", "FAKE", [Operator("ADD", "FAKE", "float32")])
    return Engine([ENDS[0]], [ENDS[1]], lambda arrays: [2 * arrays[0]], lambda: placement)


def fake_layers(path: Path, fused: bool) -> Layers:
    layers = Layer("x", ("x",), "input", ()), Layer("y", ("y",), "ADD", (0,))
    return Layers(layers, lambda batch: [batch["x"], 2 * batch["x"]], ENDS[:1])


FAKE = Device(
    name="fake", kind="cpu", runtime="Fake", suffixes=(".onnx", ".fake"), open=open_fake,
    missing=lambda: None, add="pip install fake", packages=("pytest",),
)  # fmt: skip
READER = FileReader(
    types=lambda path: ({"int8"}, {"int8"}), ends=lambda path: {"x": (None, 0)}, layers=fake_layers
)


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the choices of ``auto`` are kept, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgekit" / "auto.json"


@pytest.fixture
def device() -> Iterator[Device]:
    """One more entry of ``DEVICES``."""
    DEVICES.append(FAKE)
    yield FAKE
    DEVICES.remove(FAKE)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FileReader:
    """One more entry of ``FILES``."""
    monkeypatch.setitem(FILES, ".fake", READER)
    return READER


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A file of a kind that other devices open, too."""
    onnx.save(onnx.parser.parse_model(DOUBLE), tmp_path / "double.onnx")
    return tmp_path / "double.onnx"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A file of a kind that no other device opens."""
    (tmp_path / "double.fake").write_bytes(b"double")
    return tmp_path / "double.fake"


def test_one_entry_adds_a_device_for_a_known_kind_of_file(device: Device, known: Path) -> None:
    with open_model(known, device="fake", strict=True) as model:
        np.testing.assert_array_equal(model.run(X), 2 * X)
        np.testing.assert_array_equal(list(model.map([X[0]] * 3)), [2 * X[0]] * 3)
        assert model.placement.accelerator == "FAKE"
    with open_model(known) as model:
        assert model.device == "mlas", "the first of DEVICES stays what cpu means"
    assert precision_of(known) == "float32"


def test_two_entries_add_a_device_for_a_new_kind_of_file(
    device: Device, reader: FileReader, new: Path
) -> None:
    for name in ("cpu", "fake", "auto"):
        with open_model(new, device=name) as model:
            assert model.device == "fake"
            np.testing.assert_array_equal(model.run(X), 2 * X)
            assert model.placement.delegated == 1
    assert precision_of(new) == "int8"
    layers = open_layers(new)
    assert [layer.kind for layer in layers.layers] == ["input", "ADD"]
    np.testing.assert_array_equal(layers.run({"x": X})[1], 2 * X)


def test_without_the_entries_the_file_is_refused_with_the_kinds_that_there_are(new: Path) -> None:
    with pytest.raises(ModelError, match=r"double\.fake: a model file ends in \.tflite, \.onnx"):
        open_model(new)
    for read in (precision_of, open_layers):
        with pytest.raises(ModelError, match=r"double\.fake: .*\.tflite and \.onnx"):
            read(new)


def test_auto_measures_an_added_device(device: Device, known: Path, memory: Path) -> None:
    open_model(known, device="auto", threads=1).close()
    (key,) = json.loads(memory.read_text())
    memory.write_text(json.dumps({key: "double.onnx fake 1"}))
    with open_model(known, device="auto", threads=1) as model:
        assert model.device == "fake"


def test_the_packages_of_an_added_device_decide(
    known: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of its packages makes ``auto`` measure again; figures are kept beside it."""
    keys = []
    for packages in (("pytest",), ("numpy",)):
        other = Device(
            name="fake", kind="cpu", runtime="Fake", suffixes=(".onnx",), open=open_fake,
            missing=lambda: None, add="", packages=packages,
        )  # fmt: skip
        DEVICES.append(other)
        try:
            assert set(packages) <= set(versions())
            open_model(known, device="auto", threads=1).close()
        finally:
            DEVICES.remove(other)
        keys.append(set(json.loads(memory.read_text())))
    assert len(keys[0]) == 1
    assert len(keys[1]) == 2
    assert "pytest" not in versions(), "with the entry its packages go"


def test_an_added_simulator_is_never_chosen_by_itself(known: Path) -> None:
    simulator = Device(
        name="fake", kind="npu", runtime="Fake", suffixes=(".fake",), add="pip install fake",
        open=partial(open_fake, device="fake"), missing=lambda: None, simulated=True,
    )  # fmt: skip
    DEVICES.append(simulator)
    try:
        path = known.rename(known.with_suffix(".fake"))
        with pytest.raises(Exception, match="no npu is ready"):
            open_model(path, device="npu")
        with open_model(path, device="fake") as model:
            assert model.device == "fake"
    finally:
        DEVICES.remove(simulator)


def test_an_added_device_that_is_not_installed_is_refused_with_its_line(known: Path) -> None:
    lacking = Device(
        name="fake", kind="cpu", runtime="Fake", suffixes=(".fake",), open=open_fake,
        missing=lambda: RuntimeMissing("fake is not installed"), add="pip install fake",
    )  # fmt: skip
    DEVICES.append(lacking)
    try:
        with pytest.raises(RuntimeMissing, match="fake: fake is not installed: pip install fake"):
            open_model(known.rename(known.with_suffix(".fake")))
    finally:
        DEVICES.remove(lacking)
