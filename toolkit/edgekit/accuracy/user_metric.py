"""A metric that is a function of the user's, ``module:function``."""

import numpy as np

from edgekit.data.functions import import_function, users_code
from edgekit.data.samples import Array, DataError


class UserMetric:
    """A user's function of labels and outputs, with the samples that it is to be computed of.

    Nobody knows what it needs of a sample, so all labels and outputs are kept, and a sample's statistic is
    its index among them.
    """

    def __init__(self, name: str) -> None:
        function = import_function(name)
        if not callable(function):
            raise DataError(f"metric {name}: {type(function).__name__} is no function.")
        self.name = name
        self.function = function
        self.higher_is_better = not getattr(function, "lower_is_better", False)
        self._batches: list[tuple[Array, Array]] = []

    def per_sample(self, labels: Array, outputs: Array) -> Array:
        """Keep a batch, and give the indices of its samples."""
        start = sum(len(batch) for batch, _ in self._batches)
        self._batches.append((labels, outputs))
        return np.arange(start, start + len(labels))[:, np.newaxis]

    def value(self, indices: Array) -> float:
        """Call the function with the labels and outputs of these samples.

        Raises:
            DataError: it raises an error, or returns no number.
        """
        if len(self._batches) > 1:
            labels, outputs = (
                np.concatenate(arrays) for arrays in zip(*self._batches, strict=True)
            )
            self._batches = [(labels, outputs)]
        labels, outputs = (array[indices[:, 0]] for array in self._batches[0])
        with users_code(f"metric {self.name}"):
            return float(self.function(labels, outputs))
