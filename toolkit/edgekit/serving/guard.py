"""What stands before the application: who may ask, and a line in the log for each request."""

import hmac
import json
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, TextIO

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

FOR_EVERYBODY = ("/v2/health/live", "/v2/health/ready")
"""What a cluster's probes ask for, which have no token."""


def with_token(application: Application, token: str) -> Application:
    """Answer those alone that show a bearer token, and everybody's question whether the server lives."""
    wanted = f"Bearer {token}".encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in FOR_EVERYBODY:
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(shown, wanted):
                await _refuse(send)
                return
        await application(scope, receive, send)

    return guarded


TOLD = "edgekit.told"
"""The key of a request's scope with what the application adds to its line in the log."""


def with_log(application: Application, stream: TextIO | None = None) -> Application:
    """Write a line of JSON for each request: time, address, status, milliseconds, bytes, trace, model, stages."""
    out = stream or sys.stderr

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        start, seen = perf_counter(), {"status": 0, "bytes": 0}

        async def noted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            seen["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            await application(scope, receive, noted)
        finally:
            trace = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "client": (scope.get("client") or ("",))[0],
                "method": scope["method"],
                "path": scope["path"],
                **seen,
                **scope.get(TOLD, {}),
                "ms": round(1000 * (perf_counter() - start), 3),
                **({"traceparent": trace} if trace else {}),
            }
            out.write(json.dumps(line) + "\n")
            out.flush()

    return logged


_TRACE = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""``traceparent``, as https://www.w3.org/TR/trace-context has it."""


def with_trace(application: Application) -> Application:
    """Give every answer, an error too, the trace context that its request came with."""

    async def traced(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        found = [h for h in scope["headers"] if h[0] in (b"traceparent", b"tracestate")]
        if not _TRACE.fullmatch(dict(found).get(b"traceparent", b"")):
            await application(scope, receive, send)
            return

        async def noted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *found]
            await send(message)

        await application(scope, receive, noted)

    return traced


async def _refuse(send: Send) -> None:
    body = b'{"error":"a bearer token is wanted: Authorization: Bearer TOKEN"}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
