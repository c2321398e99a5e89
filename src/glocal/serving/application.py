"""The ASGI application: routes, their answers, and what becomes of errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from glocal.evaluation.selective import threshold_of
from glocal.serving.intake import Intake
from glocal.serving.messages.answers import json_response
from glocal.serving.messages.refusal import Refusal
from glocal.serving.metrics import Metrics
from glocal.serving.models import Classifier, Explain
from glocal.serving.observing import LOGGER, Observed
from glocal.serving.page import page_route
from glocal.serving.protocol_routes import protocol_routes
from glocal.serving.routes import picture_routes
from glocal.serving.service import Service
from glocal.serving.settings import ServeSettings


def app(
    model: Classifier, *, name: str = "model", settings: ServeSettings | None = None, explain: Explain | None = None
) -> FastAPI:
    """An ASGI application that serves a model, to run in any ASGI server or to mount in an application of one's own.

    name: of the model in /v2/models/NAME, where the settings have none.
    settings: their host, port, device and threads have no effect here; they belong to `glocal.serve`.
    explain: a function from a picture, uint8 (h, w, 3), to a PNG; without it there is no POST /explain, and the page has no place
        for one. It runs in the thread of the network.

    RecipeError for a threshold that has no effect or cannot be chosen.
    """
    settings = settings or ServeSettings()
    metrics = Metrics(settings.max_batch)
    threshold, _ = threshold_of(model, settings.threshold)
    service = Service(model, settings, threshold=threshold, metrics=metrics, explain=explain)
    intake, name = Intake(settings, metrics), settings.name or name

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    # FastAPI's pages of documentation load scripts from another host; /openapi.json is all there is.
    application = FastAPI(title=f"glocal: {name}", lifespan=lifespan, docs_url=None, redoc_url=None)
    application.include_router(picture_routes(service, intake, name=name, settings=settings))
    application.include_router(protocol_routes(service, intake, name=name, settings=settings))
    application.include_router(page_route(name, model, explains=explain is not None))

    @application.get("/metrics", summary="Metrics in the text format of Prometheus", response_class=Response)
    async def show_metrics() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    _add_error_handlers(application, metrics)
    if settings.cors_origin is not None:
        application.add_middleware(CORSMiddleware, allow_origins=[settings.cors_origin], allow_methods=["GET", "POST"])
    application.add_middleware(Observed, metrics=metrics)
    return application


def _add_error_handlers(application: FastAPI, metrics: Metrics) -> None:
    """Every error is an object with one sentence, `error`."""

    @application.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> Response:
        metrics.refused.labels(refusal.kind).inc()
        headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
        # Behind a body that was not read there is no place for another request.
        headers |= {"Connection": "close"} if refusal.status in (408, 413) else {}
        return json_response({"error": str(refusal)}, status=refusal.status, headers=headers)

    @application.exception_handler(HTTPException)
    async def explain_status(_: Request, error: HTTPException) -> Response:
        return json_response({"error": error.detail}, status=error.status_code, headers=error.headers)

    @application.exception_handler(RequestValidationError)
    async def explain_parameter(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return json_response({"error": f"{where}: {first['msg']}"}, status=422)

    @application.exception_handler(Exception)
    async def report_fault(_: Request, error: Exception) -> Response:
        LOGGER.error("fault", exc_info=error)
        return json_response({"error": "the server failed; its log says why"}, status=500)
