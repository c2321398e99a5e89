"""The pictures that a run predicted wrongly with the most confidence, small and inside of the page."""

import base64
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from glocal.errors import GlocalError
from glocal.evaluation.predictions import Predictions

MISTAKES = 24
SIDE = 160  # pixels of the longer side

Pixels = Callable[[str], np.ndarray]
"""From the path of a picture to its pixels, uint8 (h, w, 1 or 3). GlocalError where it cannot be read."""
Explain = Callable[[np.ndarray], bytes]
"""From pixels, uint8 (h, w, 3), to a PNG that shows what the network looked at."""


class Mistake(NamedTuple):
    """A wrongly predicted picture. `image` and `heat_map` are data URLs; empty where there is none."""

    path: str
    truth: str
    predicted: str
    confidence: float
    image: str
    heat_map: str
    problem: str  # why the picture is not shown


def mistakes(found: Predictions, *, pixels: Pixels | None, explain: Explain | None) -> list[Mistake]:
    """The most confident first. Without `pixels` they are named and not shown."""
    rows = []
    for i in found.most_wrong(MISTAKES):
        image, heat_map, problem = "", "", ""
        if pixels is not None:
            try:
                picture = pixels(found.paths[i])
                image = _jpeg_url(picture)
                heat_map = _png_url(explain(np.broadcast_to(picture, (*picture.shape[:2], 3)))) if explain else ""
            except GlocalError as error:
                problem = str(error)
        names = found.classes[found.truth[i]], found.classes[found.predicted[i]]
        rows.append(Mistake(found.paths[i], *names, float(found.confidence[i]), image, heat_map, problem))
    return rows


def _jpeg_url(picture: np.ndarray) -> str:
    """A small copy; tiny pictures keep their pixels, which the page enlarges."""
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    if max(image.size) > SIDE:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    lossless = max(image.size) <= 64
    image.save(file, "PNG" if lossless else "JPEG", **({} if lossless else {"quality": 85}))
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def _png_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
