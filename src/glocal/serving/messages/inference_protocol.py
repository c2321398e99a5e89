"""The messages of the Open Inference Protocol, version 2 (https://github.com/kserve/open-inference-protocol), for one model."""

import base64
import binascii
import math
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from glocal.serving.messages.refusal import Refusal
from glocal.serving.messages.uploads import Picture
from glocal.serving.models import Classifier

VERSION = "1"
INPUT, PROBABILITIES, PREDICTED = "image", "probabilities", "predicted"


class InputTensor(BaseModel):
    """Pictures: BYTES of shape [n], each a file in base64, or UINT8 of shape [n, h, w, 3 or 1], pixels row by row."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any]


class RequestedOutput(BaseModel):
    """An output to return."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(BaseModel):
    """A request for predictions."""

    id: str | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[InputTensor]
    outputs: list[RequestedOutput] | None = Field(None, description="All outputs where none is named.")


class Inference(NamedTuple):
    """What a request asks for."""

    id: str | None
    pictures: list[Picture]
    outputs: tuple[str, ...]


def read_request(body: bytes, *, max_pictures: int, max_pixels: int) -> Inference:
    """The meaning of a body. Refusal says what is wrong with it."""
    try:
        request = InferRequest.model_validate_json(body)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(map(str, first["loc"]))
        raise _bad(f"{where}: {first['msg']}" if where else first["msg"]) from None
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise _bad(f"give one input, named {INPUT!r}")
    outputs = tuple(each.name for each in request.outputs or ()) or (PROBABILITIES, PREDICTED)
    if unknown := [name for name in outputs if name not in (PROBABILITIES, PREDICTED)]:
        raise _bad(f"there is no output {unknown[0][:100]!r}; there are {PROBABILITIES!r} and {PREDICTED!r}")
    (tensor,) = request.inputs
    if not tensor.shape or min(tensor.shape) < 1:
        raise _bad(f"shape {str(tensor.shape)[:100]}: give sizes of at least 1")
    if tensor.shape[0] > max_pictures:
        raise Refusal(413, "pictures", f"{tensor.shape[0]:,} pictures are more than the {max_pictures} allowed")
    contents: list[bytes | np.ndarray] = []
    match tensor.datatype:
        case "BYTES":
            contents += _files(tensor)
        case "UINT8":
            contents += _pixels(tensor, max_pixels)
        case other:
            raise _bad(f"datatype {other[:100]!r}: give BYTES (files in base64) or UINT8 (pixels)")
    pictures = [Picture(f"picture {i}", content) for i, content in enumerate(contents)]
    return Inference(request.id, pictures, outputs)


def _bad(reason: str) -> Refusal:
    return Refusal(400, "json", reason)


def _files(tensor: InputTensor) -> list[bytes]:
    if tensor.shape != [len(tensor.data)]:
        raise _bad(f"shape {str(tensor.shape)[:100]} does not fit {len(tensor.data):,} elements; BYTES have shape [n]")
    files = []
    for i, text in enumerate(tensor.data):
        try:
            files.append(base64.b64decode(text, validate=True))
        except (binascii.Error, TypeError, ValueError):
            raise _bad(f"element {i} is not text in base64") from None
    return files


def _pixels(tensor: InputTensor, max_pixels: int) -> list[np.ndarray]:
    shape = tensor.shape
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise _bad(f"shape {str(shape)[:100]}: UINT8 have shape [n, height, width, 3 or 1]")
    if shape[1] * shape[2] > max_pixels:
        raise Refusal(413, "pixels", f"{shape[1]} x {shape[2]} pixels are more than the {max_pixels:,} allowed")
    try:
        values = np.asarray(tensor.data)
    except (ValueError, OverflowError):
        values = np.empty(0, object)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
        raise _bad("data must be whole numbers from 0 to 255, in one list or in lists of the tensor's shape")
    if values.size != math.prod(shape) or (values.ndim > 1 and [*values.shape] != shape):
        raise _bad(f"shape {str(shape)[:100]} does not fit data of shape {[*values.shape]}")
    return [*values.astype(np.uint8).reshape(shape)]


def metadata(name: str, classifier: Classifier) -> dict[str, Any]:
    """What the model takes and gives."""
    k = len(classifier.classes)
    return {
        "name": name,
        "versions": [VERSION],
        "platform": "glocal",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, k]},
            {"name": PREDICTED, "datatype": "BYTES", "shape": [-1]},
        ],
        "parameters": {
            "classes": [*classifier.classes],
            "multi_label": classifier.multi_label,
            "preprocess": classifier.preprocess.to_json(),
        },
    }


def answer(name: str, inference: Inference, rows: list[np.ndarray], predicted: list[tuple[str, ...]]) -> dict[str, Any]:
    """The answer to a request: probabilities with all their digits, and classes, several of them joined by "|"."""
    tensors = {
        PROBABILITIES: {
            "name": PROBABILITIES,
            "datatype": "FP32",
            "shape": [len(rows), len(rows[0])],
            "data": np.concatenate(rows).tolist(),
        },
        PREDICTED: {
            "name": PREDICTED,
            "datatype": "BYTES",
            "shape": [len(rows)],
            "data": ["|".join(classes) for classes in predicted],
        },
    }
    identified = {} if inference.id is None else {"id": inference.id}
    outputs = [tensors[each] for each in inference.outputs]
    return {"model_name": name, "model_version": VERSION, **identified, "outputs": outputs}
