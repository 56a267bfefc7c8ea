"""``TensorSamples``: the reference of a tensor, of samples that are read batch by batch."""

from collections.abc import Sequence

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.monitoring.bins import distribution_of
from edgekit_runtimes.monitoring.reference import Activation, Meaning, TensorReference
from edgekit_runtimes.monitoring.statistics import (
    CLASSES,
    layout_of,
    meaning_of,
    measure,
    thin,
)

_ROWS = 64  # samples that are measured at once


class TensorSamples:
    """Samples of one input or output, of which the statistics are kept and nothing else.

    >>> samples = TensorSamples((3,), low=0.0, high=1.0)
    >>> samples.add(np.random.default_rng(0).uniform(size=(100, 3)))
    >>> reference = samples.reference()
    >>> reference.samples, [one.statistic for one in reference.statistics]
    (100, ['value', 'value', 'value', 'mean', 'spread', 'outside'])
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        low: float,
        high: float,
        task: str = "values",
        activation: Activation = "none",
    ) -> None:
        """Begin with no samples.

        Args:
            shape: of one sample.
            low: of the calibrated range.
            high: of the calibrated range.
            task: what the tensor predicts, where it is an output, as ``Postprocessing.task`` says.
            activation: what makes probabilities of it.
        """
        meaning: Meaning = meaning_of(tuple(shape), task)
        self._activation = activation
        self._layout = layout_of(tuple(shape), meaning, activation, low, high)
        self._values: list[Array] = []
        self._classes: list[Array] = []
        self._samples = self._not_finite = 0

    def add(self, batch: Array) -> None:
        """Add samples, batch axis first."""
        for start in range(0, len(batch), _ROWS):
            rows = np.asarray(batch[start : start + _ROWS])
            measured = measure(self._layout, thin(self._layout, rows))
            self._values.append(measured.values)
            self._samples += len(measured.finite)
            self._not_finite += int((~measured.finite).sum())
            if measured.classes is not None:
                self._classes.append(measured.classes[measured.finite])

    def reference(self) -> TensorReference:
        """What these samples are like.

        Raises:
            ValueError: there were none.
        """
        if not self._values:
            raise ValueError("no samples to make a reference of")
        values = np.concatenate(self._values)
        layout = self._layout
        return TensorReference(
            layout.shape,
            layout.meaning,
            self._activation,
            layout.low,
            layout.high,
            self._samples,
            self._not_finite,
            tuple(
                distribution_of(statistic, channel, values[:, column])
                for column, (statistic, channel) in enumerate(layout.names)
            ),
            self._counted(),
        )

    def _counted(self) -> tuple[int, ...]:
        if not self._classes:
            return ()
        classes = np.concatenate(self._classes)
        if self._layout.meaning == "classes":
            count = self._layout.shape[-1]
        elif self._layout.meaning == "binary":
            count = 2
        else:  # classes that no sample had are counted as the one after the last
            count = min(CLASSES, int(classes.max(initial=0)) + 2)
        return tuple(np.bincount(classes, minlength=count).tolist())
