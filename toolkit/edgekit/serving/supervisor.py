"""The process that holds the socket: it starts the workers, and starts those again that die."""

import contextlib
import multiprocessing
import shutil
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from edgekit.serving.models import ServeError
from edgekit.serving.settings import Settings
from edgekit.serving.telling import Telling
from edgekit.serving.watching import fold
from edgekit.serving.worker import work

_BACKLOG = 2048
_SOONEST = 1.0
"""Seconds between two starts of a worker that dies at once."""

Tell = Callable[[str], object]


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    says: Connection
    started: float = field(default_factory=monotonic)


def serve(settings: Settings, tell: Tell) -> None:
    """Serve until SIGINT or SIGTERM; requests that run then are answered first.

    Args:
        settings: what to serve, and how.
        tell: is told what is served and where, when it is ready; then what changes.

    Raises:
        ServeError: the address is taken, the certificate cannot be used, or there is nothing to serve.
        RuntimesError: a model cannot be opened.
    """
    if sys.platform == "win32":
        raise ServeError(
            "edgekit serve is for Linux and macOS: Windows passes no open files on to workers."
        )
    if settings.tls is not None:
        _check_tls(*settings.tls)
    stop = _Stop()
    with _listening(settings) as listening, _figures() as folder, stop:
        spawn = multiprocessing.get_context("spawn")

        def started() -> _Worker:
            receiving, sending = spawn.Pipe(duplex=False)
            process = spawn.Process(target=work, args=(settings, listening, sending, folder))
            process.start()
            sending.close()
            return _Worker(process, receiving)

        telling = Telling(Path(folder), tell, settings.log)
        workers = [started() for _ in range(settings.workers)]
        try:
            lines = [_ready(worker) for worker in workers]
            for line in lines[0]:
                tell(line)
            tell(f"listening on {address(settings, listening)}/v2")
            _watch(workers, started, stop, tell, folder, settings.workers > 1, telling)
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.join()
            telling.look(last=True)


def address(settings: Settings, listening: socket.socket) -> str:
    """Where the server is, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http{'s' if settings.tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def _check_tls(certificate: Path, key: Path) -> None:
    """Refuse what every worker would end on."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate, key, password=lambda: ""
        )
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise ServeError(
            f"{certificate}, {key}: no certificate with its private key, in PEM and not encrypted: {error}."
        ) from error


def _watch(
    workers: list[_Worker],
    started: Callable[[], _Worker],
    stop: "_Stop",
    tell: Tell,
    folder: str,
    several: bool,
    telling: Telling,
) -> None:
    """Start a worker again that died, and pass on what workers tell."""
    while not stop.wanted:
        sources: list[Any] = [w.process.sentinel for w in workers] + [w.says for w in workers]
        telling.look()
        for source in wait(sources, timeout=0.5):
            for number, worker in enumerate(workers):
                if source is worker.says:
                    with contextlib.suppress(EOFError, OSError):
                        kind, content = worker.says.recv()
                        if kind == "told":
                            tell(content)
                        elif kind == "failed":
                            tell(f"a worker could not open the models: {content}")
                elif source == worker.process.sentinel and not stop.wanted:
                    worker.process.join()
                    worker.says.close()
                    fold(Path(folder), worker.process.pid or 0)
                    if several:
                        _forget(worker, folder)
                    tell(f"a worker ended ({_how(worker.process.exitcode)}); another is started")
                    sleep(max(0.0, _SOONEST - (monotonic() - worker.started)))
                    workers[number] = started()
                    break


def _ready(worker: _Worker) -> list[str]:
    """What a worker serves, once it is ready; the error where it is not."""
    try:
        kind, content = worker.says.recv()
    except (EOFError, OSError):
        worker.process.join()
        raise ServeError(
            f"a worker ended before it was ready ({_how(worker.process.exitcode)})."
        ) from None
    if kind == "failed":
        raise content
    return list(content)


def _how(status: int | None) -> str:
    return f"signal {-status}" if status is not None and status < 0 else f"status {status}"


def _forget(worker: _Worker, folder: str) -> None:
    """Take the gauges of a dead worker out of the sums."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.process.pid, folder)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The socket that all workers share: while one starts again, the system keeps its callers waiting."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Only of a socket that says so does asyncio switch off Nagle's algorithm, which costs 40 ms an answer.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ServeError(f"{settings.host}:{settings.port}: {reason}.") from error
        listening.listen(_BACKLOG)
        yield listening


@contextlib.contextmanager
def _figures() -> Iterator[str]:
    """A folder for the figures of the workers, which nobody else can read."""
    folder = tempfile.mkdtemp(prefix="edgekit-metrics-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Stop:
    """Within, SIGINT and SIGTERM only note that the end is wanted."""

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Stop":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self.wanted = True
