"""``edgekit export --target cortex-m``: the C++ compiled here; on boards of qemu's in ``tests/chips``."""

import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.main import main
from edgekit_runtimes.arrays import quantize
from edgekit_runtimes.bundle.golden import read_golden
from edgekit_runtimes.formats.tflite_file import read_graph

STUBS = Path(__file__).parents[2] / "support" / "tflm_stubs"
"""TensorFlow Lite Micro's interface, declared by hand: no package has its sources. ``make test-chips`` has them."""

STRICT = ("-Wall", "-Wextra", "-Werror")
needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")


@pytest.fixture(scope="module")
def exported(integers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cortex_m") / "chip"
    written = edgekit.export(integers, "cortex-m", folder)
    assert written.files == ("model_int8.tflite",)
    assert written.facts[0].startswith("flash: ")
    return folder


def numbers(text: str, array: str) -> np.ndarray:
    """The values of an array of ``golden.cc``."""
    body = re.search(rf"{array}\[kGoldenSamples\]\[\d+\] = {{(.*?)}};", text, re.DOTALL)
    assert body, text
    rows = re.findall(r"{(.*?)}", body[1])
    return np.array([[int(n) for n in row.split(",")] for row in rows])


def test_golden_samples_are_the_integers_of_the_file(exported: Path, integers: Path) -> None:
    text = (exported / "golden.cc").read_text()
    golden = read_golden(integers / "golden.npz")
    graph = read_graph(integers / "model_int8.tflite")
    given, answered = golden.inputs["image"], golden.outputs["model_int8.tflite"]["digit"]
    expected = [(given, graph.inputs[0], "input_0"), (answered, graph.outputs[0], "output_0")]
    for real, spec, array in expected:
        stored = quantize(real, spec).reshape(len(real), -1)
        np.testing.assert_array_equal(numbers(text, array), stored)
    manifest = json.loads((integers / "manifest.json").read_text())
    tolerance = manifest["golden"]["tolerances"]["model_int8.tflite"]["digit"]
    steps = int(tolerance / graph.outputs[0].scale + 1e-6)
    assert 1 <= steps <= 8
    assert f"{{output_0, 10, {steps}}}" in text


def test_the_operators_of_the_file_are_added_and_no_others(exported: Path) -> None:
    text = (exported / "model.cc").read_text()
    added = re.findall(r"resolver\.(Add\w+)\(\)", text)
    assert added == ["AddConv2D", "AddFullyConnected", "AddMaxPool2D", "AddReshape", "AddSoftmax"]
    assert "MicroMutableOpResolver<5>" in text
    assert '"digit 9",' in text


def test_the_arena_is_what_the_file_and_its_kernels_need(exported: Path, integers: Path) -> None:
    from edgekit_runtimes.engines.micro_arena import arena_bytes

    least = arena_bytes(integers / "model_int8.tflite")
    header = (exported / "model.h").read_text()
    assert f"kArenaBytes = {least} + kScratchBytes;" in header
    # CMSIS-NN copies what two positions of the 3x3 convolution of 16 channels see, in 16 bits.
    assert f"kScratchBytes = {2 * 2 * 3 * 3 * 16};" in header
    assert f"| RAM: the arena | {least + 576:,} |" in (exported / "README.md").read_text()


@needs_compiler
@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_the_bytes_of_the_model_arrive_whole(
    standard: str, exported: Path, integers: Path, tmp_path: Path
) -> None:
    sources = [str(exported / name) for name in ("check_data.cc", "model_data.cc")]
    command = ["g++", f"-std={standard}", *STRICT, *sources, "-o", str(tmp_path / "check")]
    subprocess.run(command, check=True)
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=False)
    content = (integers / "model_int8.tflite").read_bytes()
    told = f"pass: {len(content)} bytes, aligned to 16, TFL3, CRC-32 {zlib.crc32(content):08x}\n"
    assert (done.returncode, done.stdout) == (0, told)

    damaged = (exported / "model_data.cc").read_text().replace("0x54, 0x46,", "0x54, 0x47,", 1)
    (tmp_path / "model_data.cc").write_text(damaged)
    sources[1] = str(tmp_path / "model_data.cc")
    command = ["g++", f"-I{exported}", *sources, "-o", str(tmp_path / "check")]
    subprocess.run(command, check=True)
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NOT a TFLite file" in done.stdout


@needs_compiler
@pytest.mark.parametrize("layout", ["cmake", "arduino"])
def test_what_needs_tflm_agrees_with_its_interface(
    layout: str, exported: Path, tmp_path: Path
) -> None:
    if layout == "cmake":
        sources, flags = [*exported.glob("*.cc")], [f"-I{exported}"]
    else:
        library = exported / "arduino" / "src"
        sketch = exported / "arduino" / "examples" / "self_test" / "self_test.ino"
        shutil.copyfile(sketch, tmp_path / "self_test.cc")
        sources = [*library.rglob("*.cpp"), tmp_path / "self_test.cc"]
        flags = [f"-I{library}", f"-I{STUBS / 'arduino'}", "-DARDUINO", "-includeArduino.h"]
    assert len(sources) >= 5
    command = ["g++", "-std=c++17", "-fsyntax-only", *STRICT, f"-I{STUBS}", *flags]
    subprocess.run([*command, *map(str, sources)], check=True)


def test_text_of_any_kind_becomes_text_in_the_program(integers: Path, tmp_path: Path) -> None:
    shutil.copytree(integers, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text())
    labels = ['"; #error', "café \U0001f600", "back\\slash ??/ \n", "*/ */", *map(str, range(6))]
    manifest["labels"], manifest["model"]["name"] = labels, "evil\n#error name\\\n.keras"
    path.write_text(json.dumps(manifest))
    folder = tmp_path / "chip"
    edgekit.export(tmp_path / "out", "cortex-m", folder)
    assert "namespace evil_error_name_model {" in (folder / "model.h").read_text()
    assert "name=evil_error_name_model\n" in (folder / "arduino/library.properties").read_text()
    if shutil.which("g++"):
        show = '#include "model.h"\n#include <stdio.h>\nint main() { for (auto label : evil_error_name_model::kLabels) puts(label); }'
        (folder / "show.cc").write_text(show)
        files = [str(folder / name) for name in ("model.cc", "model_data.cc", "golden.cc")]
        flags = ["-std=c++17", "-fsyntax-only", *STRICT, f"-I{STUBS}"]
        subprocess.run(["g++", *flags, *files, str(folder / "show.cc")], check=True)


def test_golden_samples_that_are_missing_or_large_leave_room(
    integers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.targets import cortex_m

    monkeypatch.setattr(cortex_m, "_GOLDEN_BYTES", 3 * 74)
    edgekit.export(integers, "cortex-m", tmp_path / "few")
    assert "kGoldenSamples = 3;" in (tmp_path / "few" / "golden.h").read_text()
    shutil.copytree(integers, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"golden": None}))
    written = edgekit.export(tmp_path / "out", "cortex-m", tmp_path / "none")
    assert "kGoldenSamples = 0;" in (tmp_path / "none" / "golden.h").read_text()
    assert any("no golden samples" in note for note in written.notes)
    if shutil.which("g++"):
        command = ["g++", "-fsyntax-only", *STRICT, str(tmp_path / "none" / "golden.cc")]
        subprocess.run(command, check=True)


def test_a_folder_without_integer_ends_is_told_what_to_type(
    converted: Path, tmp_path: Path
) -> None:
    def typed(*arguments: str | Path) -> str:
        command = [
            "export",
            *map(str, arguments),
            "--target",
            "cortex-m",
            "-o",
            str(tmp_path / "c"),
        ]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2, result.output
        return " ".join(result.stderr.split())

    told = typed(converted)
    assert "model_int8.tflite: float32 ends image, digit" in told
    assert "--io int8" in told
    assert "model_float32.tflite: float32" in typed(converted, "--files", "model_float32.tflite")
    both = typed(converted, "--files", "model_int8.tflite,model_dynamic.tflite")
    assert "takes one file" in both
    assert not (tmp_path / "c").exists()
