"""Where a search computes all that is not timed: by its engine, and here from when that is lost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from edgekit.data.store import StoredArrays
from edgekit.inference.place import ClusterError, Executor
from edgekit.inference.shared_function import call_by
from edgekit.inference.tensor_names import ModelInterface
from edgekit.progress import Progress
from edgekit.workflows.candidates import record_by
from edgekit_runtimes import Session

V = TypeVar("V")
R = TypeVar("R")


@dataclass(slots=True)
class Elsewhere:
    """An executor; what a lost one leaves is computed here, to the same bits, and a note says so."""

    executor: Executor | None
    folder: Path
    """For outputs, and for what is sent."""
    notes: list[str] = field(default_factory=list)
    _names: "count[int]" = field(default_factory=count)

    def record(
        self,
        session: Session,
        original: ModelInterface,
        samples: StoredArrays,
        progress: Progress,
    ) -> StoredArrays:
        """The outputs of a file that is open here."""
        while True:
            folder = self.folder / f"outputs {next(self._names)}"
            try:
                return record_by(
                    self.executor, session, original, samples, folder, progress, reused=True
                )
            except ClusterError as error:
                self._lose(error)

    def map(self, function: Callable[[V], R], values: Sequence[V]) -> Iterator[R]:
        """What a function of edgekit returns for each value, in order."""
        given = 0
        if self.executor is not None and self.executor.elsewhere:
            file = self.folder / f"function {next(self._names)}"
            try:
                for result in call_by(self.executor, function, values, file):
                    yield result
                    given += 1
            except ClusterError as error:
                self._lose(error)
        yield from map(function, values[given:])

    def _lose(self, error: ClusterError) -> None:
        """Go on without the executor: a search that was paid for is not lost with it."""
        self.executor = None
        self.notes.append(f"From then on all was computed on this machine: {error}")
