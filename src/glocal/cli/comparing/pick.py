"""The verb pick."""

from pathlib import Path
from typing import Annotated, Any

import typer

from glocal.cli.comparing.printing import print_found
from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, assignments, nothing_beside, progress_bar
from glocal.cli.verbosity import console_for
from glocal.command_line import command
from glocal.data.options import DataOptions
from glocal.errors import RecipeError
from glocal.picking.settings import PickSettings
from glocal.settings import merge
from glocal.trials.place import TrialPlace


@from_settings("pick_settings", PickSettings)
@from_settings("place", TrialPlace, panel="The run")
@from_settings("options", DataOptions, panel="The pictures")
def pick(
    pick_settings: dict[str, Any],
    place: dict[str, Any],
    options: dict[str, Any],
    data: Annotated[str | None, typer.Argument(help="Pictures, as for `glocal train`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the recipe, for every candidate.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a pick to go on with, alone or with --workers.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Pick the network for your pictures, your device and your time: a race of candidates, and a verdict on the best."""
    from glocal.picking.display import table_of
    from glocal.picking.run_pick import pick_request, resume_pick
    from glocal.reporting.picks.page import write_pick_page

    console, progress = console_for(as_json=as_json), progress_bar(quiet=as_json)
    if resume is not None:
        nothing_beside("--resume", "--workers", "--json")
        found = resume_pick(resume, workers=merge(TrialPlace(), place).workers, console=console, progress=progress)
    elif data is None:
        raise RecipeError("name a folder of pictures: glocal pick DATA --budget 1h --max-latency 20ms")
    else:
        found = pick_request(
            data,
            settings=merge(PickSettings(), pick_settings),
            changes=assignments(settings or []),
            place=merge(TrialPlace(), place),
            options=merge(DataOptions(), options),
            console=console,
            progress=progress,
        )
    use = f"use it: {command('predict', found.run)} PICTURE\n"
    print_found(found, write_pick_page(found.folder), as_json=as_json, table=table_of(found), last=use)
