"""C++ for Cortex-M: compiled by GCC, linked with newlib, run on a board of qemu's; and TensorFlow Lite Micro for it."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHIPS = Path(__file__).parents[1] / "chips"
COMPILER = "arm-none-eabi-g++"
SMALL = ("-Os", "-ffunction-sections", "-fdata-sections", "-fno-exceptions")
SECONDS = 60.0


@dataclass(frozen=True)
class Board:
    """One of qemu's."""

    machine: str
    cpu: str
    flash: int
    ram: int

    @property
    def flags(self) -> list[str]:
        return [f"-mcpu={self.cpu}", "-mthumb", "-mfloat-abi=soft", *SMALL]

    def link(self, sources: Sequence[Path], program: Path, *more: str) -> Path:
        """Compile and link a program whose output and exit status are the ones of qemu."""
        memory = program.parent / "memory.ld"
        memory.write_text(
            f"MEMORY {{ FLASH (rx) : ORIGIN = {self.flash:#x}, LENGTH = 4M\n"
            f"         RAM (rwx) : ORIGIN = {self.ram:#x}, LENGTH = 2M }}\n"
        )
        command = [COMPILER, *self.flags, "--specs=rdimon.specs", f"-L{memory.parent}"]
        script = ["-T", str(CHIPS / "mps2.ld"), "-Wl,--gc-sections", "-o", str(program)]
        files = [*map(str, sources), str(CHIPS / "vectors.cc")]
        subprocess.run([*command, *files, *more, *script], check=True)
        return program

    def run(self, program: Path) -> subprocess.CompletedProcess[str]:
        command = ["qemu-system-arm", "-M", self.machine, "-nographic", "-semihosting"]
        return subprocess.run(
            [*command, "-kernel", str(program)],
            capture_output=True, text=True, check=False, timeout=SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip


BOARDS = (
    Board("mps2-an386", "cortex-m4", 0x0000_0000, 0x2000_0000),
    Board("mps2-an505", "cortex-m33", 0x1000_0000, 0x3800_0000),  # where its secure side begins
)

KERNELS = [
    "activations", "add", "batch_to_space_nd", "concatenation", "conv", "depthwise_conv",
    "dequantize", "fully_connected", "gather", "hard_swish", "kernel_util", "logistic",
    "lstm_eval", "micro_tensor_utils", "mul", "pad", "pooling", "quantize",
    "reduce", "reshape", "reverse", "slice", "softmax", "space_to_batch_nd",
    "split", "strided_slice", "sub", "tanh", "transpose", "transpose_conv", "unidirectional_sequence_lstm",
]  # fmt: skip
"""The kernels of the models in the tests; each is a file or several in TensorFlow Lite Micro's sources."""

_NOT_LINKED = ("test_helper", "mock_micro", "fake_micro", "hexdump")


def flags_of(tree: Path) -> list[str]:
    """The flags by which a program finds TensorFlow Lite Micro's headers and agrees with its library."""
    third_party = tree / "third_party"
    parts = ["flatbuffers/include", "gemmlowp", "ruy", "kissfft"]
    definitions = ["-DTF_LITE_STATIC_MEMORY"]
    if (third_party / "cmsis_nn").is_dir():
        parts += ["cmsis_nn", "cmsis_nn/Include", "cmsis", "cmsis/CMSIS/Core/Include"]
        definitions += ["-DCMSIS_NN", "-DARM_NN_ENABLE_F16=0", "-DARM_NN_ENABLE_F32=0"]
    folders = [tree, *(third_party / part for part in parts)]
    return [*definitions, *(f"-isystem{folder}" for folder in folders)]


def tflm_library(tree: Path, board: Board, build: Path) -> Path:
    """TensorFlow Lite Micro for a board, of a tree that its ``create_tflm_tree.py`` wrote; what is there is kept."""
    build.mkdir(parents=True, exist_ok=True)
    sources = [path for path in tree.glob("tensorflow/**/*.cc") if _wanted(path)]
    sources += (tree / "third_party" / "cmsis_nn").glob("Source/**/*.c")
    objects = []
    for source in sorted(sources):
        made = build / (str(source.relative_to(tree)).replace(os.sep, "_") + ".o")
        if not made.exists():
            cpp = ["-std=c++17", "-fno-rtti", "-fno-threadsafe-statics"]
            compiler = [COMPILER, *cpp] if source.suffix == ".cc" else ["arm-none-eabi-gcc"]
            unfinished = made.with_suffix(".part")
            files = ["-w", "-c", str(source), "-o", str(unfinished)]
            subprocess.run([*compiler, *board.flags, *flags_of(tree), *files], check=True)
            unfinished.rename(made)
        objects.append(str(made))
    library = build / "libtflm.a"
    library.unlink(missing_ok=True)
    subprocess.run(["arm-none-eabi-ar", "rcs", str(library), *objects], check=True)
    return library


def _wanted(source: Path) -> bool:
    if "kernels" in source.parts and "micro" in source.parts:
        return any(source.stem in (name, f"{name}_common") for name in KERNELS)
    return not any(word in source.name for word in _NOT_LINKED)
