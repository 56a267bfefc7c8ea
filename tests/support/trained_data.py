"""Data that models are trained on and judged by: pictures of digits, spectra and shapes.

Training and judging share no original: no digit that somebody wrote, and no seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.data.samples import Array
from edgekit.workflows.demo import digits

UNSEEN = 1400
"""Samples that training has not seen: to calibrate on, to choose by and to judge by."""


@dataclass(frozen=True, slots=True)
class Task:
    """Samples of one kind: as many as asked for to train on, and ``UNSEEN`` others."""

    training: Callable[[int], tuple[Array, Array]]
    """So many samples and their labels."""
    unseen: Callable[[], tuple[Array, Array]]


def digit_pictures(size: int, *, seen: int = 397, coloured: bool = True) -> Task:
    """scikit-learn's digits, enlarged, turned, moved and coloured; bytes, to save memory.

    Of the 1,797 digits ``seen`` are for training, over and over in other positions and colours. The others
    make the unseen pictures: one each, where there are enough, or else a few two.
    """
    images, labels = digits()

    def pictures(chosen: Array, seed: int) -> tuple[Array, Array]:
        random = np.random.default_rng(seed)
        drawn = [_enlarged(images[i, ..., 0], size, random) for i in chosen]
        if coloured:
            return np.stack([_coloured(p, random) for p in drawn]), labels[chosen]
        return np.stack([(255 * p).astype(np.uint8)[..., np.newaxis] for p in drawn]), labels[
            chosen
        ]

    others = len(images) - seen
    return Task(
        lambda count: pictures(np.arange(count) % seen, 1),
        lambda: pictures(seen + np.arange(UNSEEN) % others, 2),
    )


def _enlarged(image: Array, size: int, random: np.random.Generator) -> Array:
    """A digit of 8x8, in 0..1, as a picture: a little turned, moved, wider or narrower."""
    from scipy.ndimage import affine_transform

    angle = random.uniform(-0.2, 0.2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    step = turn * (10 / size / random.uniform(0.9, 1.1, 2))
    offset = 3.5 + random.uniform(-0.6, 0.6, 2) - step.sum(axis=1) * (size - 1) / 2
    picture: Array = affine_transform(image, step, offset, (size, size), np.float32, order=1)
    return picture


def _coloured(picture: Array, random: np.random.Generator) -> Array:
    """A bright digit on a dark ground that is lighter on one side, with the noise of a camera."""
    ink, paper = random.uniform(0.55, 1, 3), random.uniform(0, 0.35, 3)
    slope = np.linspace(*random.uniform(-0.1, 0.1, 2), len(picture))
    ground = paper + (slope[:, np.newaxis] + slope[::-1])[..., np.newaxis]
    coloured = ground + picture[..., np.newaxis] * (ink - ground)
    noisy = coloured + random.normal(0, 0.03, coloured.shape)
    return (255 * noisy.clip(0, 1)).astype(np.uint8)


_WORDS, _FRAMES, _BANDS = 12, 49, 10


def spectra() -> Task:
    """Twelve words as 49 frames of 10 bands: three tones that glide, differently in each word."""
    glides = np.random.default_rng(0).uniform(0, _BANDS - 1, (_WORDS, 3, 4))

    def spoken(count: int, seed: int) -> tuple[Array, Array]:
        random = np.random.default_rng(seed)
        labels = random.integers(0, _WORDS, count)
        return np.stack([_word(glides[word], random) for word in labels]), labels

    return Task(lambda count: spoken(count, 1), lambda: spoken(UNSEEN, 2))


def _word(glides: Array, random: np.random.Generator) -> Array:
    """One word: its tones by four points each, at another pace and pitch each time, in noise."""
    begin, end = random.uniform(0, 12), random.uniform(36, 48)
    time = ((np.arange(_FRAMES) - begin) / (end - begin)).clip(0, 1)
    heard = ((np.arange(_FRAMES) >= begin) & (np.arange(_FRAMES) <= end)).astype(np.float64)
    bands = np.arange(_BANDS)
    frames = random.normal(0, 0.6, (_FRAMES, _BANDS))
    pitch = random.normal(0, 0.7)
    for points in glides + random.normal(0, 0.6, glides.shape):
        tone = np.interp(time, np.linspace(0, 1, 4), points) + pitch
        loud = random.uniform(0.6, 1.6) * heard
        frames += 2 * loud[:, np.newaxis] * np.exp(-0.7 * (bands - tone[:, np.newaxis]) ** 2)
    return frames.astype(np.float32)[..., np.newaxis]


def shapes(size: int) -> Task:
    """Discs, squares and triangles in front of one another; the label is the shape at each pixel."""

    def scenes(count: int, seed: int) -> tuple[Array, Array]:
        random = np.random.default_rng(seed)
        made = [_scene(size, random) for _ in range(count)]
        return np.stack([scene for scene, _ in made]), np.stack([mask for _, mask in made])

    return Task(lambda count: scenes(count, 1), lambda: scenes(UNSEEN, 2))


def _scene(size: int, random: np.random.Generator) -> tuple[Array, Array]:
    y, x = np.mgrid[:size, :size] / size
    mask = np.zeros((size, size), np.uint8)
    scene = np.ones((size, size, 3)) * random.uniform(0.2, 0.8, 3)
    for kind in random.integers(1, 4, 3):
        (cy, cx), r = random.uniform(0.15, 0.85, 2), random.uniform(0.1, 0.22)
        angle = random.uniform(0, 2 * np.pi)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        inside = {
            1: u**2 + v**2 < r**2,
            2: np.maximum(abs(u), abs(v)) < 0.85 * r,
            3: (v > -0.6 * r) & (v < 1.2 * r - 1.8 * abs(u)),
        }[int(kind)]
        mask[inside] = kind
        scene[inside] = random.uniform(0, 1, 3)
    noisy = scene + random.normal(0, 0.06, scene.shape)
    return (255 * noisy.clip(0, 1)).astype(np.uint8), mask
