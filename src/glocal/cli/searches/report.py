"""The verb report, which writes a page about a run, a study or a search, and the figures of a search."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glocal.cli.options import JSON
from glocal.errors import RecipeError


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, a study or a search: runs/train/NAME, ...")],
    cost: Annotated[
        str | None,
        typer.Option(
            help="Of a search, the cost on the horizontal axis of figures: macs, params, latency_ms or memory_bytes.",
            show_default=False,
        ),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Write one HTML file about a run, a study or a search, finished or not. The page needs no network."""
    if (folder / "run.yaml").is_file():
        _of_run(folder, cost=cost, as_json=as_json)
        return
    path, plots = _write(folder, cost=cost)
    if as_json:
        print(json.dumps({"report": str(path), "plots": [str(plot) for plot in plots]}, ensure_ascii=False))
        return
    print(path)
    if plots:
        print(f"{len(plots)} figures in {plots[0].parent}")


def _of_run(folder: Path, *, cost: str | None, as_json: bool) -> None:
    from glocal.cli.runs.page import write_page_with_maps

    _refuse_cost(folder, "run", cost=cost)
    path, about_maps = write_page_with_maps(folder)
    if as_json:
        print(json.dumps({"report": str(path), "plots": [], "heat_maps": about_maps}, ensure_ascii=False))
        return
    print(path, *about_maps, sep="\n")


def _write(folder: Path, *, cost: str | None) -> tuple[Path, list[Path]]:
    """The page of a study or search, and the figures that were written beside it."""
    if (folder / "study.json").is_file():
        from glocal.reporting.studies.page import write_study_page

        _refuse_cost(folder, "study", cost=cost)
        return write_study_page(folder), []
    from glocal.reporting import draw_search, write_report

    return write_report(folder, cost=cost), draw_search(folder, cost=cost)


def _refuse_cost(folder: Path, kind: str, *, cost: str | None) -> None:
    if cost is not None:
        raise RecipeError(f"--cost is for searches, and {folder} is the folder of a {kind}")
