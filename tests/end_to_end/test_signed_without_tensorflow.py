"""A fresh environment of what a build server and a device install: verify, run, sign, refuse."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support.signing import make_pair

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


@pytest.mark.slow
@pytest.mark.fresh_worker
@pytest.mark.skipif(not UV.exists(), reason="uv installs")
def test_verify_run_sign_refuse(converted: Path, digits: Path, tmp_path: Path) -> None:
    """From the packages that pip finds, so that an undeclared one would be missed."""
    venv.create(tmp_path / "env", symlinks=True)
    bin_ = tmp_path / "env" / "bin"
    install = [UV, "pip", "install", "--quiet", "--python", bin_ / "python"]
    subprocess.run([*install, f"{ROOT}[device,sign]"], check=True)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    out = shutil.copytree(converted, tmp_path / "out")
    pair, other = make_pair(tmp_path), make_pair(tmp_path, "other")

    def edgekit(*arguments: object, code: int = 0) -> str:
        done = subprocess.run(
            [bin_ / "edgekit", *map(str, arguments)], env=environment, cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return " ".join(done.stdout.split())

    assert "pass" in edgekit("verify", out, "--device", "cpu")
    run = edgekit("run", out / "model_int8.tflite", "--data", digits / "eval.npz", "--count", 3)
    assert "accuracy" in run
    assert "it is not signed" in edgekit("verify", out, "--key", pair.public, code=1)
    assert "signs" in edgekit("sign", out, "--key", pair.private)
    assert "pass (the signature" in edgekit("verify", out, "--key", pair.public, "--device", "cpu")
    assert "another key" in edgekit("verify", out, "--key", other.public, code=1)
    with (out / "model_int8.tflite").open("r+b") as file:
        file.write(b"\xff")
    refused = edgekit("verify", out, "--key", pair.public, code=1)
    assert "changed: model_int8.tflite" in refused
    opened = subprocess.run(
        [bin_ / "python", "-c",
         f"import edgekit_runtimes as e; e.open_model({str(out)!r}, key={str(pair.public)!r})"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert "SignatureError" in opened.stderr
    tensorflow = subprocess.run([bin_ / "python", "-c", "import tensorflow"], capture_output=True)
    assert tensorflow.returncode == 1
