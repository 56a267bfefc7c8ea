"""The least versions of the runtimes that run a file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit_converters import PRECISIONS
from edgekit_runtimes import ModelError
from edgekit_runtimes.formats.least_versions import least_versions, needs_of
from edgekit_runtimes.formats.release import release
from edgekit_runtimes.formats.tflite_versions import OPERATORS

NOT_IN_ANY_RUNTIME = {208}
"""TensorFlow's table has it; no release of LiteRT does."""

TABLE_OF_TENSORFLOW = """
import ctypes, importlib.util, json
from pathlib import Path
home = Path(importlib.util.find_spec("tensorflow").origin).parent
ctypes.CDLL(str(home / "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
library = ctypes.CDLL(str(home / "libtensorflow_cc.so.2"))
find = library["_ZN6tflite30FindMinimumRuntimeVersionForOpB5cxx11ENS_15BuiltinOperatorEi"]
find.restype, find.argtypes = None, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
def release(operator, version):
    text = (ctypes.c_uint64 * 4)()  # a std::string: where its bytes are, and how many
    find(text, operator, version)
    return ctypes.string_at(text[0], text[1]).decode()
print(json.dumps([[release(o, v) for v in range(1, 25)] for o in range(256)]))
"""


def stated(path: Path) -> str:
    """The release that TensorFlow's converter wrote into a file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    number = next(m.buffer for m in model.metadata if m.name == b"min_runtime_version")
    return bytes(model.buffers[number].data).rstrip(b"\0").decode()


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_a_tflite_file_needs_what_tensorflow_s_converter_says(
    converted: Path, precision: str
) -> None:
    found = least_versions(converted / f"model_{precision}.tflite")
    least = stated(converted / "model_float32.tflite")  # what was quantized later says nothing
    assert release(found["tflite"]) >= release(least)
    if precision == "float32":
        assert release(found["tflite"]) == release(least)
    assert found["litert"] == "1.0"


def test_an_int8_file_needs_more_than_the_versions_of_its_operators_say(converted: Path) -> None:
    path = converted / "model_int8.tflite"
    assert any(need.part == "CONV_2D in int8" for need in needs_of(path))
    assert release(least_versions(path)["tflite"]) >= release("1.14")  # the first with CONV_2D 3


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_onnx_file_needs_the_release_of_its_opset(converted: Path, precision: str) -> None:
    path = converted / f"model_{precision}.onnx"
    expected = {"onnxruntime": "1.18" if precision == "int16x8" else "1.12"}
    assert least_versions(path) == expected


@pytest.mark.parametrize(
    ("ir", "opset", "least"),
    [(8, 13, "1.10"), (9, 17, "1.15"), (10, 17, "1.18"), (8, 21, "1.18"), (8, 99, None)],
)
def test_ir_version_and_opset_each_ask_for_a_release(
    converted: Path, tmp_path: Path, ir: int, opset: int, least: str | None
) -> None:
    model = onnx.load(converted / "model_float32.onnx")
    model.ir_version = ir
    model.opset_import[0].version = opset
    onnx.save(model, tmp_path / "m.onnx")
    assert least_versions(tmp_path / "m.onnx") == ({"onnxruntime": least} if least else {})


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_damaged_file_is_a_model_error(converted: Path, tmp_path: Path, suffix: str) -> None:
    content = (converted / f"model_int8{suffix}").read_bytes()
    path = tmp_path / f"m{suffix}"
    for length in np.linspace(0, len(content) - 1, 100, dtype=int):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError, match=path.name):
            least_versions(path)


def test_a_file_of_another_kind_is_refused(digits: Path) -> None:
    with pytest.raises(ModelError, match=r"cnn\.keras.*\.tflite and \.onnx"):
        least_versions(digits / "cnn.keras")


@pytest.mark.skipif(sys.platform != "linux", reason="reads TensorFlow's table by its ELF symbol")
def test_the_table_is_tensorflow_s() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TABLE_OF_TENSORFLOW], capture_output=True, text=True, check=True
    )
    theirs = {
        number: versions
        for number, versions in enumerate(json.loads(done.stdout))
        if any(versions) and number not in NOT_IN_ANY_RUNTIME
    }
    assert set(theirs) == set(OPERATORS)
    for number, versions in theirs.items():
        ours = OPERATORS[number][1].split()
        while versions and not versions[-1]:
            versions.pop()
        assert [release(v) if v else None for v in versions] == [
            None if v == "-" else release(v) for v in ours
        ], OPERATORS[number][0]


def test_the_manifest_says_it_of_every_file(converted: Path) -> None:
    files = json.loads((converted / "manifest.json").read_text())["files"]
    assert len(files) == 2 * len(PRECISIONS)
    for entry in files:
        assert entry["least_versions"] == least_versions(converted / entry["file"]) != {}
