"""The verb export."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON
from glocal.deploying.settings import ExportSettings
from glocal.settings import merge


@from_settings("settings", ExportSettings)
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a file of weights.")],
    settings: dict[str, Any],
    data: Annotated[
        str | None, typer.Argument(help="Pictures with labels to check the file on; by default the run's own val.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Write a run as one ONNX, OpenVINO or torch.export file that runs without glocal, checked on real pictures first."""
    from glocal.deploying.export import export as export_run

    wanted = merge(ExportSettings(), settings)
    found = export_run(run, data, **wanted.model_dump())
    if as_json:
        about = asdict(found.about)
        files = [str(path) for path in (found.file, *found.beside)]
        print(json.dumps({"files": files, "about": about, "notes": found.notes}, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in (*found.about.agreement, *found.notes):
        console.print(line, markup=False)
    if found.about.accuracy:
        low, high = found.about.accuracy.interval
        top1, n = found.about.accuracy.top1, found.about.accuracy.n
        console.print(f"top-1 of the file {top1:.2%} (95 % interval {low:.2%} to {high:.2%}), {n:,} pictures")
    for path in (found.file, *found.beside):
        console.print(f"{path}  {path.stat().st_size:,} bytes", markup=False)
