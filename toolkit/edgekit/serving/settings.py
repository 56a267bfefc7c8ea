"""What a server is told, and passes on to its workers."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve which models."""

    models: tuple[tuple[str, Path], ...]
    """Each with its name: a model file, a folder that convert made, or a folder of such folders."""
    device: str = "auto"
    threads: int | None = None
    key: Path | None = None
    """The public key that every folder must be signed by; None where none need be."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 for one that is free."""
    workers: int = 1
    token: str | None = None
    tls: tuple[Path, Path] | None = None
    """The certificate and its key."""
    most_bytes: int = 64 << 20
    """Of a request's body."""
    connections: int = 1000
    """At once, for each worker."""
    waiting: int = 64
    """Requests that may wait for a model, for each worker."""
    timeout: float = 30.0
    """Seconds: for a body to arrive, and for one call of a model."""
    header_seconds: float = 10.0
    """For a request's headers to arrive."""
    reload: bool = False
    """Whether a folder that is changed is taken into use."""
    monitor: bool = True
    """Whether models are monitored whose manifests have distributions."""
    keep: Path | None = None
    """A folder for the samples that a change began with; None where none are kept."""
    shadows: tuple[tuple[str, Path], ...] = ()
    """Folders or files that run beside a model, by its name."""
    shadow_share: float = 0.1
    """Of the requests, that a shadow runs on."""
    log: bool = False
    """Whether each request gets a line on standard error."""
