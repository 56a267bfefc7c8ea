"""``--target cortex-m`` on a Cortex-M4 and a Cortex-M33 of qemu's: by ``make test-chips``, which installs compiler and qemu.

TensorFlow Lite Micro's sources are in no package. Where ``TFLM_DIR`` names trees of them (``tests/chips/tflm.sh``
makes them, with a network), the exports are linked with them and answer their golden samples.
"""

import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from support.cortex_m_board import BOARDS, COMPILER, Board, flags_of, tflm_library

import edgekit

TFLM = os.environ.get("TFLM_DIR")
pytestmark = [
    pytest.mark.chip,
    pytest.mark.skipif(
        not (shutil.which(COMPILER) and shutil.which("qemu-system-arm")),
        reason=f"no {COMPILER} or no qemu-system-arm: make test-chips installs them",
    ),
]
boards = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.cpu)


@pytest.fixture(scope="session")
def exported(integers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chip") / "cnn"
    edgekit.export(integers, "cortex-m", folder)
    return folder


@boards
def test_the_bytes_of_the_model_are_whole_in_flash(
    board: Board, exported: Path, integers: Path, tmp_path: Path
) -> None:
    sources = [exported / "check_data.cc", exported / "model_data.cc"]
    strict = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-fno-rtti"]
    done = board.run(board.link(sources, tmp_path / "check.elf", *strict))
    content = (integers / "model_int8.tflite").read_bytes()
    told = f"pass: {len(content)} bytes, aligned to 16, TFL3, CRC-32 {zlib.crc32(content):08x}\n"
    assert (done.returncode, done.stdout) == (0, told)


@boards
def test_the_array_takes_its_own_bytes_of_flash(
    board: Board, exported: Path, integers: Path, tmp_path: Path
) -> None:
    made = tmp_path / "model_data.o"
    command = [COMPILER, *board.flags, "-c", str(exported / "model_data.cc"), "-o", str(made)]
    subprocess.run(command, check=True)
    sizes = subprocess.run(
        ["arm-none-eabi-size", str(made)], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1]
    text, data, bss = map(int, sizes.split()[:3])
    size = (integers / "model_int8.tflite").stat().st_size
    assert size <= text <= size + 16
    assert (data, bss) == (0, 0), "in flash, not in RAM"


@pytest.fixture(scope="session", params=["plain", "cmsis_nn"])
def tree(request: pytest.FixtureRequest) -> Path:
    """A tree of TensorFlow Lite Micro's sources."""
    if not TFLM or not Path(TFLM, request.param).is_dir():
        pytest.skip(f"TFLM_DIR={TFLM or ''} has no {request.param}: tests/chips/tflm.sh makes it")
    return Path(TFLM, request.param)


@boards
def test_the_model_answers_its_golden_samples(
    board: Board, tree: Path, exported: Path, tmp_path: Path
) -> None:
    library = tflm_library(tree, board, tree.parent / f"{tree.name}-{board.cpu}")
    sources = [path for path in exported.glob("*.cc") if path.name != "check_data.cc"]
    flags = ["-std=c++17", "-fno-rtti", "-fno-threadsafe-statics", *flags_of(tree)]
    program = board.link(sources, tmp_path / "self_test.elf", *flags, str(library))
    done = board.run(program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass: 8 of 8 golden samples" in done.stdout + done.stderr

    changed = tmp_path / "changed"
    shutil.copytree(exported, changed)
    golden = (changed / "golden.cc").read_text()
    at = golden.index("output_0[")
    (changed / "golden.cc").write_text(golden[:at] + golden[at:].replace("{-128,", "{100,", 1))
    sources = [changed / path.name for path in sources]
    done = board.run(board.link(sources, tmp_path / "changed.elf", *flags, str(library)))
    assert done.returncode == 1
    assert "FAIL: 7 of 8 golden samples" in done.stdout + done.stderr
