"""Samples for trained models: faces, DNA, English text, tones."""

from typing import Any

import numpy as np

from clients.environments import TRAINED

Array = Any


def faces(size: int) -> Array:
    """scikit-image's 100 faces and 100 other patches, as pixels of another size."""
    from PIL import Image

    patches = (np.load(TRAINED / "skimage/data/lfw_subset.npy") * 255).astype(np.uint8)
    sized = [np.asarray(Image.fromarray(p).resize((size, size))) for p in patches]
    return np.stack(sized)[np.random.default_rng(0).permutation(len(sized)), ..., np.newaxis]


def bases(count: int, judged: int = 3000, around: int = 5000) -> tuple[Array, Array]:
    """Random DNA, one-hot, in which exons with the bases that mark their ends are planted.

    Returns:
        The bases, and of each that is judged: 0, or 1 for the first of an exon, or 2 for its last.
    """
    random = np.random.default_rng(0)
    length = judged + 2 * around
    rows = np.zeros((count, length, 4), np.float32)
    kinds = np.zeros((count, length), int)
    for row, kind in zip(rows, kinds, strict=True):
        letters = random.choice(list("ACGT"), length, p=[0.29, 0.21, 0.21, 0.29])
        for start in range(int(random.integers(300, 900)), length - 900, 1500):
            end = start + int(random.integers(100, 200))
            tract = "".join(random.choice(list("TC"), 22, p=[0.7, 0.3]))
            _write(letters, start - 40, "TACTAAC")  # where the lariat closes
            _write(letters, start - 25, tract + "CAGG")
            _write(letters, end - 2, "CAGGTAAGT")
            kind[start], kind[end] = 1, 2
        row[np.arange(length), ["ACGT".index(letter) for letter in letters]] = 1
    return rows, kinds[:, around : around + judged]


def _write(letters: Array, at: int, text: str) -> None:
    letters[at : at + len(text)] = list(text)


def text_windows(numbers: dict[str, int], width: int, count: int) -> tuple[Array, Array]:
    """English prose of scikit-learn's descriptions of its data, as numbers of characters.

    Returns:
        Windows of ``width`` characters, and the character that comes after each.
    """
    from importlib.resources import files

    folder = files("sklearn.datasets") / "descr"
    prose = " ".join(
        " ".join(block.split())
        for page in ("digits.rst", "wine_data.rst", "breast_cancer.rst", "california_housing.rst")
        for block in (folder / page).read_text(encoding="utf-8").split("\n\n")
        if block.count(" ") > 30 and not set("|=:") & set(block)
    )
    known = np.array([numbers[letter] for letter in prose if letter in numbers], np.int32)
    starts = np.random.default_rng(0).choice(len(known) - width - 1, count, replace=False)
    return np.stack([known[s : s + width] for s in starts]), known[starts + width]


def tones(
    count: int, length: int = 1024, rate: int = 16000, *, changing: bool = False
) -> tuple[Array, Array]:
    """Sounds of some overtones with some noise, of mean 0 and deviation 1, and their pitches in cents above 10 Hz.

    Args:
        count: how many.
        length: samples of each.
        rate: samples a second.
        changing: another pitch four times in each; its pitch is the last.
    """
    random = np.random.default_rng(0)
    rows, pitches = [], []
    for _ in range(count):
        cents = random.uniform(3000, 6000, 4 if changing else 1)
        pitch = 10 * 2 ** (cents.repeat(-(-length // len(cents)))[:length] / 1200)
        phase = 2 * np.pi * np.cumsum(pitch) / rate
        parts = [
            random.uniform(0.2, 1) / k * np.sin(k * phase + random.uniform(0, 6))
            for k in range(1, 9)
        ]
        sound = np.sum(parts, axis=0) + random.normal(0, 0.05, length)
        rows.append((sound - sound.mean()) / sound.std())
        pitches.append(cents[-1])
    return np.float32(rows), np.array(pitches)
