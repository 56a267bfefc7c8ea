"""Dask clusters of real processes on this machine, and how one looks into them and kills some."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

PATIENCE = 300.0  # seconds, until a test that waits has failed: starting Python takes half a minute at times


class Cluster:
    """A running cluster."""

    def __init__(self, running: LocalCluster, client: Client) -> None:
        self.client = client
        self._running = running
        self.address = client.scheduler.address.removeprefix("tcp://")
        self.engine = f"dask={self.address}"

    def pids(self) -> dict[str, int]:
        """The process of each worker, by its address."""
        return dict(self.client.run(os.getpid))

    def kill(self) -> str:
        """Kill one worker, as the system does where memory runs out; its nanny starts another."""
        address, pid = sorted(self.pids().items())[0]
        os.kill(pid, signal.SIGKILL)
        return address

    def stop_workers(self) -> None:
        """Stop all for good."""
        self._running.scale(0)

    def wait_for_workers(self, count: int) -> None:
        self.client.wait_for_workers(count, timeout=PATIENCE)

    def tasks(self) -> list[str]:
        """What the scheduler still holds."""
        return self.client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))  # type: ignore[no-any-return]

    def leftovers(self) -> list[str]:
        """What lies in the workers' scratch folders that Dask itself did not make."""

        def look(dask_worker: Any) -> list[str]:
            names = os.listdir(dask_worker.local_directory)  # noqa: PTH208
            return [name for name in names if name != "storage"]

        return [name for found in self.client.run(look).values() for name in found]

    def until_clean(self) -> None:
        """Return when nothing of any run is left, which takes the scheduler a moment."""
        end = time.monotonic() + PATIENCE
        while self.tasks() or self.leftovers():
            assert time.monotonic() < end, (self.tasks(), self.leftovers())
            time.sleep(0.05)


@contextlib.contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """A scheduler and workers of one thread each, in processes that are started again when they die."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
            silence_logs=50,
        ) as running,
        Client(running, set_as_default=False) as client,
    ):  # fmt: skip
        yield Cluster(running, client)
    gc.collect()  # Dask leaves exceptions in tasks; found later, they are reported in the middle of something else


@contextlib.contextmanager
def dask(
    command: str, *arguments: str, folder: Path, python: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """``dask scheduler`` or ``dask worker`` in a process, killed at the end.

    Args:
        command: which of the two.
        arguments: its own.
        folder: for its scratch files, and for its log.
        python: arguments of Python that start it in another way.
    """
    start = python or ("-m", f"distributed.cli.dask_{command}")
    with (folder / f"{command}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *start, *arguments, "--no-dashboard"], stdout=log, stderr=log, cwd=folder,
            env={**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder)},
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def joined(cluster: Cluster, folder: Path, *python: str) -> Iterator[None]:
    """Another worker in a cluster that has none, as ``dask`` starts it."""
    address = cluster.client.scheduler.address
    with dask("worker", address, "--no-nanny", "--nthreads", "1", folder=folder, python=python):
        cluster.wait_for_workers(1)
        yield
    until(lambda: not cluster.client.nthreads())


def until(true: Callable[[], object]) -> None:
    """Return when something is true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until_somebody_listens(port: int) -> None:
    """Return when a process takes connections at a port."""

    def listens() -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
