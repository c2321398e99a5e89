"""The verb search, which searches a space of networks or resumes a search."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, assignments, nothing_beside, progress_bar
from glocal.cli.verbosity import console_for
from glocal.command_line import command
from glocal.data.options import DataOptions
from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe
from glocal.searching.settings import SearchSettings
from glocal.settings import divide, merge
from glocal.trials.place import TrialPlace

if TYPE_CHECKING:
    from glocal.searching.search_result import SearchResult

_RUN = "The run"


@from_settings("search_settings", SearchSettings)
@from_settings("place", TrialPlace, panel=_RUN)
@from_settings("options", DataOptions, panel="The pictures")
def search(
    search_settings: dict[str, Any],
    place: dict[str, Any],
    options: dict[str, Any],
    data: Annotated[
        str | None, typer.Argument(help="A folder, table, shards or data set of pictures (docs/data.md), or `digits`.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="How networks are trained; by default the recipe that suits the pictures.", rich_help_panel=_RUN
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE, a setting of the search or of the recipe.", rich_help_panel=_RUN),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Folder of a search to continue. Only --workers can be given with it.", rich_help_panel=_RUN),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Search a space for the network that learns these pictures best within limits, and train it."""
    from glocal.searching.search import SearchRequest, search_request
    from glocal.searching.search import resume as resume_search

    console, progress = console_for(as_json=as_json), progress_bar(quiet=as_json)
    where = merge(TrialPlace(), place)
    if resume is not None:
        nothing_beside("--resume", "--workers", "--json")
        result = resume_search(resume, workers=where.workers, console=console, progress=progress)
    elif data is None:
        raise RecipeError("name a folder of pictures, or `digits`: glocal search DATA --space NAME")
    else:
        assigned, changes = divide(assignments(settings or []), SearchSettings, Recipe)
        seed = {name: value for name, value in search_settings.items() if name == "seed"}
        request = SearchRequest(SearchSettings.of({**assigned, **search_settings}), recipe, {**changes, **seed})
        result = search_request(
            data, request, place=where, options=merge(DataOptions(), options), console=console, progress=progress
        )
    _print(result, as_json=as_json)


def _print(result: "SearchResult", *, as_json: bool) -> None:
    """Draws the figures, writes the report, and prints the winner with the commands that use it."""
    from glocal.reporting import draw_search, write_report

    draw_search(result.folder)
    report = write_report(result.folder)
    if as_json:
        print(json.dumps({**result.to_json(), "report": str(report)}, ensure_ascii=False))
        return
    architecture = result.folder / "winner" / "architecture.yaml"
    console = Console()
    console.print(f"[bold]winner[/bold]: {result.val}", highlight=False, soft_wrap=True)
    console.print("\nnext:", style="bold")
    for line in (
        command("show", architecture),
        command("predict", result.weights, "PICTURE"),
        command("train", "DATA", options=[("--model", architecture)]),
        *([command("rank", result.folder)] if any(result.folder.glob("*/supernet.safetensors")) else []),
        f"report: {report}",
    ):
        console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)
