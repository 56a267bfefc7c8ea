"""``edgekit serve``: models as a service, by the Open Inference Protocol."""

import ipaddress
from pathlib import Path

import click

from edgekit.cli.console import errors, say, tell
from edgekit.cli.options import threads_option

_MIB = 1 << 20


@click.command(short_help="Serve models over HTTP.")
@click.argument("models", nargs=-1, required=True, metavar="[NAME=]DIR...")
@click.option(
    "--device",
    metavar="DEVICE",
    default="auto",
    show_default=True,
    help="cpu, gpu, npu, auto (the fastest), or a name that `edgekit devices` lists.",
)
@threads_option
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PUB",
    help="Serve only folders that are signed by this public key.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for one that is free.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    default=1,
    show_default=True,
    help="Processes that answer; each opens every model.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Answer only who shows the bearer token in this file.",
)
@click.option(
    "--tls",
    nargs=2,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CERT KEY",
    help="Serve HTTPS by this certificate and its key.",
)
@click.option(
    "--max-body",
    type=click.FloatRange(0, min_open=True),
    metavar="MIB",
    default=64.0,
    show_default=True,
    help="The largest body of a request.",
)
@click.option(
    "--queue",
    type=click.IntRange(1),
    metavar="N",
    default=64,
    show_default=True,
    help="Requests that may wait for a model, in each worker; others are told to try again later.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="The longest that a body may take to arrive, and a call to run.",
)
@click.option("--reload", is_flag=True, help="Take a folder into use again when it has changed.")
@click.option(
    "--no-monitor",
    is_flag=True,
    help="Do not compare inputs and outputs with the calibration data.",
)
@click.option(
    "--keep-samples",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep samples that a change of the inputs began with, at most 200 of each model.",
)
@click.option(
    "--shadow",
    "shadows",
    multiple=True,
    metavar="[NAME=]DIR",
    help="Run this folder's file too, on a share of the requests, and tell how often it answers the same.",
)
@click.option(
    "--shadow-share",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Of the requests that a shadow runs on.",
)
@click.option(
    "--log", is_flag=True, help="Write a line of JSON on standard error for each request."
)
def serve(
    models: tuple[str, ...],
    device: str,
    threads: int | None,
    key: Path | None,
    host: str,
    port: int,
    workers: int,
    token_file: Path | None,
    tls: tuple[Path, Path] | None,
    max_body: float,
    queue: int,
    timeout: float,
    reload: bool,
    no_monitor: bool,
    keep_samples: Path | None,
    shadows: tuple[str, ...],
    shadow_share: float,
    log: bool,
) -> None:
    """Serve the models of folders that convert made, each by its fastest file that passes.

    DIR may also be a folder of such folders, whose names are the model's versions; or a model file. A
    model is called as its folder is, or NAME.
    """
    with errors():
        from edgekit.bundle.packages import require

        require(
            ["starlette", "uvicorn", "httptools", "orjson", "prometheus_client"], "serving", "serve"
        )
        from edgekit.serving.models import named
        from edgekit.serving.settings import Settings
        from edgekit.serving.supervisor import serve as serve_them

        token = None if token_file is None else _token(token_file)
        if token is None and not _is_loopback(host):
            tell(f"everybody who reaches {host} may ask: --token-file and --tls keep others out.")
        served = tuple(named(argument) for argument in models)
        settings = Settings(
            models=served,
            device=device,
            threads=threads,
            key=key,
            host=host,
            port=port,
            workers=workers,
            token=token,
            tls=tls,
            most_bytes=int(max_body * _MIB),
            waiting=queue,
            timeout=timeout,
            reload=reload,
            monitor=not no_monitor,
            keep=keep_samples,
            shadows=_shadows(shadows, served),
            shadow_share=shadow_share,
            log=log,
        )
        serve_them(settings, say)
        tell("stopped")


def _shadows(
    given: tuple[str, ...], served: tuple[tuple[str, Path], ...]
) -> tuple[tuple[str, Path], ...]:
    """The folder that shadows each model, by the model's name."""
    from edgekit.serving.models import ServeError

    names = [name for name, _ in served]
    found: dict[str, Path] = {}
    for argument in given:
        name, equals, path = argument.partition("=")
        if not equals:
            name, path = names[0], argument
        if not equals and len(names) > 1:
            raise ServeError(
                f"--shadow {argument}: of which model? --shadow NAME={argument}, with NAME one of "
                f"{', '.join(names)}."
            )
        if name not in names:
            raise ServeError(
                f"--shadow {argument}: no model {name!r} is served; there are {', '.join(names)}."
            )
        if name in found:
            raise ServeError(f"--shadow {argument}: {name} has the shadow {found[name]} already.")
        if not Path(path).exists():
            raise ServeError(f"{path}: there is no such file or folder.")
        found[name] = Path(path)
    return tuple(found.items())


def _token(path: Path) -> str:
    from edgekit.serving.models import ServeError

    token = path.read_text(encoding="utf-8").strip()
    if not token or not token.isascii() or any(c.isspace() for c in token):
        raise ServeError(f"{path}: holds no token: one line of ASCII letters, digits and signs.")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
