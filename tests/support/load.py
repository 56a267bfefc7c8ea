"""A client that loads a server: ``python -m support.load URL MODEL SECONDS CONNECTIONS RATE KIND`` prints JSON.

Each connection sends one request after the other, with tensors as ``binary`` or ``json``; at a rate (0 for none)
each waits until its next one is due, and a late start counts as latency. ``python -m support.load bare FOLDER
SECONDS RATE`` runs the session alone, in the same way. One thread and plain sockets: on two processors, what the
client takes is missing elsewhere.
"""

import json
import math
import re
import select
import socket
import sys
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from oip.client import ask, in_binary, tensor


@dataclass(eq=False)
class _Connection:
    """A connection that sends one request after the other."""

    address: tuple[str, int]
    request: bytes
    due: float
    link: socket.socket | None = None
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)
    since: float | None = None
    """When the request was due that is under way."""

    def begin(self, since: float) -> None:
        if self.link is None:
            self.link = socket.create_connection(self.address, timeout=60)
            self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.link.setblocking(False)
        self.since, self.unsent = since, memoryview(self.request)
        self.send()

    def send(self) -> None:
        assert self.link is not None
        try:
            self.unsent = self.unsent[self.link.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # what is read next says it too
            self.unsent = memoryview(b"")

    def status(self) -> int | None:
        """Of the response, when all of it is here; 0 where the connection was closed."""
        assert self.link is not None
        try:
            part = self.link.recv(1 << 18)
        except BlockingIOError:
            return None
        except OSError:
            part = b""
        self.received += part
        if not part:
            self._close()
            return 0
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        found = re.search(rb"content-length: *(\d+)", self.received[:end], re.IGNORECASE)
        assert found, bytes(self.received[:end])
        if len(self.received) < end + 4 + int(found[1]):
            return None
        status = int(self.received[9:12])
        if b"connection: close" in self.received[:end].lower():
            self._close()
        self.received.clear()
        return status

    def _close(self) -> None:
        assert self.link is not None
        self.link.close()
        self.link, self.unsent = None, memoryview(b"")
        self.received.clear()


def load(
    url: str,
    model: str,
    seconds: float,
    connections: int,
    rate: float,
    kind: str = "binary",
    most: float = math.inf,
) -> dict[str, Any]:
    """Load a server for so many seconds, or until the most requests, and tell how it went."""
    parts = urlsplit(url)
    request = request_for(url, model, kind)
    begun = perf_counter()
    every = connections / rate if rate else 0.0
    address = parts.hostname or "", parts.port or 80
    all_of_them = [
        _Connection(address, request, begun + every * i / connections) for i in range(connections)
    ]
    times: list[float] = []
    statuses: dict[int, int] = {}
    end = begun + seconds
    while True:
        now = perf_counter()
        idle = (
            [c for c in all_of_them if c.since is None] if now < end and len(times) < most else []
        )
        for one in idle:
            if one.due <= now:
                one.begin(one.due if every else perf_counter())
                one.due += every
        going = {c.link: c for c in all_of_them if c.since is not None}
        if not (going or idle):
            break
        waits = min((c.due for c in idle if c.since is None), default=now + 1) - perf_counter()
        readable, writable, _ = select.select(
            going, [s for s, c in going.items() if c.unsent], [], max(0.0, waits)
        )
        for ready in writable:
            going[ready].send()
        for ready in readable:
            status = going[ready].status()
            if status is not None:
                since = going[ready].since
                assert since is not None
                times.append(perf_counter() - since)
                statuses[status] = statuses.get(status, 0) + 1
                going[ready].since = None
    return _told(times, statuses, perf_counter() - begun)


def repeat(url: str, model: str, requests: int, times: int) -> None:
    """Load a server again and again, and print each time how it went."""
    for _ in range(times):
        print(json.dumps(load(url, model, math.inf, 16, 0, most=requests)), flush=True)


def request_for(url: str, model: str, kind: str) -> bytes:
    """A whole request to infer, one sample."""
    inputs = ask(url, f"/v2/models/{model}").content["inputs"]
    if kind == "json":
        body = json.dumps({"inputs": [tensor(described) for described in inputs]}).encode()
        headers = {"Content-Type": "application/json"}
    else:
        body, headers = in_binary(inputs, parameters={"binary_data_output": True})
    lines = [f"POST /v2/models/{model}/infer HTTP/1.1", "Host: load", f"Content-Length: {len(body)}",
             *(f"{k}: {v}" for k, v in headers.items())]  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def bare(path: str, seconds: float, rate: float) -> dict[str, Any]:
    """Run a model without a server, as ``load`` asks for it."""
    from edgekit_runtimes import open_model

    with open_model(path) as session:
        random = np.random.default_rng(0)
        x = random.random([n or 1 for n in session.inputs[0].shape]).astype(np.float32)
        for _ in range(20):
            session.run(x)
        times = []
        begun = due = perf_counter()
        while (now := perf_counter()) < begun + seconds:
            if rate and due > now:
                sleep(due - now)
            since = due if rate else now
            due += 1 / rate if rate else 0
            session.run(x)
            times.append(perf_counter() - since)
    return _told(times, {200: len(times)}, perf_counter() - begun)


def _told(times: list[float], statuses: dict[int, int], took: float) -> dict[str, Any]:
    p50, p99 = np.quantile(times, [0.5, 0.99]) if times else (0.0, 0.0)
    return {
        "requests": len(times),
        "errors": sum(n for status, n in statuses.items() if status != 200),
        "statuses": statuses,
        "per_second": len(times) / took,
        "p50_ms": 1000 * float(p50),
        "p99_ms": 1000 * float(p99),
        "longest_ms": 1000 * max(times, default=0.0),
    }


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        print(json.dumps(bare(sys.argv[2], *map(float, sys.argv[3:]))))
    else:
        url, model, *numbers, kind = sys.argv[1:]
        seconds, connections, rate = map(float, numbers)
        print(json.dumps(load(url, model, seconds, int(connections), rate, kind)))
