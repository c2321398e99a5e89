"""The offline pages of explanations: one HTML file each, which needs no network."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glocal.explaining.checks import ALIKE
from glocal.explaining.methods import METHODS
from glocal.explaining.picture_maps import png
from glocal.explaining.results import Explanation, NetworkExplanation
from glocal.files import write_whole
from glocal.html_page import template


def write_page(explanation: Explanation, overlays: Sequence[Mapping[str, bytes]]) -> Path:
    """Writes explain.html: each picture with its overlays, by method, and what the checks found."""
    pictures = [
        {
            "explained": each,
            "original": data_uri(png(each.picture)),
            "overlays": {method: data_uri(pixels) for method, pixels in rows.items()},
        }
        for each, rows in zip(explanation.pictures, overlays, strict=True)
    ]
    found = {name: METHODS[name] for name in explanation.pictures[0].maps}
    values = {"explanation": explanation, "pictures": pictures, "methods": found, "alike": ALIKE}
    return _write(explanation.page, "explanation.html.j2", values)


def write_network_page(explanations: Sequence[NetworkExplanation], path: Path) -> Path:
    """Writes the page of one network, or of two side by side."""
    titles: dict[str, None] = {}
    for each in explanations:
        titles |= dict.fromkeys(each.figures)
    figures = [
        (title, [data_uri(each.figures[title]) if title in each.figures else None for each in explanations])
        for title in titles
    ]
    meanings = {title: next(e.meanings[title] for e in explanations if title in e.meanings) for title in titles}
    values = {"networks": explanations, "figures": figures, "meanings": meanings}
    return _write(path, "network.html.j2", values)


def data_uri(pixels: bytes) -> str:
    """The bytes of a PNG as an address that needs no network."""
    return "data:image/png;base64," + base64.b64encode(pixels).decode()


def _write(path: Path, name: str, values: Mapping[str, Any]) -> Path:
    text = template(Path(__file__).with_name(name)).render(**values)
    write_whole(path, text.encode(errors="replace"))  # a path may hold bytes that are no text
    return path
