"""The verb about weights before they are trained on: probe."""

import json
from typing import Annotated

import typer
from rich.console import Console

from glocal.cli.options import DEVICE, FRACTION, GROUP, JSON, SKIP, reading


def probe(
    weights: Annotated[str, typer.Argument(help="A file, a run's folder, a URL, hf:OWNER/REPO/FILE or timm:NAME.")],
    data: Annotated[str, typer.Argument(help="Pictures, as for `glocal train`.")],
    model: Annotated[str | None, typer.Option(help="The network, where the weights do not say it.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Most pictures of train, and of val.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the split, and of which pictures are taken.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that load pictures; by default threads.")] = None,
    device: DEVICE = "auto",
    val_fraction: FRACTION = None,
    skip_bad_files: SKIP = False,
    group_by: GROUP = None,
    as_json: JSON = False,
) -> None:
    """Say what a network's features are worth for pictures before any training: a linear probe, with its interval."""
    from glocal.training.probe import probe_weights

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    found = probe_weights(
        weights,
        data,
        model=model,
        pictures=pictures,
        device=device,
        workers=workers,
        seed=seed,
        val_fraction=val_fraction,
        skip_bad_files=skip_bad_files,
        group_by=group_by,
        tell=lambda line: None if as_json else console.print(line, markup=False),
        progress=reading(quiet=as_json),
    )
    if as_json:
        print(json.dumps({"weights": weights, "data": data, **found.to_json()}, ensure_ascii=False))
        return
    print(f"linear probe of {weights}: {found}")
    print(f"always saying the most frequent class would give {found.majority:.2%}")
