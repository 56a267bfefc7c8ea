"""One worker process of a server: the application on a socket that all workers share."""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import sleep
from typing import Any

from edgekit.errors import errors
from edgekit.serving.settings import Settings

_LOOKS = 0.5
"""Seconds between two looks at the calls that run, and at the folders."""
_GRACE = 30
"""Seconds for requests that run when the server is stopped."""


def work(settings: Settings, listening: socket.socket, tell: Connection, folder: str) -> None:
    """Open the models, say so, and answer until the process is told to stop.

    Args:
        settings: of the server.
        listening: the socket, which is bound.
        tell: where to say ``("ready", lines)`` or ``("failed", error)``, and what is reloaded.
        folder: where workers keep their figures.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor tells when to stop
    if settings.workers > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read when its package is imported
    import uvicorn

    from edgekit.serving.app import application
    from edgekit.serving.connections import patient_for
    from edgekit.serving.guard import Application, with_log, with_token, with_trace
    from edgekit.serving.infer import BodyLimits
    from edgekit.serving.metrics import Metrics
    from edgekit.serving.models import Models
    from edgekit.serving.runner import Runner
    from edgekit.serving.shadow import shadow_of
    from edgekit.serving.watching import Watched, Watching

    metrics = Metrics(folder if settings.workers > 1 else None)
    watching = Watching(Path(folder))
    starting = True

    def opened(path: Path, name: str, version: str) -> Runner:
        runner = Runner(
            path,
            device=settings.device,
            threads=settings.threads,
            key=settings.key,
            waiting=settings.waiting,
            timeout=settings.timeout,
            restarted=metrics.restarts.labels(name).inc,
        )
        try:
            watched = Watched(name, version, runner.opened, settings)
            watched.shadow = shadow_of(runner.opened, path, name, settings)
        except errors() as error:
            if starting:
                runner.close()
                raise
            tell.send(("told", f"{name} {version}: without a shadow from now on: {error}"))
        runner.watch = watched.see
        runner.closed = watching.add(watched)
        return runner

    models = Models(opened)
    try:
        for name, path in settings.models:
            models.add(name, path)
    except errors() as error:
        models.close()
        tell.send(("failed", error))
        return
    starting = False
    app: Application = application(
        models, metrics, BodyLimits(settings.most_bytes, settings.timeout), watching
    )
    app = with_trace(app)
    if settings.token is not None:
        app = with_token(app, settings.token)
    if settings.log:
        app = with_log(app)
    certificate, key = settings.tls or (None, None)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=patient_for(settings.header_seconds),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=settings.connections,
            timeout_graceful_shutdown=_GRACE,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )

    def stop(*_: object) -> None:
        server.should_exit = True

    signal.signal(signal.SIGTERM, stop)  # until uvicorn has its own, and when it raises that again
    threading.Thread(target=partial(_look, models, watching, stop), daemon=True).start()
    shadows = [str(w.shadow) for w in watching.watched if w.shadow is not None]
    lines = [line for served in models for line in _lines(served)]
    tell.send(("ready", [*lines, *shadows]))
    if settings.reload:
        threading.Thread(target=partial(_reload, models, tell), daemon=True).start()
    server.run(sockets=[listening])
    watching.stopping = True
    models.close()
    watching.write()


def _lines(served: Any) -> list[str]:
    """What is served, and what the runtime is known to compute wrongly in it."""
    opened = served.runner.opened
    batch = f", up to {opened.batch} samples at once" if opened.batch > 1 else ""
    return [
        f"{served.name} {served.version}: {opened.file} on {opened.device}, "
        f"{1000 * opened.seconds:.3g} ms a sample{batch}",
        *(f"warning: {opened.file}: {fault}" for fault in opened.faults),
    ]


def _look(models: Any, watching: Any, stop: Callable[[], None]) -> None:
    """End calls that take too long; and the process, where the supervisor has been killed."""
    supervisor = multiprocessing.parent_process()
    while True:
        sleep(_LOOKS)
        for served in models:
            served.runner.expire()
        watching.write()
        if supervisor is not None and not supervisor.is_alive():
            stop()


def _reload(models: Any, tell: Connection) -> None:
    while True:
        sleep(_LOOKS)
        for line in models.reload():
            tell.send(("told", line))
