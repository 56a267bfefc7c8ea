"""Dask clusters of real processes on this machine, and how one looks into them and kills some."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster


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
        self.client.wait_for_workers(count, timeout=30)

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
        end = time.monotonic() + 10
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
def worker_process(
    cluster: Cluster, folder: Path, *python: str, environment: Mapping[str, str] = {}
) -> Iterator[None]:
    """Another worker, in a Python of its own: with other arguments, or another environment.

    Args:
        cluster: which it joins.
        folder: for its scratch files and its log.
        python: arguments of Python that start ``dask worker``.
        environment: variables that it has beside those of this process.
    """
    start = python or ("-m", "distributed.cli.dask_worker")
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *start, cluster.client.scheduler.address, "--no-nanny", "--no-dashboard",
             "--nthreads", "1", "--local-directory", str(folder)],
            env={**os.environ, **environment}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        cluster.wait_for_workers(1)
        yield
    finally:
        process.kill()
        process.wait()
        until(lambda: not cluster.client.nthreads())


def until(true: Callable[[], object]) -> None:
    """Return when something is true."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
