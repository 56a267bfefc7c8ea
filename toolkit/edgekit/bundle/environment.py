"""When, where and with what figures were measured: recorded beside every one of them."""

import hashlib
import importlib.util
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from edgekit_runtimes.engines.devices import runtime_packages
from edgekit_runtimes.host import cpu_limit, instruction_sets, processor_name

_PACKAGES = (
    "edgekit-toolkit",
    "numpy",
    "litert-quantizer",
    "onnx",
    "tf2onnx",
)  # and those of the runtimes
# What decides how int8 is computed: VNNI, AMX and ARM's dot products sum in 32 bits, where AVX2 alone
# can saturate in 16.
_TELLING = (
    "sse4_1",
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
)

# Where build servers say which commit they build; some check out without Git's own folder.
_COMMIT_VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "BUILD_SOURCEVERSION")
_GIT_SECONDS = 5.0  # a repository on a slow network drive holds up no report


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor, with the instruction sets that matter to int8."""

    architecture: str = ""
    name: str = ""
    instruction_sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """When, where and with what a run measured; empty where it is not known."""

    date: str = ""
    """When the files were run: UTC, in ISO 8601."""
    host: str = ""
    system: str = ""
    """The operating system, with its release."""
    processor: Processor = Processor()
    cores: int = 0
    """As many as the process may use."""
    threads: int = 0
    """Of one call whose latency was measured."""
    commit: str = ""
    """Of the Git repository around the working folder; ends in ``-dirty`` where files differ from it."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of each library that had a part."""


def environment(*, threads: int = 1) -> Environment:
    """Look at this machine, now.

    Args:
        threads: of one call whose latency is measured.
    """
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        processor=processor(),
        cores=cpu_limit(),
        threads=threads,
        commit=commit(),
        versions=versions(),
    )


def commit() -> str:
    """Return the commit that the working folder is of; empty where it is in no Git repository.

    Git comes first, since it knows whether files were changed; then what a build server says.
    """
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        found = ""
    else:
        found = described.stdout.strip() if described.returncode == 0 else ""
    said = (os.environ.get(name, "") for name in _COMMIT_VARIABLES)
    return found or next((sha[:12] for sha in said if sha), "")


def versions() -> dict[str, str]:
    """Return the version of each library that had a part, where it is installed."""
    installed = {}
    for name in (*_PACKAGES, *runtime_packages()):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), **installed}


def processor() -> Processor:
    """The processor's architecture, name and instruction sets that matter to int8."""
    return Processor(
        architecture=platform.machine(),
        name=processor_name(),
        instruction_sets=tuple(flag for flag in _TELLING if flag in instruction_sets()),
    )


def own_code() -> str:
    """A hash of edgekit's own modules: in a checkout, they change without a new version."""
    digest = hashlib.sha256()
    for package in ("edgekit", "edgekit_converters", "edgekit_runtimes"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()
