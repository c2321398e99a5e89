"""POST /predict and POST /explain: pictures as browsers, curl and scripts send them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from glocal.data.pictures import Unreadable
from glocal.errors import GlocalError
from glocal.evaluation.predict import Prediction
from glocal.serving.intake import Intake, unless_disconnected
from glocal.serving.messages.answers import json_response, prediction_json, refuse_unreadable
from glocal.serving.messages.refusal import Refusal
from glocal.serving.messages.uploads import pictures_in
from glocal.serving.service import Service
from glocal.serving.settings import ServeSettings


class PredictionOut(BaseModel):
    """A prediction, or the reason why there is none."""

    name: str
    predicted: list[str]
    confidence: float | None
    probabilities: dict[str, float]
    error: str | None


class PredictionsOut(BaseModel):
    """The predictions for the pictures of a request, in their order."""

    model: str
    predictions: list[PredictionOut]


class ErrorOut(BaseModel):
    """Why a request was refused."""

    error: str


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"file": {"type": "array", "items": _BINARY["schema"]}}}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _FORM, "image/*": _BINARY, "application/octet-stream": _BINARY},
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorOut, "description": description}
    for status, description in (
        (400, "The body is empty, or not what it claims to be."),
        (408, "The body did not arrive in time."),
        (413, "Too many bytes, pixels or pictures."),
        (415, "Not a picture, or a type of body that is not understood."),
        (422, "A broken picture, or a parameter out of range."),
        (429, "The queue is full; Retry-After says when to try again."),
    )
}


def picture_routes(service: Service, intake: Intake, *, name: str, settings: ServeSettings) -> APIRouter:
    """POST /predict, and POST /explain where the service explains."""
    router = APIRouter(responses=REFUSALS)
    _add_predict(router, service, intake, name=name, settings=settings)
    if service.explain is not None:
        _add_explain(router, service, intake)
    return router


def _add_predict(router: APIRouter, service: Service, intake: Intake, *, name: str, settings: ServeSettings) -> None:
    @router.post(
        "/predict", summary="Predict the classes of pictures", response_model=PredictionsOut, openapi_extra=BODY
    )
    async def predict(
        request: Request,
        top: Annotated[int | None, Query(ge=1, description="Return the most probable classes alone.")] = None,
    ) -> Response:
        """One picture as the body, or any number as the files of a form. Where some of several cannot be read, each of these has
        an `error`; where none can be, the request is refused."""
        async with intake.body(request) as body:
            kind = request.headers.get("content-type", "")
            pictures = await service.in_thread(pictures_in, body, kind, max_pictures=settings.max_pictures)
            rows = await unless_disconnected(request.receive, service.rows(pictures))
        errors = [(p.name, row) for p, row in zip(pictures, rows, strict=True) if isinstance(row, Unreadable)]
        if len(errors) == len(rows):
            raise refuse_unreadable(errors)
        predictions = [
            Prediction(p.name, error=str(row)) if isinstance(row, Unreadable) else service.decide(p.name, row)
            for p, row in zip(pictures, rows, strict=True)
        ]
        request.scope["glocal"] = {"pictures": len(pictures), "bytes": len(body)}
        return json_response({"model": name, "predictions": [prediction_json(each, top=top) for each in predictions]})


def _add_explain(router: APIRouter, service: Service, intake: Intake) -> None:
    @router.post(
        "/explain", summary="Show what the network looked at, as a PNG", response_class=Response, openapi_extra=BODY
    )
    async def explain(request: Request) -> Response:
        async with intake.body(request) as body:
            kind = request.headers.get("content-type", "")
            (picture,) = await service.in_thread(pictures_in, body, kind, max_pictures=1)
            try:
                png = await unless_disconnected(request.receive, service.explanation(picture))
            except Unreadable as error:
                raise refuse_unreadable([(picture.name, error)]) from None
            except GlocalError as error:
                raise Refusal(422, "explain", str(error)) from None
        return Response(png, media_type="image/png")
