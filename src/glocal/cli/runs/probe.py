"""The verb probe."""

import json
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field
from rich.console import Console

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, progress_bar
from glocal.data.options import DataOptions
from glocal.settings import STRICT, Flag, merge


class ProbeOptions(BaseModel):
    """What a probe reads, and where it computes."""

    model_config = STRICT

    model: Annotated[str | None, Flag("The network, where the weights do not name it.")] = None
    pictures: Annotated[int, Field(ge=1), Flag("Most pictures of train, and of val.")] = 10_000
    seed: Annotated[int, Flag("Seed of the split, and of which pictures are taken.")] = 0
    workers: Annotated[int | None, Field(ge=0), Flag("Processes that load pictures; by default threads.")] = None
    device: Annotated[str, Flag("auto, cpu, cuda, cuda:0 or mps.")] = "auto"


@from_settings("options", ProbeOptions)
@from_settings("data_options", DataOptions, panel="The pictures")
def probe(
    weights: Annotated[str, typer.Argument(help="A file, a run's folder, a URL, hf:OWNER/REPO/FILE or timm:NAME.")],
    data: Annotated[str, typer.Argument(help="Pictures, as for `glocal train`.")],
    options: dict[str, Any],
    data_options: dict[str, Any],
    as_json: JSON = False,
) -> None:
    """Measure what a network's features are worth for pictures before any training: a linear probe, with its interval."""
    from glocal.data import check
    from glocal.evaluation.probe import load_for_probe
    from glocal.evaluation.probe import probe as probe_network
    from glocal.machine.processes import Machine

    wanted, console = merge(ProbeOptions(), options), Console(stderr=True, highlight=False, soft_wrap=True)
    machine = Machine.start(wanted.device, workers=wanted.workers)
    network, preprocess = load_for_probe(
        weights, model=wanted.model, echo=lambda line: None if as_json else console.print(line, markup=False)
    )
    reading = merge(DataOptions(), data_options)
    report = check(data, options=reading, seed=wanted.seed, progress=progress_bar(quiet=as_json))
    found = probe_network(
        network.to(machine.device),
        report.require_data(),
        preprocess=preprocess,
        machine=machine,
        pictures=wanted.pictures,
        seed=wanted.seed,
    )
    if as_json:
        print(json.dumps({"weights": weights, "data": data, **found.to_json()}, ensure_ascii=False))
        return
    print(f"linear probe of {weights}: {found}")
    print(f"always predicting the most frequent class would give {found.majority:.2%}")
