"""``edgekit push`` to a real SSH server: copied aside, verified and timed there, put in use at once."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.cut import Cable
from support.sshd import Server

import edgekit
from edgekit.cli.main import main
from edgekit_runtimes.known_files import sha256

QUICK = 0.05
"""Seconds to time a file."""


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def another(folder: Path, copy: Path) -> Path:
    """A folder with other content, as of a later conversion."""
    shutil.copytree(folder, copy)
    (copy / "edgekit.log").write_text("another")
    return copy


def test_both_tables_and_the_folder_in_use(board: Server, shipped: Path) -> None:
    command = ["push", str(shipped), f"{board.address}/~/models/digits", "--seconds", str(QUICK)]

    shown = CliRunner().invoke(main, command)

    assert shown.exit_code == 0, shown.output
    link = board.home / "models" / "digits"
    assert link.is_symlink() and contents(link) == contents(shipped)
    for word in (
        "model_int8.tflite",
        "model_int8.onnx",
        "here",
        "p50",
        "pass",
        "in use there now: ~/models/digits",
    ):
        assert word in shown.output
    assert "…" not in shown.output  # no column is cut off
    again = CliRunner().invoke(main, [*command, "--json"])
    found = json.loads(again.output)
    assert (found["in_use"], found["sent"], found["folder"]) == (True, 0, "models/digits")
    assert [t["file"] for t in found["there"]] == ["model_int8.tflite", "model_int8.onnx"]
    assert all(t["p50_ms"] > 0 for t in found["there"] + found["here"])


@pytest.mark.slow
def test_a_new_folder_takes_over_and_the_one_before_stays(
    board: Server, shipped: Path, tmp_path: Path
) -> None:
    second = another(shipped, tmp_path / "2" / "shipped")
    third = another(second, tmp_path / "3" / "shipped")
    (third / "edgekit.log").write_text("the third")
    for folder in (shipped, second, third):
        assert edgekit.push(folder, board.address, seconds=QUICK)

    versions = board.home / "edgekit" / ".shipped.versions"
    kept = [contents(folder)["edgekit.log"] for folder in versions.iterdir() if folder.is_dir()]
    assert sorted(kept) == [b"another", b"the third"]
    assert contents(board.home / "edgekit" / "shipped") == contents(third)


@pytest.mark.slow
def test_what_answers_otherwise_there_is_not_put_in_use(
    board: Server, shipped: Path, tmp_path: Path
) -> None:
    edgekit.push(shipped, board.address, seconds=QUICK)
    wrong = another(shipped, tmp_path / "shipped")
    with np.load(wrong / "golden.npz") as archive:
        arrays = dict(archive)
    key = next(name for name in arrays if name.startswith("output/model_int8.onnx/"))
    arrays[key] = arrays[key] + np.float32(1)
    np.savez(wrong / "golden.npz", **arrays)
    manifest = json.loads((wrong / "manifest.json").read_text())
    golden = wrong / "golden.npz"
    manifest["golden"] |= {"sha256": sha256(golden), "bytes": golden.stat().st_size}
    (wrong / "manifest.json").write_text(json.dumps(manifest))

    shown = CliRunner().invoke(main, ["push", str(wrong), board.address, "--seconds", str(QUICK)])

    assert shown.exit_code == 1
    assert "differs from the golden output" in " ".join(shown.output.split())
    assert "not put in use" in shown.output
    assert contents(board.home / "edgekit" / "shipped") == contents(shipped)


def test_a_folder_that_push_did_not_make_is_left_alone(board: Server, shipped: Path) -> None:
    for make in (Path.mkdir, lambda path: path.symlink_to("elsewhere")):
        theirs = board.home / "theirs"
        make(theirs)
        with pytest.raises(edgekit.BoardError, match="edgekit push did not make it"):
            edgekit.push(shipped, f"{board.address}/~/theirs", seconds=QUICK)
        theirs.rmdir() if theirs.is_dir() else theirs.unlink()
        assert list(board.home.glob(".theirs*")) == []


def bare_python(board: Server) -> Path:
    """A Python on the board that has no packages; gives its folder of packages."""
    venv.create(board.home / ".edgekit", symlinks=True)
    return next((board.home / ".edgekit").glob("lib/python*/site-packages"))


def test_what_lacks_there_is_told(board: Server, shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(edgekit.BoardError, match=r"no Python there.*python='/path"):
        edgekit.push(shipped, board.address, python="/nowhere/python3")
    (board.home / ".edgekit").unlink()
    packages = bare_python(board)
    named = str(board.home / ".edgekit" / "bin" / "python")
    command = ["push", str(shipped), board.address, "--python", named]
    shown = CliRunner().invoke(main, command)
    assert shown.exit_code == 4
    assert "edgekit is not installed" in shown.output
    assert '--install "dist/...whl"' in shown.output

    here = Path(np.__file__).parents[1]
    roots = [path for path in sys.path if path.endswith(("toolkit", "runtimes", "converters"))]
    (packages / "here.pth").write_text("\n".join([str(here), *roots]))
    old = packages / "onnxruntime-1.2.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.2.0\n")
    with pytest.raises(
        edgekit.BoardError, match=r"onnxruntime 1\.2\.0 there is too old.*--upgrade"
    ):
        edgekit.push(shipped, board.address, python=named)
    assert not (board.home / "edgekit").exists()


def test_no_folder_of_edgekits_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(edgekit.DataError, match=r"no manifest\.json of edgekit's in it"):
        edgekit.push(tmp_path, "ssh://no-such-machine.invalid")


@pytest.mark.slow
def test_a_wheel_is_installed_there(board: Server, shipped: Path, tmp_path: Path) -> None:
    (board.home / ".edgekit").unlink()
    venv.create(board.home / ".edgekit", symlinks=True, with_pip=True)
    packages = next((board.home / ".edgekit").glob("lib/python*/site-packages"))
    (packages / "here.pth").write_text(
        str(Path(np.__file__).parents[1])
    )  # so that pip fetches nothing
    root = Path(__file__).parents[3]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")

    pushed = edgekit.push(shipped, board.address, install=wheel, seconds=QUICK)

    assert pushed and (packages / "edgekit_runtimes" / "__init__.py").exists()
    with pytest.raises(edgekit.BoardError, match="no wheel"):
        edgekit.push(shipped, board.address, install=tmp_path / "none.whl")


STEPS = ("copying", "verifying there", "timing there", "timing here", "putting it in use")
CUTS = [*STEPS, *(f"{n} bytes" for n in (2_000, 12_000, 200_000, 3_000_000, 6_000_000))]


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_leaves_the_old_folder_in_use_and_a_second_push_goes_on(
    cut: str, board: Server, shipped: Path, tmp_path: Path
) -> None:
    edgekit.push(shipped, board.address, seconds=QUICK)
    new = another(shipped, tmp_path / "shipped")
    (new / "edgekit.log").write_bytes(os.urandom(8_000_000))
    link = board.home / "edgekit" / "shipped"
    with Cable(board.port) as cable:
        board.know(cable.port)
        address = f"ssh://127.0.0.1:{cable.port}"
        cable.mend(left=int(cut.split()[0]) if cut.endswith("bytes") else None)

        def step(name: str) -> None:
            if name.startswith(cut):
                cable.cut()

        with pytest.raises(edgekit.BoardError, match=r"lost|nothing answers"):
            edgekit.push(new, address, seconds=QUICK, progress=step)
        assert contents(link) == contents(shipped)
        cable.mend()
        pushed = edgekit.push(new, address, seconds=QUICK)

    assert pushed and contents(link) == contents(new)
    if cut in STEPS[1:]:
        assert pushed.sent == 0
    if cut == "6000000 bytes":  # the server had up to 2 MiB of it in memory
        assert pushed.sent < 5_000_000
