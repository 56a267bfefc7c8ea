"""``edgekit validate --engine dask=...``: the same report as here, and what is said where that cannot be."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.cluster import (
    PATIENCE,
    Cluster,
    dask,
    free_port,
    joined,
    local_cluster,
    until,
    until_somebody_listens,
)

import edgekit
from edgekit.cli.main import main
from edgekit.inference import dask_cluster
from edgekit.inference.executors import open_executor
from edgekit.inference.place import ClusterError

MEASURED = {"latency_ms", "latency_ratio", "seconds", "date", "notes"}
"""What differs between two runs of anything."""


@pytest.fixture(scope="module")
def empty() -> Iterator[Cluster]:
    """A scheduler that workers of a test can join."""
    with local_cluster(workers=0) as running:
        yield running


def comparable(value: Any) -> Any:
    """A report without what is measured anew each time."""
    if isinstance(value, dict):
        return {k: comparable(v) for k, v in value.items() if k not in MEASURED}
    return [comparable(v) for v in value] if isinstance(value, list) else value


def validate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


@pytest.mark.parametrize(
    ("original", "files", "devices"),
    [
        ("model_float32.onnx", ["tflite", "onnx"], "cpu,reference"),
        ("cnn.keras", ["tflite"], "cpu"),
    ],
)
def test_the_report_is_the_one_that_this_machine_makes(
    original: str, files: list[str], devices: str, cluster: Cluster, digits: Path, converted: Path
) -> None:
    first = digits / original if original.endswith(".keras") else converted / original
    candidates = [converted / f"model_int8.{suffix}" for suffix in files]
    reports = [
        edgekit.validate(
            first, candidates, digits / "eval.npz", metrics="f1", devices=devices, engine=engine
        )
        for engine in ("local", cluster.engine)
    ]

    here, there = (comparable(report.to_dict()) for report in reports)
    assert len(here["files"]) == len(candidates) * len(devices.split(","))
    assert json.dumps(there) == json.dumps(here)
    assert all(file.latency_ms > 0 for file in reports[1].files)
    cluster.until_clean()


def test_the_command_prints_nothing_of_dask(
    cluster: Cluster, digits: Path, converted: Path
) -> None:
    result = validate(
        converted / "model_float32.tflite", converted / "model_int8.tflite",
        "--data", digits / "eval.npz", "--engine", cluster.engine, "--quiet",
    )  # fmt: skip

    assert (result.exit_code, result.output) == (0, "")


def test_no_scheduler_there_is_an_error_that_names_the_host(digits: Path, converted: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    model = converted / "model_int8.tflite"
    result = validate(model, model, "--data", digits / "eval.npz", "--engine", f"dask={address}")

    assert result.exit_code == 4
    assert f"dask={address}: no Dask scheduler answers there" in result.stderr
    assert "--engine" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_engine_that_there_is_not_is_wrong_usage(digits: Path, converted: Path) -> None:
    model = converted / "model_int8.tflite"
    result = validate(model, model, "--data", digits / "eval.npz", "--engine", "dask=nowhere")

    assert result.exit_code == 2
    assert "choose from local, dask=HOST:PORT" in result.stderr


def refused(engine: str) -> str:
    with pytest.raises(ClusterError) as caught, open_executor(engine):
        pass
    return str(caught.value)


def test_a_scheduler_without_workers_is_an_error(
    empty: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_WORKERS", 0.1)

    said = refused(empty.engine)

    assert f"{empty.engine}: the scheduler has no workers" in said
    assert f"dask worker {empty.address}" in said


@pytest.mark.parametrize(
    "package",
    [
        "edgekit-toolkit",
        "onnxruntime",
        pytest.param("distributed", marks=pytest.mark.slow),
        pytest.param("numpy", marks=pytest.mark.slow),
        pytest.param("ai-edge-litert", marks=pytest.mark.slow),
    ],
)
def test_a_worker_with_another_version_is_refused(
    package: str, empty: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's process finds another distribution's metadata before the one that is installed."""
    folder = tmp_path / "packages" / f"{package.replace('-', '_')}-0.0.7.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.7\n")

    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    with joined(empty, tmp_path):
        said = refused(empty.engine)

    assert f"{empty.engine}: the worker tcp://127.0.0.1:" in said
    assert f"{package} 0.0.7" in said
    assert metadata.version(package) in said
    assert "Install the same" in said


def test_a_worker_without_edgekit_is_refused(empty: Cluster, tmp_path: Path) -> None:
    """A Python that sees every installed package but edgekit."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(np.__file__).parents[1].iterdir():
        if "edgekit" not in path.name:
            (packages / path.name).symlink_to(path)
    code = (
        f"import sys; sys.path.append({str(packages)!r}); "
        "from distributed.cli.dask_worker import main; main()"
    )

    with joined(empty, tmp_path, "-S", "-c", code):
        said = refused(empty.engine)

    assert "has no edgekit-toolkit" in said
    assert "edgekit-toolkit[cluster" in said


def test_an_interrupt_leaves_the_cluster_clean(
    cluster: Cluster, digits: Path, converted: Path, tmp_path: Path
) -> None:
    images = np.load(digits / "eval.npz")["image"]
    np.savez(tmp_path / "many.npz", image=np.tile(images, (100, 1, 1, 1)))
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit", "validate", converted / "model_float32.tflite", converted,
         "--data", tmp_path / "many.npz", "--samples", "40000", "--engine", cluster.engine],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    until(lambda: cluster.leftovers() and any(t.startswith("edgekit") for t in cluster.tasks()))

    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
    cluster.until_clean()


@pytest.mark.slow
def test_a_cluster_with_tls_is_reached_by_its_own_configuration(
    digits: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": certificate}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        tls[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] = key
        tls[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] = certificate
    for name, path in tls.items():
        monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "true")
    port = free_port()
    address = f"tls://127.0.0.1:{port}"
    host = ["--host", address]
    worker = [address, "--nthreads", "1", "--no-nanny"]
    with (
        dask("scheduler", *host, folder=tmp_path),
        dask("worker", *worker, folder=tmp_path),
    ):
        until_somebody_listens(port)
        report = edgekit.validate(
            converted / "model_float32.tflite", converted / "model_int8.tflite", digits / "eval.npz",
            engine=f"dask={address}",
        )  # fmt: skip
        assert report.verdict == "pass"
        monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE")
        assert "no Dask scheduler answers there" in refused(f"dask={address}")


@pytest.mark.slow
def test_the_page_says_how_to_start_a_cluster(
    digits: Path, converted: Path, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    scheduler, worker, command = re.findall(r"^```\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    port = free_port()
    shutil.copy(digits / "cnn.keras", tmp_path / "model.keras")
    shutil.copy(digits / "eval.npz", tmp_path)
    (tmp_path / "out").symlink_to(converted)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def start(line: str) -> subprocess.Popen[str]:
        here = line.replace("lab1", "127.0.0.1").replace("8786", str(port))
        return subprocess.Popen(
            shlex.split(here), cwd=tmp_path, env={**os.environ, "PATH": path}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    started = [start(scheduler), start(worker)]
    try:
        until_somebody_listens(port)
        validating = start(command)
        printed, said = validating.communicate(timeout=PATIENCE)
        assert validating.returncode == 0, said
        assert "model_int8.onnx" in printed
    finally:
        for process in reversed(started):
            process.terminate()
            process.communicate(timeout=PATIENCE)
