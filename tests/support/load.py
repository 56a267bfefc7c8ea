"""A client that loads a server: ``python -m support.load URL MODEL SECONDS CONNECTIONS RATE`` prints JSON.

Each connection sends one request after the other, with the tensors in binary; at a rate (0 for none) each
waits until its next one is due, and a late start counts as latency.
"""

import asyncio
import json
import sys
from time import perf_counter
from urllib.parse import urlsplit

import numpy as np
from oip.client import ask, in_binary


async def _connection(
    host: str, port: int, request: bytes, end: float, every: float, first: float
) -> tuple[list[float], int]:
    reader, writer = await asyncio.open_connection(host, port)
    times: list[float] = []
    errors = 0
    due = perf_counter() + first
    while (now := perf_counter()) < end:
        if every:
            await asyncio.sleep(max(0.0, due - now))
        start = due if every else perf_counter()
        due += every
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
        times.append(perf_counter() - start)
        errors += b" 200 " not in head[:20]
    writer.close()
    return times, errors


async def load(
    url: str, model: str, seconds: float, connections: int, rate: float
) -> dict[str, float]:
    """Load a server, and tell how it went."""
    metadata = ask(url, f"/v2/models/{model}").content
    body, headers = in_binary(metadata["inputs"], parameters={"binary_data_output": True})
    lines = [f"POST /v2/models/{model}/infer HTTP/1.1", "Host: load", f"Content-Length: {len(body)}",
             *(f"{k}: {v}" for k, v in headers.items())]  # fmt: skip
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    parts = urlsplit(url)
    begun = perf_counter()
    every = connections / rate if rate else 0.0
    results = await asyncio.gather(
        *(
            _connection(
                parts.hostname or "", parts.port or 80, request, begun + seconds, every,
                every * i / connections,
            )
            for i in range(connections)
        )
    )  # fmt: skip
    took = perf_counter() - begun
    times = np.array([t for found, _ in results for t in found])
    return {
        "requests": len(times),
        "errors": sum(errors for _, errors in results),
        "per_second": len(times) / took,
        "p50_ms": 1000 * float(np.quantile(times, 0.5)),
        "p99_ms": 1000 * float(np.quantile(times, 0.99)),
    }


if __name__ == "__main__":
    url, model, *numbers = sys.argv[1:]
    seconds, connections, rate = map(float, numbers)
    print(json.dumps(asyncio.run(load(url, model, seconds, int(connections), rate))))
