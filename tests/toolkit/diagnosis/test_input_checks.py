"""The hint about the scale of images: only where another scale makes many more predictions right."""

from pathlib import Path

import numpy as np
import pytest

import edgekit


@pytest.mark.parametrize(("won", "hinted"), [(3, False), (120, True)])
def test_a_scale_is_hinted_at_where_its_gain_makes_sense(
    won: int, hinted: bool, digits: Path, converted: Path
) -> None:
    with np.load(digits / "eval.npz") as data:
        images = data["image"][:256] / np.float32(255)  # a mistake: they are of 0..1
    original = converted / "model_float32.tflite"
    with edgekit.open_model(original) as session:
        given, meant = (
            np.argmax(session.run(images * np.float32(scale)), axis=1) for scale in (1, 255)
        )
    assert (given != meant).sum() > 120
    neither = np.array([min({0, 1, 2} - {a, b}) for a, b in zip(given, meant, strict=True)])
    labels = np.where((given != meant) & (np.cumsum(given != meant) <= won), meant, neither)
    report = edgekit.validate(original, converted / "model_int8.tflite", (images, labels))

    hints = [w for w in report.warnings if "the model seems to expect another" in w]
    assert bool(hints) == hinted, report.warnings
