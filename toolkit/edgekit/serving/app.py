"""The server's addresses: those of the Open Inference Protocol, and ``/metrics``."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from time import perf_counter
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgekit.data.samples import Array
from edgekit.serving.guard import TOLD
from edgekit.serving.metrics import Metrics
from edgekit.serving.models import Models, NotServed, Served
from edgekit.serving.monitor_document import monitor_document
from edgekit.serving.protocol import (
    HEADER_LENGTH,
    BadRequest,
    InferRequest,
    WantedOutput,
    read_request,
    tensor_metadata,
    write_response,
)
from edgekit.serving.runner import Answer, Busy, Crashed, Replaced, Runner
from edgekit.serving.watching import Watching
from edgekit_runtimes import RuntimesError
from edgekit_runtimes.processing.prediction import predicted
from edgekit_runtimes.processing.sample import sample_of

EXTENSIONS = ["binary_tensor_data", "classification"]
"""Not model_repository, of which there is the index alone: what is served is not for its callers to choose."""
_MOST_JSON = 8 << 20
"""Bytes of a request's JSON: reading more would hold up the others. Binary tensors have no such limit."""


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


def application(
    models: Models, metrics: Metrics, limits: BodyLimits, watching: Watching
) -> Starlette:
    """The application of one worker process.

    Args:
        models: what is served.
        metrics: where it is counted.
        limits: on bodies.
        watching: what is watched of the models, in all workers.
    """

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        return JSONResponse({"ready": True})  # the server listens when every model is open

    async def server(_: Request) -> Response:
        return JSONResponse(
            {"name": "edgekit", "version": version_of("edgekit-toolkit"), "extensions": EXTENSIONS}
        )

    async def metadata(request: Request) -> Response:
        served = _found(models, request)
        opened = served.runner.opened
        return JSONResponse(
            {
                "name": served.name,
                "versions": models.versions(served.name),
                "platform": _PLATFORMS.get(opened.file.rpartition(".")[2], "edgekit"),
                "inputs": [tensor_metadata(spec) for spec in opened.inputs],
                "outputs": [tensor_metadata(spec) for spec in opened.outputs],
                "parameters": {
                    "file": opened.file,
                    "device": opened.device,
                    "sha256": opened.sha256,
                    "recipe": opened.recipe,
                },
            }
        )

    async def model_ready(request: Request) -> Response:
        return JSONResponse({"name": _found(models, request).name, "ready": True})

    async def index(_: Request) -> Response:
        return JSONResponse(
            [{"name": s.name, "version": s.version, "state": "READY", "reason": ""} for s in models]
        )

    async def infer(request: Request) -> Response:
        served, begun, status = _found(models, request), perf_counter(), 500
        request.scope[TOLD] = {"model": served.name, "version": served.version}
        try:
            body = await _body(request, limits)
            while True:
                try:
                    response = await _infer(served, request, body, metrics, begun)
                    break
                except Replaced:  # by a new version of it, while the body was read
                    served = _found(models, request)
            status = response.status_code
            return response
        except Refused as refused:
            status = refused.status
            raise
        finally:
            metrics.requests.labels(served.name, served.version, str(status)).inc()

    async def told(_: Request) -> Response:
        watched = await asyncio.to_thread(watching.reports)
        return Response(
            metrics.text(models, watched), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def monitor(_: Request) -> Response:
        watched = await asyncio.to_thread(watching.reports)
        return Response(monitor_document(watched, models), media_type="application/json")

    of_model = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
    return Starlette(
        routes=[
            Route("/v2", server),
            Route("/v2/health/live", live),
            Route("/v2/health/ready", ready),
            Route("/v2/repository/index", index, methods=["POST"]),
            Route("/metrics", told),
            Route("/monitor", monitor),
            *(Route(path, metadata) for path in of_model),
            *(Route(f"{path}/ready", model_ready) for path in of_model),
            *(Route(f"{path}/infer", infer, methods=["POST"]) for path in of_model),
        ],
        exception_handlers={
            Refused: _refusal,
            NotServed: lambda _, error: _error(404, str(error)),
            404: lambda request, _: _error(404, f"{request.url.path}: no such address"),
            405: lambda request, _: _error(405, f"{request.url.path}: not by {request.method}"),
            Exception: lambda _, error: _error(500, f"{type(error).__name__}"),
        },
    )


_PLATFORMS = {"tflite": "tensorflow_lite", "onnx": "onnx_onnxv1"}


def _found(models: Models, request: Request) -> Served:
    return models.find(request.path_params["name"], request.path_params.get("version"))


async def _infer(
    served: Served, request: Request, body: bytes, metrics: Metrics, begun: float
) -> Response:
    stages: dict[str, float] = {}

    def took(name: str, seconds: float) -> None:
        metrics.stage(served.name, served.version, name, seconds)
        stages[name] = round(1000 * seconds, 4)

    is_image = request.headers.get("content-type", "").startswith("image/")
    asked = await _of_image(served, body) if is_image else _asked(served, request, body)
    took("read", perf_counter() - begun)
    answer = await _answered(request, served.runner, asked)
    took("queue", answer.queued)
    took("infer", answer.ran)
    metrics.rows.labels(served.name, served.version).observe(answer.rows)
    written = perf_counter()
    content, head = write_response(
        served.name,
        served.version,
        asked.id,
        answer.outputs,
        asked.outputs,
        served.runner.opened.facts.labels,
        _answers(served, answer.outputs) if is_image else None,
    )
    kind = "application/json" if head is None else "application/octet-stream"
    response = Response(content, media_type=kind)
    if head is not None:
        response.headers[HEADER_LENGTH] = str(head)
    took("write", perf_counter() - written)
    request.scope[TOLD] |= {"samples": answer.rows, "stages": stages}
    metrics.stage(served.name, served.version, "all", perf_counter() - begun)
    return response


def _asked(served: Served, request: Request, body: bytes) -> InferRequest:
    length = request.headers.get(HEADER_LENGTH)
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


async def _body(request: Request, limits: BodyLimits) -> bytes:
    """The whole body, which may be neither too large nor too slow."""
    too_large = Refused(413, f"the body has more than {limits.bytes:,} bytes.")
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > limits.bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.bytes:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"the body took more than {limits.seconds:g} seconds.") from None
    except ClientDisconnect:
        raise Refused(_GONE, "the client has gone") from None
    return b"".join(parts)


_GONE = 499
"""The status that nginx logs for a client that did not wait; nobody receives it."""


_LOOKS_AFTER = 0.05
"""Seconds after which it is asked whether the client is there still: most requests end before."""


async def _answered(request: Request, runner: Runner, asked: InferRequest) -> Answer:
    """The answer; given up when the client goes."""
    gone: asyncio.Future[Any] | None = None
    try:
        answer = runner.submit(asked.inputs, asked.rows)
        try:
            await asyncio.wait((answer,), timeout=_LOOKS_AFTER)
            if not answer.done():
                gone = asyncio.ensure_future(request.receive())  # the body was read: a farewell
                await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Refused(_GONE, "the client has gone")
            return answer.result()
        finally:
            answer.cancel()
            if gone is not None:
                gone.cancel()
    except Busy as busy:
        seconds = max(1, round(busy.seconds))
        raise Refused(429, f"{busy}. Try again later.", {"Retry-After": str(seconds)}) from busy
    except Crashed as crash:
        raise Refused(500, str(crash)) from crash
    except RuntimesError as error:
        raise Refused(400, str(error)) from error


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers=headers)


def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _error(error.status, str(error), error.headers)
