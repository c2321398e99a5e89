"""The verb study."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from glocal.cli.comparing.printing import print_found
from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, assignments, nothing_beside, progress_bar
from glocal.cli.verbosity import console_for, stdout_console
from glocal.comparing.settings import StudySettings
from glocal.data.options import DataOptions
from glocal.errors import RecipeError
from glocal.settings import STRICT, Flag, merge
from glocal.trials.place import TrialPlace

if TYPE_CHECKING:
    from glocal.comparing.result import StudyResult


class Choice(BaseModel):
    """Which study, and whether one that was started goes on."""

    model_config = STRICT

    arms: Annotated[str | None, Flag("Some arms alone, by name: 'a,b'.")] = None
    list_all: Annotated[bool, Flag("List the studies, each with its question.", name="--list")] = False
    resume: Annotated[Path | None, Flag("Folder of a study to go on with, alone or with --workers and --seeds.")] = None


@from_settings("choice", Choice)
@from_settings("study_settings", StudySettings)
@from_settings("place", TrialPlace, panel="The run")
@from_settings("options", DataOptions, panel="The pictures")
def study(
    choice: dict[str, Any],
    study_settings: dict[str, Any],
    place: dict[str, Any],
    options: dict[str, Any],
    name: Annotated[
        str | None, typer.Argument(help="A study's name (--list), or a YAML file (docs/studies.md).")
    ] = None,
    data: Annotated[str | None, typer.Argument(help="Pictures, as for `glocal train`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the recipe, for every arm.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Compare networks on your pictures, with seeds and intervals, until it can be told which is better, or that it cannot."""
    from glocal.comparing.run_study import find_study, resume_study, study_request

    console, progress = console_for(as_json=as_json), progress_bar(quiet=as_json)
    chosen = merge(Choice(), choice)
    if chosen.list_all:
        _list(as_json=as_json)
        return
    if chosen.resume is not None:
        nothing_beside("--resume", "--workers", "--seeds", "--json", "-q", "--quiet", "-v", "--verbose")
        found = resume_study(
            chosen.resume,
            workers=merge(TrialPlace(), place).workers,
            seeds=merge(StudySettings(), study_settings).seeds,
            console=console,
            progress=progress,
        )
    elif name is None or data is None:
        raise RecipeError(
            "name a study and a folder of pictures: glocal study NAME DATA (`glocal study --list` lists studies)"
        )
    else:
        asked = find_study(name)
        found = study_request(
            data,
            asked.with_arms(asked.names_in(chosen.arms)) if chosen.arms else asked,
            settings=merge(StudySettings(), study_settings),
            changes=assignments(settings or []),
            place=merge(TrialPlace(), place),
            options=merge(DataOptions(), options),
            console=console,
            progress=progress,
        )
    _show(found, as_json=as_json)


def _show(found: "StudyResult", *, as_json: bool) -> None:
    from glocal.comparing.display import table_of
    from glocal.reporting.studies.page import write_study_page

    table = table_of(found, width=stdout_console().width)
    print_found(found, write_study_page(found.folder), as_json=as_json, table=table)


def _list(*, as_json: bool) -> None:
    from glocal.comparing.tables import STUDIES

    if as_json:
        rows = [
            {"name": s.name, "arms": len(s.arms), "question": s.question, "source": s.source} for s in STUDIES.values()
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("study", "arms", "question", box=None, header_style="bold", pad_edge=False)
    for each in STUDIES.values():
        table.add_row(each.name, str(len(each.arms)), Text(each.question))
    stdout_console().print(table)
