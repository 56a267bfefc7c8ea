"""Per-sample statistics of a file's outputs compared with the original's.

Scores are shaped (samples, predictions, classes), values (samples, values).
"""

from math import inf, isfinite, log10

import numpy as np

from edgekit.data.samples import Array


def unchanged(original: Array, scores: Array) -> Array:
    """Count predictions that are the original's, and all predictions."""
    same = original.argmax(axis=-1) == scores.argmax(axis=-1)
    return np.stack([same.sum(axis=1), np.full(len(same), same.shape[1])], axis=1)


def unchanged_indices(original: Array, indices: Array) -> Array:
    """Count class indices that are the original's, and all indices."""
    same = original == indices
    return np.stack([same.sum(axis=1), np.full(len(same), same.shape[1])], axis=1)


def cosine(original: Array, values: Array) -> Array:
    """The cosine similarity of each sample's vector; two vectors of zeros are equal."""
    norms = np.linalg.norm(original, axis=1) * np.linalg.norm(values, axis=1)
    inner = (original * values).sum(axis=1)
    same = (original == values).all(axis=1).astype(float)
    cosines: Array = np.divide(inner, norms, out=same, where=norms > 0)[:, np.newaxis]
    return cosines


def signal_and_noise(original: Array, values: Array) -> Array:
    """Sum the squares of the original's values, and those of the errors."""
    return np.stack([(original**2).sum(axis=1), ((values - original) ** 2).sum(axis=1)], axis=1)


def sqnr(means: Array) -> Array:
    """10 log10(sum of original^2 / sum of error^2), in dB; inf where there is no error."""
    return np.array([sqnr_db(float(signal), float(noise)) for signal, noise in means])


def sqnr_db(signal: float, noise: float) -> float:
    """Signal to noise in dB, of sums of squares: inf without noise, -inf without signal or with NaN."""
    if not isfinite(noise):
        return -inf
    return inf if noise == 0 else -inf if signal == 0 else 10 * log10(signal / noise)


def divergence(original: Array, scores: Array) -> Array:
    """Kullback and Leibler's divergence of the original's probabilities from the file's, in nats."""
    p, q = (np.clip(_probabilities(x, original), 1e-7, 1) for x in (original, scores))
    apart: Array = (p * np.log(p / q)).sum(axis=-1).mean(axis=1, keepdims=True)
    return np.maximum(apart, 0)  # float64 may round to just below it


def _probabilities(scores: Array, original: Array) -> Array:
    """Apply softmax, unless the original's scores are probabilities."""
    if original.min() >= 0 and np.allclose(original.sum(axis=-1), 1, atol=1e-3):
        return scores
    powers: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scaled: Array = powers / powers.sum(axis=-1, keepdims=True)
    return scaled


def largest_error(original: Array, values: Array) -> Array:
    """The largest absolute error of each sample."""
    errors: Array = np.abs(values - original).max(axis=1, keepdims=True, initial=0)
    return errors
