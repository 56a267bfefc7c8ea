"""Real samples that libraries ship, and what can happen to such data on its way to a model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.data.samples import Array
from edgekit_runtimes.monitoring.build import TensorSamples
from edgekit_runtimes.monitoring.monitor import Monitor, MonitorOptions
from edgekit_runtimes.monitoring.reference import Reference

Change = Callable[[Array, np.random.Generator], Array]
"""A batch to what a model gets of it."""


def digit_images() -> Array:
    """Handwritten digits, 1,797 of 8x8 in 0..1."""
    from sklearn.datasets import load_digits

    return (load_digits().images / 16).astype(np.float32)[..., np.newaxis]


def cancer() -> Array:
    """569 biopsies of 30 measurements in their own units."""
    from sklearn.datasets import load_breast_cancer

    return np.asarray(load_breast_cancer().data, np.float32)


def sunspots() -> Array:
    """Windows of 24 years out of 309, of the number of spots."""
    from statsmodels.datasets import sunspots as data

    years = data.load().data["SUNACTIVITY"].to_numpy(np.float32)
    return np.lib.stride_tricks.sliding_window_view(years, 24)[..., np.newaxis].copy()


def photos() -> Array:
    """2,000 pieces of 24x24 of a photo of a flower, in 0..1."""
    from sklearn.datasets import load_sample_image

    random = np.random.default_rng(0)
    image = load_sample_image("flower.jpg")
    pieces = []
    for _ in range(2000):
        y, x = (int(random.integers(size - 24)) for size in image.shape[:2])
        pieces.append(image[y : y + 24, x : x + 24])
    return np.stack(pieces).astype(np.float32) / 255


DATA: dict[str, Callable[[], Array]] = {
    "digits": digit_images,
    "cancer": cancer,
    "sunspots": sunspots,
    "photos": photos,
}


def reference_of(samples: Array, name: str = "x") -> Reference:
    """A reference of one input."""
    made = TensorSamples(samples.shape[1:], low=float(samples.min()), high=float(samples.max()))
    made.add(samples)
    return Reference({name: made.reference()}, {})


def split(samples: Array, count: int, seed: int = 0) -> tuple[Array, Array]:
    """So many samples to calibrate on, and the others."""
    order = np.random.default_rng(seed).permutation(len(samples))
    return samples[order[:count]], samples[order[count:]]


@dataclass(frozen=True, slots=True)
class Told:
    """What a monitor said of a stream."""

    after: int | None
    """Samples; None where it said nothing."""
    words: str


def stream(
    reference: Reference, live: Array, change: Change, samples: int = 200, **options: float
) -> Told:
    """Show a monitor samples drawn at random, until it says something."""
    random = np.random.default_rng(1)
    monitor = Monitor(reference, MonitorOptions(time_share=1, warn=False, **options))  # type: ignore[arg-type]
    for _ in range(samples // 25):
        batch = live[random.integers(len(live), size=25)]
        monitor.observe({"x": change(batch.copy(), random)}, {})
        if monitor.changed:
            report = monitor.report()
            return Told(report.samples, "; ".join(report.warnings))
    return Told(None, "")


def blurred(x: Array, random: np.random.Generator) -> Array:
    """Out of focus: each pixel is the mean of nine."""
    rows = (np.roll(x, 1, 1) + x + np.roll(x, -1, 1)) / 3
    return (np.roll(rows, 1, 2) + rows + np.roll(rows, -1, 2)) / 3


def one_channel(channel: int, change: Callable[[Array], Array]) -> Change:
    """A change of one channel alone."""

    def changed(x: Array, random: np.random.Generator) -> Array:
        x[..., channel] = change(x[..., channel])
        return x

    return changed


def some_nan(x: Array, random: np.random.Generator) -> Array:
    """One value of one sample in ten."""
    flat = x.reshape(len(x), -1)
    flat[::10, 0] = np.nan
    return x
