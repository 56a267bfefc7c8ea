"""Run a model on stored samples, and store its outputs."""

from pathlib import Path

import numpy as np

from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.inference.tensor_names import MappedSession
from edgekit_runtimes import Session

_BATCH = 32


def record(session: Session | MappedSession, samples: StoredArrays, folder: Path) -> StoredArrays:
    """Run every sample, on all cores, and store the outputs on disk.

    Args:
        session: the model.
        samples: by input name.
        folder: a new one, for the outputs.
    """
    writer = ArrayWriter(folder)
    if session.device == "keras":  # uses all cores for a batch by itself
        for batch in samples.batches(_BATCH):
            writer.add(session.run(batch))
    else:
        for outputs in session.map(samples):
            writer.add({name: array[np.newaxis] for name, array in outputs.items()})
    return writer.close()
