"""The memory of a server's processes while it answers very many requests."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import numpy as np

from support.server import Server

_WARM = 0.2
"""Of the requests, after which memory is compared: what is filled once is full by then."""


@dataclass(frozen=True)
class Growth:
    """How memory went with the number of requests."""

    requests: int
    errors: int
    first_mib: float
    """When warm."""
    last_mib: float
    mib_a_million: float
    """By the line that fits best through the samples since it was warm."""

    def __str__(self) -> str:
        return (
            f"{self.requests:,} requests, {self.errors} errors: the memory of all processes was "
            f"{self.first_mib:.1f} MiB after a fifth of them and {self.last_mib:.1f} MiB at the end, "
            f"{self.mib_a_million:+.2f} MiB a million by a line through {_SAMPLES} samples."
        )


_SAMPLES = 100


def watched(server: Server, model: str, requests: int) -> Growth:
    """Send so many requests, and look at the memory a hundred times."""
    each = max(1, requests // _SAMPLES)
    code = (
        "import sys, json; from support.load import repeat; "
        "repeat(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))"
    )
    command = [sys.executable, "-c", code, server.url, model, str(each), str(_SAMPLES)]
    held, errors, at = [], 0, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as client:  # fmt: skip
        assert client.stdout
        for line in client.stdout:
            told = json.loads(line)
            errors += told["errors"]
            sleep(0.05)
            held.append(_resident(server) / 2**20)
            at.append((at or [0])[-1] + told["requests"])
    assert client.returncode == 0
    warm = int(_WARM * len(held))
    slope = float(np.polyfit(np.array(at[warm:]) / 1e6, held[warm:], 1)[0])
    return Growth(at[-1], errors, held[warm], held[-1], slope)


def _resident(server: Server) -> int:
    """Bytes of the supervisor, the workers and the models' processes."""
    pids = [server.process.pid, *server.workers(), *server.models()]
    return sum(4096 * int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in pids)
