"""Pictures of samples, which are smaller than the samples, and where boxes in pixels lie on them."""

import base64
from pathlib import Path

import numpy as np
import pytest
from support.outputs import stored

from edgekit.report.thumbnails import pictures, size_of


@pytest.mark.parametrize(("width", "height"), [(640, 480), (12, 30)])
def test_a_picture_knows_the_size_of_its_sample(width: int, height: int, tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((2, height, width, 3))
    found = pictures(stored(tmp_path / "samples", {"image": image}), [1])

    assert list(found) == [1]
    assert size_of(base64.b64decode(found[1].partition(",")[2])) == (width, height)


@pytest.mark.parametrize("said", [b"0 480 ", b"640 00 ", b"-1 480 ", b"640 480"])
def test_a_picture_that_somebody_else_made_says_nothing(said: bytes) -> None:
    """As in saved outputs: a side of no pixels is none."""
    assert size_of(b"...tEXtsize\0" + said + b"....") is None
