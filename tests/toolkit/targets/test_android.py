"""``edgekit export --target android``: the Kotlin compiled, and what needs no Android run on a Java machine.

``kotlinc`` is looked for on PATH, or where ``KOTLINC`` says: npm's package kotlin-compiler has it.
"""

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.data.images import Images, load_image
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.processing.image_input import SCALES, image_input

KOTLINC = os.environ.get("KOTLINC") or shutil.which("kotlinc")
STUBS = Path(__file__).parents[2] / "support" / "android_stubs"

PROBE = """package edgekit.model

import java.io.DataOutputStream
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

fun main(given: Array<String>) {
    if (given[0] == "golden") return replay(File(given[1]).readBytes())
    val bytes = ByteBuffer.wrap(File(given[0]).readBytes())
    val (width, height) = bytes.getInt() to bytes.getInt()
    val argb = IntArray(width * height) { bytes.getInt() }
    val out = DataOutputStream(System.out.buffered())
    for (line in File(given[1]).readLines()) {
        val (order, mean, std) = line.split(" ")
        fun floats(text: String) = text.split(",").map { it.toFloat() }.toFloatArray()
        val wanted = ImageInput("image", 9, 11, order, floats(mean), floats(std))
        preprocess(argb, width, height, wanted).values.forEach { out.writeFloat(it.toFloat()) }
    }
    out.flush()
}

/** A runtime that knows the golden answers, in the file's own integers, one sample after the other. */
fun replay(content: ByteArray) {
    val golden = Bundle.GOLDEN_OUTPUTS[0]
    val input = Bundle.GOLDEN_INPUTS[0]
    val all = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
    fun numbers(of: Golden): Numbers {
        all.position(of.offset)
        return Numbers(of.shape, DoubleArray(count(of.shape)) { get(all, of.type) })
    }
    var next = 0
    val runtime = Runtime { inputs ->
        val expected = toFile(numbers(input).rows(next, 1), Bundle.INPUTS[0])
        check(inputs.single() == expected) { "sample $next" }
        listOf(toFile(numbers(golden).rows(next++, 1), Bundle.OUTPUTS[0]))
    }
    Model(runtime) { content }.selfTest().forEach(::println)
    check(next == golden.shape[0]) { "$next samples" }
    val wrong = Runtime { _ -> listOf(toFile(Numbers(intArrayOf(1, 10), DoubleArray(10) { 1.0 }), Bundle.OUTPUTS[0])) }
    Model(wrong) { content }.selfTest().forEach(::println)
    println(answers(numbers(golden).rows(0, 1), "digit"))
    println(Bundle.LABELS[1])
}
"""


@dataclass(frozen=True)
class Module:
    """An export, and its classes."""

    folder: Path
    jar: Path

    def run(self, *arguments: str | Path) -> bytes:
        command = ["java", "-cp", str(self.jar), "edgekit.model.ProbeKt", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def module(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Module:
    if KOTLINC is None or not shutil.which("java"):
        pytest.skip("no Kotlin compiler: npm's package kotlin-compiler has one, KOTLINC names it")
    folder = tmp_path_factory.mktemp("android")
    names = ["zero", '"one" ${1} \u00e9 \U0001f600 \t\\', *map(str, range(2, 10))]
    edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", folder / "out", to=["tflite"], precision="int8",
        io="int8", labels=names, scale="0..1",
    )  # fmt: skip
    edgekit.export(folder / "out", "android", folder / "module")
    (folder / "Probe.kt").write_text(PROBE)
    sources = [
        *(folder / "module").rglob("src/**/*.kt"),
        folder / "Probe.kt",
        *STUBS.rglob("*.java"),
    ]
    command = [KOTLINC, "-Werror", "-include-runtime", "-d", str(folder / "probe.jar")]
    subprocess.run([*command, *map(str, sources)], check=True)
    return Module(folder / "module", folder / "probe.jar")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(31, 47), (9, 11), (5, 3)])
def test_an_image_becomes_the_same_numbers(
    size: tuple[int, int], module: Module, tmp_path: Path
) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "photo.png")
    argb = np.concatenate([np.full((*size, 1), 255, np.uint8), rgb], axis=-1)
    content = struct.pack(">ii", size[1], size[0]) + argb.tobytes()
    (tmp_path / "photo.argb").write_bytes(content)
    specs = [TensorSpec("image", (1, 9, 11, channels), "float32") for channels in (3, 1)]
    wanted = [(spec, image_input(spec, scale)) for spec in specs for scale in SCALES]
    lines, expected = [], []
    for spec, facts in wanted:
        if facts is None:
            continue
        parts = (",".join(map(str, facts.mean)), ",".join(map(str, facts.std)))
        lines.append(" ".join((facts.color_order, *parts)))
        pixels = load_image(tmp_path / "photo.png", spec, Images("0..255"))
        ordered = pixels[..., ::-1] if facts.color_order == "BGR" else pixels
        expected.append(((ordered - np.float32(facts.mean)) / np.float32(facts.std)).ravel())
    (tmp_path / "wanted").write_text("\n".join(lines))
    got = np.frombuffer(module.run(tmp_path / "photo.argb", tmp_path / "wanted"), ">f4")
    np.testing.assert_array_equal(got, np.concatenate(expected))


@pytest.mark.slow
def test_golden_samples_go_through_the_integers_of_the_file(module: Module) -> None:
    golden = module.folder / "src" / "main" / "assets" / "model" / "golden.bin"
    good, bad, ranked, label, _ = module.run("golden", golden).decode().split("\n")
    assert good.startswith("pass: digit: 80 of 80 values identical")
    assert bad.startswith("FAIL: digit: ")
    assert ranked.count(":") == 5
    assert label == '"one" ${1} \u00e9 \U0001f600 \t\\'


def test_an_export_without_a_tflite_file_is_refused_in_words(
    converted: Path, tmp_path: Path
) -> None:
    with pytest.raises(edgekit.DataError, match="target android runs tflite files"):
        edgekit.export(converted, "android", tmp_path / "a", files=["model_int8.onnx"])
    both = ["model_int8.tflite", "model_float32.tflite"]
    with pytest.raises(edgekit.DataError, match="takes one file"):
        edgekit.export(converted, "android", tmp_path / "a", files=both)
    assert list(tmp_path.iterdir()) == []
    edgekit.export(converted, "android", tmp_path / "a")
    assets = tmp_path / "a" / "src" / "main" / "assets" / "model"
    assert (assets / "model_int8.tflite").read_bytes() == (
        converted / "model_int8.tflite"
    ).read_bytes()
    assert "not tested on hardware" in (tmp_path / "a" / "README.md").read_text()
