"""``edgekit export --target cpp``: the sources compiled, and the programs run where the runtimes' headers are.

No Python package has the headers: ``ORT_INCLUDE`` names the folder of onnxruntime_c_api.h, ``LITERT_INCLUDE`` the
root of LiteRT's sources. The libraries are those of the installed packages.
"""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.data.images import Images, load_image
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.processing.image_input import SCALES, image_input

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")

NUMBERS = """#include "image.h"
#include <cstdio>
#include <cstdlib>
int main(int count, char** a) {
  ImageInput wanted{"image", std::atoi(a[2]), std::atoi(a[3]), a[4], {}, {}};
  const int channels = (count - 5) / 2;
  for (int i = 0; i < channels; i++) wanted.mean.push_back(std::strtof(a[5 + i], nullptr));
  for (int i = 0; i < channels; i++) wanted.std.push_back(std::strtof(a[5 + channels + i], nullptr));
  const Tensor made = preprocess(read_ppm(a[1]), wanted);
  std::fwrite(made.bytes.data(), 1, made.bytes.size(), stdout);
}
"""


def library(package: str, pattern: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return next(Path(spec.submodule_search_locations[0]).rglob(pattern))


def compiled(folder: Path, sources: list[str], *more: str) -> Path:
    program = folder / "program"
    command = [
        "g++",
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-ffp-contract=off",
        f"-I{folder}",
    ]
    paths = [str(folder / name) for name in sources]
    subprocess.run([*command, *paths, *more, "-o", str(program)], check=True)
    return program


@pytest.fixture(scope="module")
def numbers(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of the export's own preprocessing, that writes an image's numbers."""
    folder = tmp_path_factory.mktemp("cpp")
    edgekit.export(converted, "cpp", folder)
    (folder / "numbers.cc").write_text(NUMBERS)
    return compiled(folder, ["numbers.cc", "image.cc"])


@pytest.mark.parametrize("size", [(31, 47), (9, 11), (5, 3)])
def test_an_image_becomes_the_same_numbers(size: tuple[int, int], numbers: Path, tmp_path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
    image.save(tmp_path / "photo.ppm")
    for scale in SCALES:
        for channels in (3, 1):
            wanted = image_input(TensorSpec("image", (1, 9, 11, channels), "float32"), scale)
            if wanted is None:
                continue
            command = [str(numbers), str(tmp_path / "photo.ppm"), "9", "11", wanted.color_order]
            facts = [*map(str, wanted.mean), *map(str, wanted.std)]
            made = subprocess.run([*command, *facts], capture_output=True, check=True).stdout
            spec = TensorSpec("image", (1, 9, 11, channels), "float32")
            pixels = load_image(tmp_path / "photo.ppm", spec, Images("0..255"))
            ordered = pixels[..., ::-1] if wanted.color_order == "BGR" else pixels
            expected = (ordered - np.float32(wanted.mean)) / np.float32(wanted.std)
            np.testing.assert_array_equal(np.frombuffer(made, np.float32), expected.ravel())


@pytest.mark.parametrize(
    "content", [b"P6 2 2 255\n123", b"P6 2 2 65535\n", b"hello", b"P6 0 9 255\n"]
)
def test_a_damaged_image_is_told(content: bytes, numbers: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.ppm").write_bytes(content)
    command = [str(numbers), str(tmp_path / "photo.ppm"), "9", "11", "L", "0", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "photo.ppm" in done.stderr


def test_text_of_any_kind_becomes_text_in_the_program(converted: Path, tmp_path: Path) -> None:
    import json

    labels = ['"; system("rm -rf /"); "', "caf\u00e9 \U0001f600", "back\\slash ??/ \n", "*/ */"]
    shutil.copytree(converted, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    manifest["labels"] = labels
    manifest["model"]["name"] = "evil\n#error name\n.keras"
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest))
    edgekit.export(tmp_path / "out", "cpp", tmp_path / "cpp")
    (tmp_path / "cpp" / "labels.cc").write_text(
        '#include "bundle.h"\n#include <cstdio>\n'
        "int main() { for (const auto& l : bundle::labels()) std::fwrite(l.c_str(), 1, l.size() + 1, stdout); }"
    )
    program = compiled(tmp_path / "cpp", ["labels.cc"])
    shown = subprocess.run([str(program)], capture_output=True, check=True).stdout
    assert shown.decode().split("\0")[:-1] == labels


def built(folder: Path, form: str) -> Path:
    """The program of a runtime, or a skip where its headers are not here."""
    sources = ["main.cc", "model.cc", "image.cc"]
    if form == "onnx":
        headers, shared = (
            os.environ.get("ORT_INCLUDE"),
            library("onnxruntime", "libonnxruntime.so*"),
        )
        if not headers:
            pytest.skip("ORT_INCLUDE does not name the folder of onnxruntime_c_api.h")
        link = folder / "libonnxruntime.so.1"  # the name that the library has in itself
        link.symlink_to(shared)
        return compiled(
            folder,
            [*sources, "runtime_onnx.cc"],
            f"-isystem{headers}",
            str(link),
            f"-Wl,-rpath,{folder}",
        )
    headers, shared = os.environ.get("LITERT_INCLUDE"), library("ai_edge_litert", "libLiteRt.so")
    if not headers:
        pytest.skip("LITERT_INCLUDE does not name the root of LiteRT's sources")
    made = folder / "made" / "litert" / "build_common"
    made.mkdir(parents=True)
    config = Path(headers, "litert/build_common/config/build_config_cpu_only.h")
    shutil.copyfile(config, made / "build_config.h")
    return compiled(
        folder, [*sources, "runtime_litert.cc"], f"-isystem{folder / 'made'}", f"-isystem{headers}",
        str(shared), f"-Wl,-rpath,{shared.parent}",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("io", ["float", "int8"])
@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_the_program_tests_itself_and_reads_an_image(
    form: str, io: str, digits: Path, tmp_path: Path
) -> None:
    from PIL import Image

    out, folder = tmp_path / "out", tmp_path / "cpp"
    names = [f"digit {n}" for n in range(10)]
    edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", out, to=[form], precision="int8", io=io,
        labels=names, scale="0..1",
    )  # fmt: skip
    edgekit.export(out, "cpp", folder)
    program = built(folder, form)
    done = subprocess.run([str(program), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "80 of 80 values identical" in done.stdout

    image = np.load(digits / "eval.npz")["image"][0, ..., 0]
    Image.fromarray(np.uint8(image * 255)).convert("RGB").resize((40, 30)).save(tmp_path / "x.ppm")
    spec = TensorSpec("image", (1, 8, 8, 1), "float32")
    with edgekit.open_model(out / f"model_int8.{form}") as model:
        scores = model.run(load_image(tmp_path / "x.ppm", spec, Images("0..1"))[np.newaxis])[0]
    command = [str(program), str(folder), str(tmp_path / "x.ppm")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    best = int(scores.argmax())
    assert shown.splitlines()[1].split() == ["digit", str(best), f"{scores[best]:.4g}"]

    golden = bytearray((folder / "golden.bin").read_bytes())
    golden[-4:] = np.float32(2).tobytes()
    (folder / "golden.bin").write_bytes(golden)
    done = subprocess.run([str(program), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAIL" in done.stdout and "79 of 80" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_several_inputs_and_outputs_find_their_places(form: str, tmp_path: Path) -> None:
    from support.zoo import many_ends, samples

    model = many_ends()
    edgekit.convert(model, samples(model), tmp_path / "out", to=[form], batch=3)
    edgekit.export(tmp_path / "out", "cpp", tmp_path / "cpp")
    program = built(tmp_path / "cpp", form)
    command = [str(program), str(tmp_path / "cpp")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.count("pass") == 2
