"""The verbs that search: search, and rank, which says whether a supernet is to be believed."""

import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from glocal.cli.options import DEVICE, FRACTION, GROUP, JSON, SKIP, assignments, nothing_beside, reading
from glocal.errors import RecipeError


class Levels(StrEnum):
    """What is searched one after the other."""

    one = "one"
    joint = "joint"
    two = "two"


class Method(StrEnum):
    """How candidates are proposed."""

    evolution = "evolution"
    random = "random"


class Sharing(StrEnum):
    """What the paths of a supernet share."""

    independent = "independent"
    entangled = "entangled"


class Engine(StrEnum):
    """Where workers run."""

    processes = "processes"
    ray = "ray"


class Cost(StrEnum):
    """What a network costs."""

    macs = "macs"
    params = "params"
    latency_ms = "latency_ms"
    memory_bytes = "memory_bytes"


_SPACE, _EFFORT, _LIMITS, _RUN = "The space", "How much", "Limits (least and most)", "The run"


def _option(panel: str, text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=panel)


def search(
    data: Annotated[
        str | None, typer.Argument(help="A folder, table, shards or data set of pictures (docs/data.md), or `digits`.")
    ] = None,
    space: Annotated[str, _option(_SPACE, "A name (`glocal show SPACE`), or an architecture.yaml with questions.")] = (
        "glit_cifar"
    ),
    levels: Annotated[
        Levels | None, _option(_SPACE, "GLiT's two levels, both at once (joint), or the space as it is (one).")
    ] = None,
    sharing: Annotated[
        Sharing, _option(_SPACE, "Weights of their own for all candidates, or slices of common ones.")
    ] = (Sharing.independent),
    method: Annotated[Method, _option(_EFFORT, "How candidates are proposed.")] = Method.evolution,
    budget: Annotated[str | None, _option(_EFFORT, "Time for everything: 2h, 90m, 1h30m.")] = None,
    supernet_epochs: Annotated[int | None, _option(_EFFORT, "Epochs of a supernet.")] = None,
    candidates: Annotated[int | None, _option(_EFFORT, "Candidates a level; 1,000 without a budget.")] = None,
    finalists: Annotated[int, _option(_EFFORT, "The best candidates, which are trained from scratch.")] = 5,
    finalist_epochs: Annotated[int | None, _option(_EFFORT, "Epochs of a finalist.")] = None,
    front: Annotated[Cost | None, _option(_EFFORT, "Weigh accuracy against this cost: a Pareto front.")] = None,
    max_macs: Annotated[str | None, _option(_LIMITS, "Multiply-adds: 0.3G, 1300M.")] = None,
    min_macs: Annotated[str | None, _option(_LIMITS, "")] = None,
    max_params: Annotated[str | None, _option(_LIMITS, "Weights: 5M.")] = None,
    min_params: Annotated[str | None, _option(_LIMITS, "")] = None,
    max_latency: Annotated[str | None, _option(_LIMITS, "Of one picture, measured on this device: 5ms.")] = None,
    min_latency: Annotated[str | None, _option(_LIMITS, "")] = None,
    max_memory: Annotated[str | None, _option(_LIMITS, "Weights and activations of one picture: 40MB.")] = None,
    min_memory: Annotated[str | None, _option(_LIMITS, "")] = None,
    recipe: Annotated[
        str | None, _option(_RUN, "How networks are trained; by default what suits the pictures.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, of the search or the recipe.", rich_help_panel=_RUN)
    ] = None,
    seed: Annotated[int | None, _option(_RUN, "Of paths, candidates, weights and every draw.")] = None,
    held_out: Annotated[
        str | None, _option(_RUN, "Training pictures that judge, a share or a number, if val is the source's own.")
    ] = None,
    workers: Annotated[
        int | None,
        _option(
            _RUN,
            "Processes that judge candidates and train finalists; by default one a core, up to 8, or one for a GPU.",
        ),
    ] = None,
    engine: Annotated[Engine, _option(_RUN, "Workers on this machine, or on a Ray cluster.")] = Engine.processes,
    storage: Annotated[
        str | None, _option(_RUN, "Table of candidates: postgresql://USER@HOST/DATABASE, journal:PATH or a path.")
    ] = None,
    device: DEVICE = "auto",
    output: Annotated[Path, _option(_RUN, "Where the folder of the search is made.")] = Path("runs/search"),
    name: Annotated[str | None, _option(_RUN, "Name of that folder; an existing one is never overwritten.")] = None,
    resume: Annotated[Path | None, _option(_RUN, "Folder of a search to go on with, alone or with --workers.")] = None,
    val_fraction: FRACTION = None,
    skip_bad_files: SKIP = False,
    group_by: GROUP = None,
    as_json: JSON = False,
) -> None:
    """Search a space for the network that learns these pictures best within limits, and train it."""
    from glocal.reporting import draw_search, write_report
    from glocal.searching import run as searches

    console, progress = None if as_json else Console(), reading(quiet=as_json)
    if resume is not None:
        nothing_beside("--resume", "--workers", "--json")
        found = searches.resume(resume, workers=workers, console=console, progress=progress)
    elif data is None:
        raise RecipeError("name a folder of pictures, or `digits`: glocal search DATA --space NAME")
    else:
        of_search, of_recipe = _divided(assignments(settings or []))
        given: dict[str, Any] = {
            "levels": levels and levels.value,
            "sharing": sharing.value,
            "method": method.value,
            "budget_s": seconds_of(budget),
            "supernet_epochs": supernet_epochs,
            "candidates": candidates,
            "finalists": finalists,
            "finalist_epochs": finalist_epochs,
            "front": front and front.value,
            "min_macs": amount("--min-macs", min_macs),
            "max_macs": amount("--max-macs", max_macs),
            "min_params": amount("--min-params", min_params),
            "max_params": amount("--max-params", max_params),
            "min_latency_ms": amount("--min-latency", min_latency, unit="ms"),
            "max_latency_ms": amount("--max-latency", max_latency, unit="ms"),
            "min_memory_bytes": amount("--min-memory", min_memory, unit="B"),
            "max_memory_bytes": amount("--max-memory", max_memory, unit="B"),
            "held_out": held_out,
            "seed": seed,
        }
        found = searches.search(
            data,
            space=space,
            settings={**of_search, **{k: v for k, v in given.items() if v is not None}},
            recipe=recipe,
            recipe_settings={**({} if seed is None else {"seed": seed}), **of_recipe},
            output=output,
            name=name,
            workers=workers or _cores(device),
            storage=storage,
            engine=engine.value,
            device=device,
            val_fraction=val_fraction,
            skip_bad_files=skip_bad_files,
            group_by=group_by,
            console=console,
            progress=progress,
        )
    draw_search(found.folder)
    report = write_report(found.folder)
    if console is None:
        print(json.dumps({**found.to_json(), "report": str(report)}, ensure_ascii=False))
        return
    console.print(f"[bold]winner[/bold]: {found.val}", highlight=False, soft_wrap=True)
    console.print("\nnext:", style="bold")
    for line in (
        f"glocal show {found.folder / 'winner' / 'architecture.yaml'}",
        f"glocal predict {found.weights} PICTURE",
        f"glocal train DATA --model {found.folder / 'winner' / 'architecture.yaml'}",
        f"glocal rank {found.folder}",
        f"report: {report}",
    ):
        console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)


def rank(
    folder: Annotated[Path, typer.Argument(help="Folder of a search whose supernet is trained: runs/search/NAME.")],
    level: Annotated[str | None, typer.Option(help="Its level; by default the last.")] = None,
    networks: Annotated[int, typer.Option(help="Networks that are trained alone, spread over multiply-adds.")] = 20,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each; by default those of the finalists.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Networks trained at a time; by default as in the search.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Train some networks of a space alone, and say how well the supernet had foretold their order (docs/rank.md)."""
    from glocal.searching.ranking import rank_supernet

    found = rank_supernet(
        folder,
        level=level,
        networks=networks,
        epochs=epochs,
        workers=workers,
        tell=(lambda line: None) if as_json else print,
    )
    if as_json:
        print(json.dumps({"level": found.level, "table": str(found.table), **found.rank.to_json()}))
    else:
        print(f"\n{found.rank}\n{found.table}")


def _cores(device: str) -> int:
    """Workers that this machine can keep busy; more than 8 would each want their pictures in memory."""
    from glocal.training.device import pick_device

    return min(8, os.cpu_count() or 1) if pick_device(device).type == "cpu" else 1


_SCALES = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def amount(flag: str, text: str | None, *, unit: str = "") -> float | None:
    """ "0.3G" as 3e8, "5ms" as 5.0, "40MB" as 4e7; RecipeError for anything else."""
    if text is None:
        return None
    scales = "|".join(_SCALES) if unit != "ms" else ""
    if not (m := re.fullmatch(rf"(\d+(?:\.\d+)?(?:e\d+)?)\s*({scales})(?:{unit})?", text)):
        like = {"": "0.3G or 1300M", "ms": "5ms", "B": "40MB"}[unit]
        raise RecipeError(f"{flag} {text!r}: give a number such as {like}")
    return float(m[1]) * _SCALES[m[2]]


def seconds_of(text: str | None) -> float | None:
    """ "2h", "90m", "1h30m" or "3600s" in seconds; RecipeError for anything else."""
    if text is None:
        return None
    m = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if not text or not m:
        raise RecipeError(f"--budget {text!r}: give a time such as 2h, 90m or 1h30m")
    return sum(float(part or 0) * s for part, s in zip(m.groups(), (3600, 60, 1), strict=True))


def _divided(given: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Assignments to settings of the search, and those to settings of the recipe."""
    from glocal.searching.settings import Search

    own = {name: value for name, value in given.items() if name in Search.model_fields and name != "seed"}
    return own, {name: value for name, value in given.items() if name not in own}
