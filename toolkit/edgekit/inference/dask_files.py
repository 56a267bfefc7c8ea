"""Shared files on their way to the workers of a Dask cluster: each worker is sent each once, in pieces."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgekit.inference.dask_worker import Lease, begin, receive
from edgekit.inference.place import ClusterError, Shared

if TYPE_CHECKING:
    from distributed import Client, Future

_PIECE = 8 << 20  # bytes in one message


class SharedFolders:
    """The folders of one run, on all workers that it has reached."""

    def __init__(self, client: "Client", name: str) -> None:
        """Nothing is sent yet; ``name`` is what messages call the cluster."""
        self.run = uuid.uuid4().hex
        self._client, self._name = client, name
        self._leases: dict[str, Future] = {}

    def supply(self, wanted: Mapping[str, Iterable[Shared]]) -> None:
        """Make the run known to workers that do not know it, and send them the files that they lack.

        Args:
            wanted: by worker, the files.

        Raises:
            ClusterError: a worker cannot store them.
        """
        there = [worker for worker in wanted if worker in self._client.nthreads()]
        if not there:  # all died meanwhile; their items are computed elsewhere
            return
        needed: dict[Shared, list[str]] = {}
        for worker, (is_new, held) in self._call(there, begin).items():
            if is_new:
                # A value without a task: nothing computes it elsewhere when the worker dies.
                self._leases[worker] = self._client.scatter(
                    Lease(self.run), workers=[worker], hash=False
                )
            for shared in set(wanted[worker]):
                if shared.digest not in held:
                    needed.setdefault(shared, []).append(worker)
        for shared, workers in needed.items():
            for name, start, piece, last in _pieces(shared):
                self._call(workers, receive, shared, name, start, piece, last)

    def close(self) -> None:
        """Let go of the folders: the workers remove them."""
        for lease in self._leases.values():
            lease.release()
        self._leases.clear()

    def _call(self, workers: list[str], function: Any, *arguments: Any) -> dict[str, Any]:
        """What a function of the run returns on each of some workers; without those that died."""
        from distributed.comm import CommClosedError

        answers = self._client.run(
            function, self.run, *arguments, workers=workers, on_error="return"
        )
        alive = {}
        for worker, answer in answers.items():
            if isinstance(answer, (CommClosedError, TimeoutError)):
                continue
            if isinstance(answer, Exception):
                raise ClusterError(
                    f"{self._name}: the worker {worker} cannot take the files that it needs: {answer}."
                ) from answer
            alive[worker] = answer
        return alive


def _pieces(shared: Shared) -> Iterator[tuple[str, int, bytes, bool]]:
    """Of every file: its name, the piece's position, its bytes, and whether it is the last of all."""
    for name in shared.names:
        with (shared.folder / name).open("rb") as file:
            start, piece = 0, file.read(_PIECE)
            while True:
                following = file.read(_PIECE)
                yield name, start, piece, not following and name == shared.names[-1]
                if not following:
                    break
                start, piece = start + len(piece), following
