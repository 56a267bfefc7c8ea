"""Connections that begin a request and do not go on are closed; others are kept."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from edgekit.serving.connections import patient_for


async def application(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that waits 0.5 seconds for headers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(application, http=patient_for(0.5), lifespan="off", log_config=None)  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_headers_must_arrive_in_time(port: int, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        if first:
            client.sendall(first)
            assert b" 204 " in client.recv(1000)
            time.sleep(1)  # between requests nothing is expected
            client.sendall(first)
            assert b" 204 " in client.recv(1000)
        client.sendall(b"GET / HTT")
        assert client.recv(1000) == b"", "closed"
