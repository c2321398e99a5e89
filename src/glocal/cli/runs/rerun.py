"""The verb rerun."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glocal.cli.options import JSON, progress_bar
from glocal.cli.verbosity import console_for


def rerun(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    as_json: JSON = False,
) -> None:
    """Repeat a run from what it wrote, in a folder beside it, and compare the bits; exits with 1 where they differ."""
    from glocal.runs.rerun import rerun as repeat

    again = repeat(run, console=console_for(as_json=as_json), progress=progress_bar(quiet=as_json))
    if as_json:
        print(json.dumps(again.to_json(), ensure_ascii=False))
    else:
        print(f"\nrepeated in {again.run.folder}: {'the same, to the bit' if again.same else 'NOT the same'}")
        for line in again.numbers:
            print(f"  {line}")
        if again.surroundings and not again.same:
            print("what else differs:")
        for line in again.surroundings if not again.same else ():
            print(f"  {line}")
    if not again.same:
        raise typer.Exit(1)
