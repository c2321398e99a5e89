"""The verb train."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import BaseModel
from rich.console import Console

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, progress_bar
from glocal.cli.runs.page import page_of_finished
from glocal.cli.verbosity import console_for
from glocal.data.checks.scan import Progress
from glocal.data.options import DataOptions
from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe
from glocal.runs.place import Place
from glocal.settings import STRICT, Flag, flag_name, flags, merge

if TYPE_CHECKING:
    from glocal.runs.run import Run

_RECIPE, _RESUMING = "The recipe", "Resuming"


class Resumption(BaseModel):
    """The run that is continued, and how."""

    model_config = STRICT

    resume: Annotated[
        Path | None, Flag("Folder of a stopped run to continue; or of a finished one to train longer, with --epochs.")
    ] = None
    restart: Annotated[
        Literal["warm"] | None, Flag("Train longer with a schedule that starts again from the peak learning rate.")
    ] = None


@from_settings("recipe_settings", Recipe, panel=_RECIPE, with_set="NAME=VALUE for any other setting of the recipe.")
@from_settings("resumption", Resumption, panel=_RESUMING)
@from_settings("place", Place, panel="The run")
@from_settings("options", DataOptions, panel="The pictures")
def train(
    recipe_settings: dict[str, Any],
    resumption: dict[str, Any],
    place: dict[str, Any],
    options: dict[str, Any],
    data: Annotated[
        str | None, typer.Argument(help="A folder, table, shards or data set of pictures (docs/data.md), or `digits`.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A named recipe; by default the one that suits the pictures.", rich_help_panel=_RECIPE),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A run.yaml whose settings to use.", rich_help_panel=_RECIPE)
    ] = None,
    as_json: JSON = False,
) -> None:
    """Train a network on a folder of pictures: checked, trained, evaluated, and written to a folder of its own."""
    from glocal.runs.settings import Request, config_source
    from glocal.runs.train import train_request

    console, progress = console_for(as_json=as_json), progress_bar(quiet=as_json)
    continued = merge(Resumption(), resumption)
    if continued.resume is not None:
        beside = {"DATA": data, "--recipe": recipe, "--config": config}
        unused = [name for name, value in beside.items() if value] + [flag_name(DataOptions, name) for name in options]
        run = _resume(continued, recipe_settings, place, unused=unused, console=console, progress=progress)
    elif continued.restart:
        raise RecipeError("--restart needs the finished run that is trained longer: --resume RUN --epochs N")
    else:
        if data is None:
            if config is None:
                raise RecipeError("name a folder of pictures, or `digits`: glocal train DATA")
            data = config_source(config)
        run = train_request(
            data,
            Request(recipe, config, recipe_settings, origin="command line"),
            place=merge(Place(), place),
            options=merge(DataOptions(), options),
            console=console,
            progress=progress,
        )
    page = page_of_finished(run.folder)
    if as_json:
        print(json.dumps({**run.to_json(), "report": str(page) if page else None}, ensure_ascii=False))
    else:
        _print_result(run, Console(), page=page)


def _resume(
    continued: Resumption,
    recipe_settings: Mapping[str, Any],
    place: Mapping[str, Any],
    *,
    unused: Iterable[str],
    console: Console | None,
    progress: Progress | None,
) -> "Run":
    """Continues a run, or trains it longer; RecipeError for what has no effect beside --resume."""
    from glocal.runs.longer import train_longer
    from glocal.runs.resume import resume_stopped

    assert continued.resume
    if unused := list(unused):
        raise RecipeError(f"{unused[0]} has no effect with --resume: the pictures and the recipe are those of the run")
    if "epochs" in recipe_settings:
        return train_longer(
            continued.resume,
            recipe_settings,
            restart=continued.restart,
            place=place,
            origin="command line",
            console=console,
            progress=progress,
        )
    typed = [flag_name(Recipe, name) for name in recipe_settings] + ["--restart"] * bool(continued.restart)
    typed += [flag_name(Place, name) for name in place if not os.environ.get(flags(Place)[name].env or "")]
    if typed:
        raise RecipeError(
            f"{typed[0]} has no effect with --resume, which continues a stopped run with its own settings; "
            "with --epochs N a finished one is trained longer"
        )
    return resume_stopped(continued.resume, console=console, progress=progress)


def _print_result(run: "Run", console: Console, *, page: Path | None) -> None:
    console.print(f"\n[bold]best epoch {run.epoch + 1}[/bold]: {run.val}", highlight=False, soft_wrap=True)
    console.print(run.comparison, highlight=False, soft_wrap=True, markup=False)
    console.print("\nnext:", style="bold")
    for line in run.next_commands:
        console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)
    if page is not None:
        console.print(f"\nreport: {page}", highlight=False, soft_wrap=True, markup=False)
