"""Files of arrays that are damaged, or hold what is not read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.user_data import X, npy, npz, refusal


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("name", ["samples.npz", "samples.npy"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_truncated_file_is_named(name: str, order: str, fraction: float, tmp_path: Path) -> None:
    array = np.asarray(np.random.default_rng(0).random((50, 3, 2)), order=order)  # type: ignore[call-overload]
    path = (npz(tmp_path, x=array) if name == "samples.npz" else npy(tmp_path, array)).absolute()
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])

    assert refusal(path, X).startswith(str(path))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_named(save: Callable[..., None], tmp_path: Path) -> None:
    path = npz(tmp_path, save, x=np.random.default_rng(0).random((5000, 3, 2)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF  # far from the header: it shows when samples are read
    path.write_bytes(content)

    assert refusal(path, X).startswith(str(path))


def test_python_objects_are_refused_as_they_can_carry_code(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}, None], dtype=object)

    for path in (npz(tmp_path, x=objects), npy(tmp_path, objects)):
        message = refusal(path, X)
        assert message.startswith(str(path))
        assert "can carry code" in message
