"""The verb rank, which measures how far the order of a supernet can be trusted."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glocal.cli.options import JSON
from glocal.cli.verbosity import console_for


def rank(
    folder: Annotated[Path, typer.Argument(help="Folder of a search whose supernet is trained: runs/search/NAME.")],
    level: Annotated[str | None, typer.Option(help="A level of the search; by default the last.")] = None,
    networks: Annotated[
        int, typer.Option(min=3, help="Networks that are trained alone, spread over the range of multiply-adds.")
    ] = 20,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of each; by default those of the finalists.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Trainings of each network; with one, the highest possible tau is not known.")
    ] = 2,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Networks that are trained at the same time; by default as in the search.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Train some networks of a space alone, and compare their order with the supernet's (docs/rank.md)."""
    from glocal.searching.ranking.rank import rank_supernet

    console = console_for(as_json=as_json)

    def echo(line: str) -> None:
        if console:
            console.print(line, highlight=False, soft_wrap=True, markup=False)

    result = rank_supernet(
        folder, level=level, networks=networks, epochs=epochs, seeds=seeds, workers=workers, echo=echo
    )
    if as_json:
        print(json.dumps({"level": result.level, "table": str(result.table), **result.rank.to_json()}))
    else:
        print(f"\n{result.rank}\n{result.table}")
