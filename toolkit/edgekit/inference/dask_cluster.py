"""A Dask cluster, connected, and found fit: its workers compute the bits that this machine would."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

from edgekit.inference.place import ClusterError
from edgekit.inference.surroundings import Surroundings, difference, surroundings

if TYPE_CHECKING:
    from distributed import Client

_CONNECT = 30.0  # seconds for the scheduler to answer, on a machine that may have much to do
_WORKERS = 10.0  # seconds for the first worker to be there, of a cluster that is just being started
_OURS = "edgekit-toolkit"
_SAME = (_OURS, "distributed", "dask")
"""What the scheduler and its workers need in the version that this machine has, to understand each other."""


@contextmanager
def connected(name: str, address: str) -> Iterator["Client"]:
    """A client of the scheduler at an address, which ``distributed``'s own configuration may give keys for TLS.

    Args:
        name: the engine, as messages call it.
        address: ``HOST:PORT``.

    Raises:
        ClusterError: no scheduler answers there, or its workers are not fit.
    """
    from distributed import Client

    try:
        # Dask tries for as long as it may where nobody listens, and says only that it timed out.
        socket.create_connection(_host_and_port(address), timeout=_CONNECT).close()
        client = Client(address, timeout=_CONNECT, set_as_default=False, name="edgekit")
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ClusterError(
            f"{name}: no Dask scheduler answers there ({_reason(error)}). 'dask scheduler' starts one, and "
            'prints its address; engine="local" does without.'
        ) from error
    try:
        _check_scheduler(client, name)
        _check_workers(client, name)
        yield client
    finally:
        client.close(timeout=_CONNECT)


def unfit(name: str, worker: str, theirs: Surroundings) -> ClusterError:
    """The error of a worker that would compute something else than this machine."""
    apart = difference(surroundings(), theirs)
    return ClusterError(f"{name}: the worker {worker} on {theirs.host} {apart}.")


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)


def _check_scheduler(client: "Client", name: str) -> None:
    for package in _SAME:
        try:
            there = client.run_on_scheduler(metadata.version, package)
        except metadata.PackageNotFoundError:
            there = None
        _check_version(name, "its scheduler", package, there)


def _check_workers(client: "Client", name: str) -> None:
    since = time.monotonic()
    while not client.nthreads():
        if time.monotonic() - since > _WORKERS:
            raise ClusterError(
                f"{name}: the scheduler has no workers. Start one on each machine: "
                f"dask worker {name.partition('=')[2]} --nthreads 1 --nworkers auto"
            )
        time.sleep(0.2)
    for package in _SAME:
        for worker, there in _asked(client, name, metadata.version, package).items():
            found = None if isinstance(there, metadata.PackageNotFoundError) else there
            _check_version(name, f"the worker {worker}", package, found)
    for worker, theirs in _asked(client, name, surroundings).items():
        if theirs.key != surroundings().key:
            raise unfit(name, worker, theirs)


def _check_version(name: str, whose: str, package: str, there: str | None) -> None:
    try:
        here = metadata.version(package)
    except metadata.PackageNotFoundError:  # edgekit that runs from its source, as it is found
        return
    if there == here:
        return
    said = f"has no {package}" if there is None else f"has {package} {there}"
    extra = "'edgekit-toolkit[cluster,litert,onnx]'"
    raise ClusterError(
        f"{name}: {whose} {said}; here is {here}. Install the same in all places ({extra}), and start it again."
    )


def _asked(
    client: "Client", name: str, function: Callable[..., Any], *arguments: Any
) -> Mapping[str, Any]:
    """What a function returns on each worker; of one that is gone meanwhile, nothing."""
    answers = client.run(function, *arguments, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception) and not isinstance(
            answer, (OSError, metadata.PackageNotFoundError)
        ):
            raise ClusterError(f"{name}: the worker {worker}: {_reason(answer)}.") from answer
    return {at: answer for at, answer in answers.items() if not isinstance(answer, OSError)}


def _reason(error: BaseException) -> str:
    """An error in a line, with the one that it came from, which says more."""
    told = error.__cause__ or error
    lines = str(told).strip().splitlines() or [""]
    return f"{type(told).__name__}: {lines[0]}" if lines[0] else type(told).__name__
