"""A model run on stored samples, its outputs kept on disk."""

from pathlib import Path

import numpy as np

from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.inference.tensor_names import Renamed
from edgekit_runtimes import Session

_BATCH = 32


def record(session: Session | Renamed, samples: StoredArrays, folder: Path) -> StoredArrays:
    """Runs every sample, on all processors, and keeps the outputs on disk."""
    store = ArrayWriter(folder)
    if session.device == "keras":  # spreads a batch over the processors itself
        for batch in samples.batches(_BATCH):
            store.add(session.run(batch))
    else:
        for answer in session.map(samples):
            store.add({name: array[np.newaxis] for name, array in answer.items()})
    return store.close()
