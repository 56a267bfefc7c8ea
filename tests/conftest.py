"""What all tests share: trained models, converted once a run; and workers that start at once."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.once import once, shared_folder

if TYPE_CHECKING:
    from support.cluster import Cluster

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ["EDGEKIT_CACHE"] = "off"  # no test takes what another computed

if os.environ.get("KERNELS") == "plain":
    from support.plain_kernels import use_plain_kernels

    use_plain_kernels()

MLPERF_TINY = Path(__file__).parents[2] / "shared" / "mlperf_tiny"
"""Pretrained models of the MLPerf Tiny benchmark, where somebody put them beside the checkout."""


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trained digit models (cnn, mlp, lstm) with calib, eval and rows.npz; read only."""
    from support.models import save_digits

    return once(tmp_path_factory, "digits", save_digits)


@pytest.fixture(scope="session")
def mobile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trained MobileNet of digits, of channels with very different ranges; read only."""
    from support.recipes import save_digits_mobile

    return once(tmp_path_factory, "mobile", save_digits_mobile) / "mobile.keras"


@pytest.fixture(scope="session")
def converted(
    digits: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> Path:
    """The digits CNN in every format and precision, as ``edgekit convert`` leaves it; read only."""
    import edgekit
    from edgekit_converters import PRECISIONS

    def convert(folder: Path) -> None:
        data = digits / "calib.npz"
        edgekit.convert(digits / "cnn.keras", data, folder, precision=PRECISIONS)

    return once(tmp_path_factory, "digits/out", convert)


@pytest.fixture(scope="session")
def integers(
    digits: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> Path:
    """The digits CNN as an int8 TFLite file with integer ends, which chips take; read only."""
    import edgekit

    def convert(folder: Path) -> None:
        data, names = digits / "calib.npz", [f"digit {n}" for n in range(10)]
        edgekit.convert(
            digits / "cnn.keras", data, folder, to=["tflite"], precision="int8", io="int8",
            labels=names,
        )  # fmt: skip

    return once(tmp_path_factory, "digits/integers", convert)


@pytest.fixture(scope="session", autouse=True)
def forked_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Workers that need not import TensorFlow first, unless ``WORKERS=fresh`` asks for the real ones."""
    if os.environ.get("WORKERS") == "fresh" or sys.platform != "linux":
        yield None
        return
    from support.forked_worker import ForkedWorkers

    from edgekit.workflows import worker

    workers = ForkedWorkers(shared_folder(tmp_path_factory))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "subprocess", workers)
        yield workers
    workers.close()


@pytest.fixture(autouse=True)
def _fresh_workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real workers, where a test is marked ``fresh_worker``."""
    if request.node.get_closest_marker("fresh_worker"):
        import subprocess

        from edgekit.workflows import worker

        monkeypatch.setattr(worker, "subprocess", subprocess)


@pytest.fixture(scope="module")
def cluster() -> Iterator["Cluster"]:
    """A Dask cluster of two worker processes, one thread each, on this machine."""
    from support.cluster import local_cluster

    with local_cluster(workers=2) as running:
        yield running


@pytest.fixture
def mlperf_tiny() -> Path:
    """The folder of pretrained models, or a skip."""
    if not MLPERF_TINY.is_dir():
        pytest.skip(f"no pretrained models in {MLPERF_TINY}")
    return MLPERF_TINY
