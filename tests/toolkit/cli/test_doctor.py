"""``edgekit doctor``, in environments that are as broken as people have them."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest


def doctor(*packages: Path, cwd: Path, **variables: str) -> dict[str, object]:
    """What it tells where these folders come before what is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages)), **variables}
    told = subprocess.run(
        [sys.executable, "-m", "edgekit", "doctor", "--json"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
    )
    assert not told.stderr
    found: dict[str, object] = json.loads(told.stdout)
    assert told.returncode == (0 if found["healthy"] else 4)
    return found


def install(folder: Path, name: str, version: str) -> Path:
    """The record of an installed distribution, as pip leaves it."""
    record = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def findings(found: dict[str, object]) -> str:
    return json.dumps(found["findings"])


def test_what_the_lock_installs_is_healthy(tmp_path: Path) -> None:
    found = doctor(cwd=tmp_path)

    extras = {extra["name"]: extra for extra in found["extras"]}  # type: ignore[attr-defined]
    assert found["healthy"], findings(found)
    assert not extras["convert"]["missing"]
    assert not extras["convert"]["unfit"]


def test_every_extra_is_told_but_those_of_our_own_tests() -> None:
    from edgekit.workflows.doctor import EXTRAS, PROJECT

    ours = {"all", "dev", "page", "docs", "demo", "accelerators", "device"}
    assert set(metadata.metadata(PROJECT).get_all("Provides-Extra") or ()) == set(EXTRAS) | ours


@pytest.mark.parametrize(
    ("name", "version", "said", "do"),
    [
        ("onnxruntime", "1.20.1", "onnxruntime 1.20.1 is installed", "edgekit-toolkit[onnx]"),
        ("onnxruntime", "1.31.1", "leaves them out", "onnxruntime>=1.32"),
        ("onnxruntime-gpu", "1.32.0", "a mixture", "pip uninstall onnxruntime onnxruntime-gpu"),
        ("tensorflow", "2.19.0", "tensorflow 2.19.0 is installed", "edgekit-toolkit[convert]"),
    ],
)
def test_a_version_that_does_not_fit(
    name: str, version: str, said: str, do: str, tmp_path: Path
) -> None:
    found = doctor(install(tmp_path / "site", name, version), cwd=tmp_path)

    assert said in findings(found)
    assert do in findings(found)


def test_settings_and_a_project_that_break_a_conversion(tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text("[convert]\nprecison = 'int8'\n")

    found = doctor(cwd=tmp_path, KERAS_BACKEND="torch", TF_USE_LEGACY_KERAS="1")

    for said in ("KERAS_BACKEND=torch", "TF_USE_LEGACY_KERAS", "precison"):
        assert said in findings(found)


def test_a_machine_with_no_runtime_is_told_what_to_install(tmp_path: Path) -> None:
    """A Python that has edgekit and what it needs to start, and no extra."""
    site = Path(metadata.distribution("numpy").locate_file("")).resolve()
    bare = tmp_path / "bare"
    bare.mkdir()
    names = (
        "numpy",
        "numpy.libs",
        "click",
        "rich",
        "packaging",
        "pygments",
        "markdown_it",
        "mdurl",
    )
    for name in names:
        if (site / name).exists():
            (bare / name).symlink_to(site / name)
    for record in site.glob("edgekit_toolkit-*.dist-info"):
        (bare / record.name).symlink_to(record)
    root = Path(__file__).parents[3]
    code = [str(root / part) for part in ("toolkit", "converters", "runtimes")]
    told = subprocess.run(
        [sys.executable, "-S", "-m", "edgekit", "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(bare), *code])},
        cwd=tmp_path,
    )

    assert told.returncode == 4, told.stderr
    assert "No runtime is installed" in told.stdout
    assert "pip install 'edgekit-toolkit[litert]'" in told.stdout
