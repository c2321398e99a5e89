"""Answers as JSON, and the status of pictures that cannot be read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from glocal.data.pictures import Unreadable
from glocal.evaluation.predict import Prediction
from glocal.serving.messages.refusal import Refusal

STATUS = {"zero bytes": 400, "not a picture": 415, "too large": 413, "truncated": 422}
"""Of each kind of `Unreadable`."""


def json_response(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response in ASCII, so that whatever a class or file is called, it can be sent."""
    body = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def prediction_json(prediction: Prediction, *, top: int | None) -> dict[str, Any]:
    """A prediction as `glocal predict --jsonl` has it, with the name of the file that was sent instead of a path.

    top: only so many classes, the most probable first.
    """
    values = prediction.to_json()
    name = values.pop("path")
    if top is not None:
        values["probabilities"] = {each: values["probabilities"][each] for each, _ in prediction.top(top)}
    return {"name": name, **values}


def refuse_unreadable(errors: Sequence[tuple[str, Unreadable]]) -> Refusal:
    """The refusal of a request for pictures that cannot be read, given with their names."""
    shown = [f"{name}: {error}" if name else str(error) for name, error in errors[:5]]
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    _, first = errors[0]
    return Refusal(STATUS.get(first.kind, 422), first.kind.replace(" ", "_"), "; ".join(shown) + more)
