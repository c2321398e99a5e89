"""The verb that reports what a search found."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glocal.cli.options import JSON


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a search: runs/search/NAME.")],
    cost: Annotated[
        str | None,
        typer.Option(
            help="What accuracy is drawn against: macs, params, latency_ms or memory_bytes.", show_default=False
        ),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Write one HTML file about a whole search, finished or not, and its figures; no network is needed.

    Only searches are reported now.
    """
    from glocal.reporting import draw_search, write_report

    path = write_report(folder, cost=cost)
    plots = draw_search(folder, cost=cost)
    if as_json:
        print(json.dumps({"report": str(path), "plots": [str(plot) for plot in plots]}, ensure_ascii=False))
        return
    print(path)
    if plots:
        print(f"{len(plots)} figures in {plots[0].parent}")
