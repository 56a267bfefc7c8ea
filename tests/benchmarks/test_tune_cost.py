"""What a search costs beside one conversion: seconds, and the memory of all its processes."""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from support.process_memory import seconds_and_peak
from support.trained import trained

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]


def test_a_search_takes_at_most_ten_conversions(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    found = trained("mobilenet_v2")

    def cost(verb: str, *options: str) -> tuple[float, int]:
        out = str(tmp_path / f"{verb}{len(list(tmp_path.iterdir()))}")
        return seconds_and_peak(
            [sys.executable, "-m", "edgekit", verb, found.model, "--data", found.data,
             "-o", out, "--max-drop", "1%", *options]
        )  # fmt: skip

    conversions = [cost("convert")]
    seconds, peak = cost("tune")
    conversions.append(cost("convert"))
    one = median(s for s, _ in conversions)
    held = median(p for _, p in conversions)
    tell(f"MobileNetV2 0.35: tune {seconds:.0f} s and {peak / 1e6:.0f} MB, convert {one:.0f} s and "
         f"{held / 1e6:.0f} MB ({seconds / one:.1f}x, {peak / held:.1f}x)")  # fmt: skip
    assert seconds <= 10 * one
    assert peak <= 2 * held
