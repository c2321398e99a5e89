"""The verb compare."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glocal.cli.options import JSON


def compare(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    baseline: Annotated[Path, typer.Argument(help="Folder of the run that it is compared with.")],
    margin: Annotated[float, typer.Option(help="Difference in points of accuracy that does not matter.")] = 0.5,
    as_json: JSON = False,
) -> None:
    """Compare two finished runs picture by picture: which is better on these pictures, or that it cannot be told."""
    from glocal.comparing.runs import compare_runs

    verdict = compare_runs(run, baseline, margin=margin / 100)
    print(json.dumps(verdict.to_json(), ensure_ascii=False) if as_json else verdict)
