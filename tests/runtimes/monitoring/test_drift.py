"""What a monitor says of real data that changed, and of data that did not."""

import re

import numpy as np
import pytest
from support.drift import (
    DATA,
    Change,
    blurred,
    one_channel,
    reference_of,
    some_nan,
    split,
    stream,
)


def swapped(x: np.ndarray, random: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    return x[..., ::-1]


CHANGES: list[tuple[str, str, Change, str]] = [
    ("digits", "brighter", lambda x, r: x * 1.4, r"brighter by (3|4)\d%"),
    ("digits", "darker", lambda x, r: x * 0.6, r"darker by (3|4)\d%"),
    ("digits", "not scaled", lambda x, r: x * 255, r"about 2\d\d times as large: pixels of 0\.\.255"),
    ("digits", "blurred", blurred, "less contrast by|blurred"),
    ("digits", "noise", lambda x, r: x + r.normal(0, 0.15, x.shape), r"zeros are 0\.0% of the values, were 4\d"),
    ("digits", "inverted", lambda x, r: 1 - x, r"brighter by 1\d\d%"),
    ("digits", "frozen", lambda x, r: np.repeat(x[:1] * 0 + 0.3, len(x), 0), "frozen sensor"),
    ("digits", "NaN", some_nan, r"NaN or infinite values in \d+ of \d+ samples"),
    ("photos", "colours", swapped, "channels 0 and 2 look swapped"),
    ("photos", "one channel", one_channel(2, lambda c: c * 1.5), r"channel 2 brighter by [345]\d%"),
    ("photos", "blurred", blurred, r"blurred: detail less by \d\d%"),
    ("photos", "-1..1", lambda x, r: 2 * x - 1, r"below the calibrated range 0\.\.1: pixels of another scale"),
    ("cancer", "another unit", one_channel(3, lambda c: c * 1.6), r"channel 3 higher by"),
    ("cancer", "all units", lambda x, r: x / 25.4, r"(small|large)"),
    ("cancer", "stuck", one_channel(7, lambda c: 0 * c + 0.05), "channel 7 is always 0.05"),
    ("cancer", "columns", lambda x, r: x[:, [1, 0, *range(2, 30)]], "channel 1 lower|channel 0 higher"),
    ("cancer", "NaN", some_nan, "NaN or infinite values in"),
    ("sunspots", "drift", lambda x, r: x + 60, "higher by"),
    ("sunspots", "gain", lambda x, r: x * 2.5, "values lie further apart by"),
    ("sunspots", "noise", lambda x, r: x + r.normal(0, 60, x.shape), "differ more by"),
    ("sunspots", "frozen", lambda x, r: 0 * x + 40, "frozen sensor"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "change", "words"), CHANGES)
def test_a_change_is_told_in_words_within_200_samples(
    data: str, kind: str, change: Change, words: str
) -> None:
    calibration, live = split(DATA[data](), 150)

    told = stream(reference_of(calibration), live, change)

    assert told.after is not None and told.after <= 200, told
    assert re.search(words, told.words), told.words
    assert told.words.startswith("inputs no longer look like the calibration data: ")


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("count", [50, 200])
def test_clean_samples_are_no_change(data: str, count: int) -> None:
    """5,000 here; a million for each of these, and for other sizes, in ``make bench``."""
    samples = DATA[data]()
    calibration, _ = split(samples, count)

    told = stream(reference_of(calibration), samples, lambda x, random: x, samples=5_000)

    assert told.after is None, told
