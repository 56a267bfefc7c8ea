"""What all tests share: trained models, made once a session."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

MLPERF_TINY = Path(__file__).parents[2] / "shared" / "mlperf_tiny"
"""Pretrained models of the MLPerf Tiny benchmark, where somebody put them beside the checkout."""


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trained digit models (cnn, mlp, lstm) with calib, eval and rows.npz."""
    from support.models import save_digits

    return save_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def converted(digits: Path) -> Path:
    """The digits CNN in every format and precision, as ``edgekit convert`` leaves it."""
    import edgekit
    from edgekit_converters import PRECISIONS

    edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", digits / "out", precision=PRECISIONS
    )
    return digits / "out"


@pytest.fixture
def mlperf_tiny() -> Path:
    """The folder of pretrained models, or a skip."""
    if not MLPERF_TINY.is_dir():
        pytest.skip(f"no pretrained models in {MLPERF_TINY}")
    return MLPERF_TINY
