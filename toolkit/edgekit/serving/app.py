"""The server's addresses: those of the Open Inference Protocol, and ``/metrics``."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version as version_of

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgekit.serving.infer import BodyLimits, Infer, Refused
from edgekit.serving.metrics import Metrics
from edgekit.serving.models import Models, NotServed, Served
from edgekit.serving.monitor_document import monitor_document
from edgekit.serving.protocol import tensor_metadata
from edgekit.serving.watching import Watching

EXTENSIONS = ["binary_tensor_data", "classification"]
"""Not model_repository, of which there is the index alone: what is served is not for its callers to choose."""


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

    async def told(_: Request) -> Response:
        watched = await asyncio.to_thread(watching.reports)
        return Response(
            metrics.text(models, watched), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def monitor(_: Request) -> Response:
        watched = await asyncio.to_thread(watching.reports)
        return Response(monitor_document(watched, models), media_type="application/json")

    infer = Infer(models, metrics, limits)
    of_model = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
    return Starlette(
        routes=[
            *(
                Route(f"{path}/infer", infer, methods=["POST"]) for path in of_model
            ),  # most often asked
            Route("/v2", server),
            Route("/v2/health/live", live),
            Route("/v2/health/ready", ready),
            Route("/v2/repository/index", index, methods=["POST"]),
            Route("/metrics", told),
            Route("/monitor", monitor),
            *(Route(path, metadata) for path in of_model),
            *(Route(f"{path}/ready", model_ready) for path in of_model),
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


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers=headers)


def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _error(error.status, str(error), error.headers)
