"""The address that runs a model: a request's body to inputs, and outputs to a response's body.

It speaks ASGI itself: what Starlette makes of a request and a response takes longer than a small model.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from edgekit.serving.guard import TOLD, Receive, Scope, Send
from edgekit.serving.metrics import Metrics
from edgekit.serving.models import Models, Served
from edgekit.serving.protocol import (
    HEADER_LENGTH,
    BadRequest,
    InferRequest,
    WantedOutput,
    read_request,
    write_response,
)
from edgekit.serving.runner import Answer, Busy, Crashed, Replaced, Runner
from edgekit_runtimes import RuntimesError
from edgekit_runtimes.processing.prediction import predicted
from edgekit_runtimes.processing.sample import sample_of

Headers = Mapping[bytes, bytes]
"""By their names in small letters."""

_MOST_JSON = 8 << 20
"""Bytes of a request's JSON: reading more would hold up the others. Binary tensors have no such limit."""
_GONE = 499
"""The status that nginx logs for a client that did not wait; nobody receives it."""
_LOOKS_AFTER = 0.05
"""Seconds after which it is asked whether the client is there still: most requests end before."""
_HEADER_LENGTH = HEADER_LENGTH.lower().encode()


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a request's body may be."""

    bytes: int = 64 << 20
    seconds: float = 30.0
    """To arrive in."""


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Infer:
    """The application that answers requests to run a model."""

    models: Models
    metrics: Metrics
    limits: BodyLimits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            NotServed: there is no such model.
            Refused: it is answered with an error.
        """
        name, version = scope["path_params"]["name"], scope["path_params"].get("version")
        headers: Headers = dict(scope["headers"])
        served, begun, status = self.models.find(name, version), perf_counter(), 500
        told = scope[TOLD] = {"model": served.name, "version": served.version}
        try:
            body = await _body(headers, receive, self.limits)
            while True:
                try:
                    content, head = await _infer(
                        served, headers, receive, body, self.metrics, begun, told
                    )
                    break
                except Replaced:  # by a new version of it, while the body was read
                    served = self.models.find(name, version)
            status = 200
        except Refused as refused:
            status = refused.status
            raise
        finally:
            self.metrics.requests.labels(served.name, served.version, str(status)).inc()
        answered = [
            (b"content-length", b"%d" % len(content)),
            (b"content-type", b"application/json" if head is None else b"application/octet-stream"),
        ]
        if head is not None:
            answered.append((_HEADER_LENGTH, b"%d" % head))
        await send({"type": "http.response.start", "status": 200, "headers": answered})
        await send({"type": "http.response.body", "body": content})


async def _infer(
    served: Served,
    headers: Headers,
    receive: Receive,
    body: bytes,
    metrics: Metrics,
    begun: float,
    told: dict[str, Any],
) -> tuple[bytes, int | None]:
    """The response's body, and the length of its JSON where binary tensors follow.

    ``told`` gets what the log says of the request.
    """
    stages: dict[str, float] = {}

    def took(name: str, seconds: float) -> None:
        metrics.stage(served.name, served.version, name, seconds)
        stages[name] = round(1000 * seconds, 4)

    is_image = headers.get(b"content-type", b"").startswith(b"image/")
    asked = await _of_image(served, body) if is_image else _asked(served, headers, body)
    took("read", perf_counter() - begun)
    answer = await _answered(receive, served.runner, asked)
    took("queue", answer.queued)
    took("infer", answer.ran)
    metrics.rows.labels(served.name, served.version).observe(answer.rows)
    written = perf_counter()
    response = write_response(
        served.name,
        served.version,
        asked.id,
        answer.outputs,
        asked.outputs,
        served.runner.opened.facts.labels,
        _answers(served, answer.outputs) if is_image else None,
    )
    took("write", perf_counter() - written)
    told |= {"samples": answer.rows, "stages": stages}
    metrics.stage(served.name, served.version, "all", perf_counter() - begun)
    return response


def _asked(served: Served, headers: Headers, body: bytes) -> InferRequest:
    given = headers.get(_HEADER_LENGTH)
    length = None if given is None else given.decode("latin-1")
    if (int(length) if length and length.isdecimal() else len(body)) > _MOST_JSON:
        raise Refused(
            413,
            f"more than {_MOST_JSON:,} bytes of JSON. Send the tensors as binary data: parameter "
            "binary_data_size.",
        )
    opened = served.runner.opened
    try:
        return read_request(body, length, opened.inputs, opened.outputs)
    except BadRequest as error:
        raise Refused(400, str(error)) from error


async def _body(headers: Headers, receive: Receive, limits: BodyLimits) -> bytes:
    """The whole body, which may be neither too large nor too slow."""
    too_large = f"the body has more than {limits.bytes:,} bytes."
    claimed = headers.get(b"content-length", b"")
    if claimed.isdigit() and int(claimed) > limits.bytes:
        raise Refused(413, too_large)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(_GONE, "the client has gone")
                part = message.get("body", b"")
                size += len(part)
                if size > limits.bytes:
                    raise Refused(413, too_large)
                parts.append(part)
                if not message.get("more_body", False):
                    return part if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Refused(408, f"the body took more than {limits.seconds:g} seconds.") from None


async def _of_image(served: Served, body: bytes) -> InferRequest:
    """A request whose body is an image, for a model with one input."""
    opened = served.runner.opened
    try:
        sample = await asyncio.to_thread(
            sample_of, body, opened.inputs, opened.facts, None, served.name
        )
    except RuntimesError as error:
        raise Refused(400, str(error)) from error
    inputs = {name: array[np.newaxis] for name, array in sample.items()}
    wanted = tuple(WantedOutput(spec.name) for spec in opened.outputs)
    return InferRequest(None, inputs, 1, wanted)


def _answers(served: Served, outputs: Mapping[str, Array]) -> dict[str, Any]:
    """What the outputs of one image mean, by the classes' names."""
    prediction = predicted(
        {name: array[0] for name, array in outputs.items()}, served.runner.opened.facts
    )
    return {
        "answers": {
            name: [asdict(answer) for answer in found] for name, found in prediction.answers.items()
        }
    }


async def _answered(receive: Receive, runner: Runner, asked: InferRequest) -> Answer:
    """The answer; given up when the client goes."""
    gone: asyncio.Task[None] | None = None

    async def farewell() -> None:
        await receive()  # the body was read: there is nothing else to come
        answer.cancel()

    def look() -> None:
        nonlocal gone
        gone = loop.create_task(farewell())

    loop = asyncio.get_running_loop()
    try:
        answer = runner.submit(asked.inputs, asked.rows)
        looks = loop.call_later(_LOOKS_AFTER, look)
        try:
            return await answer
        except asyncio.CancelledError:
            if gone is not None and gone.done():
                raise Refused(_GONE, "the client has gone") from None
            raise
        finally:
            looks.cancel()
            if gone is not None:
                gone.cancel()
    except Busy as busy:
        seconds = max(1, round(busy.seconds))
        raise Refused(429, f"{busy}. Try again later.", {"Retry-After": str(seconds)}) from busy
    except Crashed as crash:
        raise Refused(500, str(crash)) from crash
    except RuntimesError as error:
        raise Refused(400, str(error)) from error
