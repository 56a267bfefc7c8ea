"""``make serve-table``: a server under load beside its runtime alone, into docs/benchmarks-serve.md.

Usage: serve_table.py PAGE.md [SECONDS] [REQUESTS]. Of each full load SECONDS (60), of others a third of it: some
eight minutes. With REQUESTS the memory is watched for so many more.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.memory_over_time import watched
from support.served_models import autoencoder, mobilenet
from support.server import serving

MARK = "<!-- made by make serve-table -->"
CONNECTIONS = 16
HEADS = ["model", "what", "requests", "errors", "a second", "p50, ms", "p99, ms", "beside the runtime alone"]  # fmt: skip


def _run(*arguments: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    return dict(json.loads(done.stdout))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def _row(name: str, what: str, got: dict[str, Any], beside: str = "") -> str:
    figures = [f"{got['requests']:,}", f"{got['errors']:,}", f"{got['per_second']:,.0f}",
               f"{got['p50_ms']:.2f}", f"{got['p99_ms']:.2f}"]  # fmt: skip
    return f"| {' | '.join([name, what, *figures, beside])} |"


def rows(folder: Path, url: str, seconds: float) -> Iterator[str]:
    """The rows of one model: alone and served, with no pause and at half of what is served."""
    name, short = folder.name, seconds / 3
    alone = _run("support.load", "bare", folder, short, 0)
    yield _row(name, "runtime alone", alone)
    full = {k: _run("support.load", url, name, seconds, CONNECTIONS, 0, k) for k in ("binary", "json")}  # fmt: skip
    for kind, got in full.items():
        share = f"throughput {got['per_second'] / alone['per_second']:.0%}"
        yield _row(name, f"{kind}, {CONNECTIONS} connections", got, share)
    rate = full["binary"]["per_second"] / 2
    alone = _run("support.load", "bare", folder, short, rate)
    yield _row(name, "runtime alone, half load", alone)
    got = _run("support.load", url, name, short, CONNECTIONS, rate, "binary")
    yield _row(name, "binary, half load", got, f"p99 {got['p99_ms'] / alone['p99_ms']:.2f} times")


def rude_rows(name: str, url: str, seconds: float) -> Iterator[str]:
    """What others notice of clients that behave badly: twice without and with them, in turns."""
    rate = _run("support.load", url, name, seconds / 6, CONNECTIONS, 0, "binary")["per_second"] / 2
    found: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for rude in (False, True, False, True):
        command = [sys.executable, "-m", "support.rude", url, name, str(seconds / 4)]
        others = subprocess.Popen(command, env=_environment()) if rude else None
        found[rude].append(
            _run("support.load", url, name, seconds / 4, CONNECTIONS, rate, "binary")
        )
        if others is not None:
            others.wait()
    p99 = {rude: sum(r["p99_ms"] for r in found[rude]) / 2 for rude in found}
    for rude, results in found.items():
        mean = {key: sum(r[key] for r in results) / 2 for key in ("per_second", "p50_ms")}
        summed = {key: sum(r[key] for r in results) for key in ("requests", "errors")}
        beside = f"p99 {p99[True] / p99[False] - 1:+.0%} by them" if rude else ""
        what = "half load, beside rude clients" if rude else "half load, without them"
        yield _row(name, what, {**mean, **summed, "p99_ms": p99[rude]}, beside)


def main(page: Path, seconds: float, requests: int) -> None:
    """Write the table."""
    before = page.read_text(encoding="utf-8").partition(f"{MARK}\n")[0]
    lines = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]

    def tell(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as made:
        folders = [autoencoder(Path(made)), mobilenet(Path(made), 96, 0.35), mobilenet(Path(made))]
        for folder in folders:
            with serving(folder) as server:
                for row in rows(folder, server.url, seconds if folder != folders[1] else seconds / 2):  # fmt: skip
                    tell(row)
                if folder is folders[-1]:
                    for row in rude_rows(folder.name, server.url, seconds):
                        tell(row)
        if requests:
            with serving(folders[0]) as server:
                lines.append(f"\n{watched(server, folders[0].name, requests)}")
                print(lines[-1])
    page.write_text(f"{before}{MARK}\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    numbers = [float(x) for x in sys.argv[2:]]
    main(Path(sys.argv[1]), (numbers or [60.0])[0], int(numbers[1]) if numbers[1:] else 0)
