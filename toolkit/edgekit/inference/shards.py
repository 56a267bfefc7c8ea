"""Outputs of files on stored samples, a shard of the samples at a time, wherever an executor computes them.

A shard travels once, for all files, and what comes back is written as ``record`` writes it. Samples that
one file after the other is to run on travel once, too: as files that each worker keeps.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from edgekit.data.samples import Array
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.inference.place import Executor, Place, Shared
from edgekit.inference.surroundings import COMPARED
from edgekit.inference.tensor_names import MappedSession
from edgekit.progress import Progress, advances
from edgekit_runtimes import DEVICES, Session, open_model

_BYTES = 4 << 20  # of a shard's samples and outputs
_IN_FLIGHT = 256 << 20  # bytes of all shards under way
_ROWS = 512  # of a shard: what a worker that dies costs
_EACH = 4  # shards for each of those who work, so that the slowest does not hold up all for long
_REUSED = 1 << 30  # bytes of samples that each worker keeps
_LARGE = 500_000_000  # bytes of files that are not all open at once


@dataclass(frozen=True, slots=True)
class FileToRun:
    """A file on a device, with the names that the original calls its inputs and outputs by."""

    file: Shared
    device: str
    """Its exact name."""
    inputs: Mapping[str, str]
    """From the original's names to the file's."""
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowsOfFiles:
    """Some of the samples that each worker has as files."""

    files: Shared
    samples: StoredArrays
    """As they are on the machine that asks."""
    start: int
    count: int

    def read(self, place: Place) -> dict[str, Array]:
        """The samples, on the machine that computes."""
        here = replace(self.samples, folder=place.path(self.files).parent)
        return here.rows(self.start, self.count)


@dataclass(frozen=True, slots=True)
class Shard:
    """Some samples, and the files to run on them."""

    files: tuple[FileToRun, ...]
    rows: Mapping[str, Array] | RowsOfFiles
    keep_open: bool
    """Whether the files stay open for the next shard."""


def runs_elsewhere(session: Session) -> bool:
    """Whether another machine with the same packages would compute the same: on a CPU, by a compared package."""
    suffix = Path(session.path).suffix
    found = [d for d in DEVICES if d.name == session.device and suffix in d.suffixes]
    return any(d.kind == "cpu" and d.packages and set(d.packages) <= set(COMPARED) for d in found)


def file_to_run(executor: Executor, session: MappedSession, files: Sequence[Path]) -> FileToRun:
    """An open file as what a shard names; ``files`` are those that it consists of, itself first."""
    shared = executor.share(*files)
    return FileToRun(shared, session.device, dict(session.inputs), dict(session.outputs))


def record_shards(
    executor: Executor,
    files: Sequence[FileToRun],
    samples: StoredArrays,
    folders: Sequence[Path],
    *,
    batch: int = 1,
    output_bytes: int = 0,
    reused: bool = False,
    progress: Progress,
) -> list[StoredArrays]:
    """Run every sample through every file, and store the outputs on disk.

    Args:
        executor: where.
        files: what.
        samples: by the original's input names.
        folders: a new one for the outputs of each file.
        batch: the greatest batch size that is fixed in one of the files.
        output_bytes: of one sample, of all files together, as far as is known.
        reused: whether other files will run on the same samples, which the workers keep where they are few.
        progress: if a watcher, is told how many samples are done.
    """
    size = _rows(samples, output_bytes, batch, executor.width)
    keep_open = sum(file.file.bytes for file in files) < _LARGE
    kept = reused and sum(samples.path(n).stat().st_size for n in samples.shapes) <= _REUSED
    pieces = _of_files(executor, samples, size) if kept else samples.batches(size)
    shards = (Shard(tuple(files), rows, keep_open) for rows in pieces)
    advance = advances(progress)

    def finished(count: int) -> None:
        advance(min(count * size, len(samples)), len(samples))

    writers = [ArrayWriter(folder) for folder in folders]
    for results in executor.map(run_shard, shards, finished):
        for writer, outputs in zip(writers, results, strict=True):
            writer.add(outputs)
    return [writer.close() for writer in writers]


def _of_files(executor: Executor, samples: StoredArrays, size: int) -> Iterator[RowsOfFiles]:
    shared = executor.share(*(samples.path(name) for name in samples.shapes))
    plain = replace(samples, watch=None)
    for start in range(0, len(samples), size):
        yield RowsOfFiles(shared, plain, start, size)


def run_shard(shard: Shard, place: Place) -> list[dict[str, Array]]:
    """The outputs of each file for a shard's samples, by the original's names."""
    results = []
    rows = shard.rows.read(place) if isinstance(shard.rows, RowsOfFiles) else shard.rows
    for number, file in enumerate(shard.files):
        opened = partial(open_model, place.path(file.file), device=file.device, trust=True)
        with ExitStack() as stack:
            if shard.keep_open:
                key = file.file.digest, file.device
                session = place.keep(("session", number), key, opened)
            else:
                session = stack.enter_context(opened())
            mapped = MappedSession(session, file.inputs, file.outputs)
            outputs = [mapped.run(batch) for batch in _batches(rows, session)]
        results.append({name: np.concatenate([o[name] for o in outputs]) for name in outputs[0]})
    return results


def _batches(rows: Mapping[str, Array], session: Session) -> Iterator[dict[str, Array]]:
    """All rows where the batch size is fixed in the file, which the session minds; else one by one."""
    count = len(next(iter(rows.values())))
    size = 1 if session.inputs[0].shape[0] is None else count
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in rows.items()}


def _rows(samples: StoredArrays, output_bytes: int, batch: int, width: int) -> int:
    """How many samples make a shard."""
    row = output_bytes + sum(
        math.prod(shape) * np.dtype(samples.dtypes[name]).itemsize
        for name, shape in samples.shapes.items()
    )
    affordable = min(_BYTES, _IN_FLIGHT // (2 * width)) // max(row, 1)
    rows = max(1, min(affordable, _ROWS, -(-len(samples) // (_EACH * width))))
    return -(-rows // batch) * batch
