"""The paths of the Open Inference Protocol, version 2."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

import glocal
from glocal.data.pictures import Unreadable
from glocal.serving.intake import Intake, unless_disconnected
from glocal.serving.messages.answers import json_response, refuse_unreadable
from glocal.serving.messages.inference_protocol import VERSION, InferRequest, answer, metadata, read_request
from glocal.serving.messages.refusal import Refusal
from glocal.serving.routes import REFUSALS
from glocal.serving.service import Service
from glocal.serving.settings import ServeSettings

_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": InferRequest.model_json_schema()}}}
}


def protocol_routes(service: Service, intake: Intake, *, name: str, settings: ServeSettings) -> APIRouter:
    """Health, metadata and inference."""
    router = APIRouter(prefix="/v2", responses=REFUSALS)
    _add_health(router)
    _add_metadata(router, service, name=name)
    _add_inference(router, service, intake, name=name, settings=settings)
    return router


def _check_name(model: str, version: str, *, name: str) -> None:
    if (model, version) != (name, VERSION):
        raise Refusal(404, "model", f"there is no such model; there is {name!r}, version {VERSION!r}")


def _add_health(router: APIRouter) -> None:
    @router.get("", summary="The server")
    async def server() -> dict[str, Any]:
        return {"name": "glocal", "version": glocal.__version__, "extensions": []}

    @router.get("/health/live", summary="Whether the server runs")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Whether the server can predict")
    async def ready() -> dict[str, bool]:
        return {"ready": True}


def _add_metadata(router: APIRouter, service: Service, *, name: str) -> None:
    @router.get("/models/{model}", summary="What the model takes and gives")
    @router.get("/models/{model}/versions/{version}", summary="What the model takes and gives")
    async def describe(model: str, version: str = VERSION) -> Response:
        _check_name(model, version, name=name)
        return json_response(metadata(name, service.classifier))

    @router.get("/models/{model}/ready", summary="Whether the model can predict")
    @router.get("/models/{model}/versions/{version}/ready", summary="Whether the model can predict")
    async def model_ready(model: str, version: str = VERSION) -> dict[str, Any]:
        _check_name(model, version, name=name)
        return {"name": name, "ready": True}


def _add_inference(router: APIRouter, service: Service, intake: Intake, *, name: str, settings: ServeSettings) -> None:
    @router.post("/models/{model}/infer", summary="Predict", openapi_extra=_BODY)
    @router.post("/models/{model}/versions/{version}/infer", summary="Predict", openapi_extra=_BODY)
    async def infer(request: Request, model: str, version: str = VERSION) -> Response:
        """Pictures as files in base64 (BYTES) or as pixels (UINT8); probabilities and predicted classes."""
        async with intake.body(request) as body:
            _check_name(model, version, name=name)
            if "inference-header-content-length" in request.headers:
                raise Refusal(415, "binary", "the extension for binary tensors is not supported; send JSON alone")
            inference = await service.in_thread(
                read_request, body, max_pictures=settings.max_pictures, max_pixels=settings.max_pixels
            )
            rows = await unless_disconnected(request.receive, service.rows(inference.pictures))
        pairs = list(zip(inference.pictures, rows, strict=True))
        if errors := [(picture.name, row) for picture, row in pairs if isinstance(row, Unreadable)]:
            raise refuse_unreadable(errors)
        read = [row for row in rows if not isinstance(row, Unreadable)]
        predicted = [service.decide("", row).predicted for row in read]
        request.scope["glocal"] = {"pictures": len(rows), "bytes": len(body)}
        return json_response(answer(name, inference, read, predicted))
