"""The verb shard."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, SOURCE, progress_bar
from glocal.command_line import command
from glocal.data.options import DataOptions
from glocal.settings import merge


@from_settings("options", DataOptions, panel="The pictures")
def shard(
    data: SOURCE,
    out: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
    options: dict[str, Any],
    size_mb: Annotated[float, typer.Option(help="No shard is larger, in millions of bytes.")] = 256,
    resize: Annotated[
        int | None,
        typer.Option(help="Scale pictures down to this many pixels of their shorter side, and encode them anew."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split, and of the order in the shards.")] = 0,
    as_json: JSON = False,
) -> None:
    """Check pictures and write them as tar shards (WebDataset), which a slow disk or a network reads faster than files."""
    from glocal.data import check, write_shards

    progress = progress_bar(quiet=as_json)
    report = check(data, options=merge(DataOptions(), options), seed=seed, progress=progress)
    checked = report.require_data()
    written = write_shards(checked, out, size_mb=size_mb, resize=resize, seed=seed, progress=progress)
    if as_json:
        print(json.dumps(written.to_json()))
        return
    console = Console(highlight=False)
    console.print(checked.split_rule, markup=False)
    dropped = sum(fault.severity == "dropped" for fault in report.faults)
    if dropped:
        console.print(f"left out because they cannot be read: {dropped:,} (glocal check names them)")
    for split, n in written.pictures.items():
        shards = written.shards[split]
        console.print(f"{split}: {n:,} pictures in {shards:,} shard{'s' * (shards > 1)}")
    kept = (
        f"{written.encoded:,} encoded anew, the others as they were" if written.encoded else "their bytes as they were"
    )
    console.print(f"{written.size_bytes:,} bytes in {written.folder}; {kept}", markup=False, soft_wrap=True)
    console.print("\nnext:", style="bold")
    console.print(f"  {command('check', written.folder)}", soft_wrap=True, markup=False)
