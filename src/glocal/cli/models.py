"""The verbs about networks: models, show, benchmark."""

import csv
import json
import re
import warnings
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from glocal.cli import spaces
from glocal.cli.options import DEVICE, JSON, size_of
from glocal.design import Architecture, adapt, cost, decide, dump, python, questions, spell
from glocal.design import show as page
from glocal.design.text import count, words
from glocal.errors import ArchitectureError, RecipeError
from glocal.families import architecture, list_models
from glocal.families.catalogue import published, timm_arguments
from glocal.families.spaces import list_spaces, model_or_space


class Order(StrEnum):
    """What the list is sorted by."""

    name = "name"
    params = "params"
    macs = "macs"


def list_all(
    pattern: Annotated[str, typer.Argument(help="Wildcards, as in 'cct*'.")] = "*",
    sort: Annotated[Order, typer.Option(help="Column to sort by.")] = Order.name,
    as_json: JSON = False,
) -> None:
    """List architectures with their sizes."""
    found = [architecture(name) for name in list_models(pattern)]
    if not found:
        raise ArchitectureError(f"no model matches {pattern!r}; `glocal models` lists all")
    if sort is not Order.name:
        found.sort(key=lambda arch: getattr(cost(arch), sort.value))
    if as_json:
        print(json.dumps([summary(arch) for arch in found]))
        return
    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for heading, column in zip(COLUMNS, table.columns, strict=True):
        column.justify = "left" if heading in ("name", "picture") else "right"
    table.columns[0].min_width = max(len(arch.name) for arch in found)
    for arch in found:
        said = cells(arch)
        table.add_row(*(said[heading] for heading in COLUMNS))
    Console().print(table)
    print("\ntop-1: ImageNet-1K at 224, as printed where --json says")
    print(f"images/s: {_speeds()['name']}; `glocal benchmark MODEL` measures here")
    if pattern == "*":
        print(f"search spaces, for `glocal show`: {', '.join(list_spaces())}")


SPEEDS = Path(__file__).parent.parent / "families" / "speeds.csv"  # written by benchmarks/models.py
COLUMNS = ("name", "weights", "MACs", "picture", "classes", "top-1", "images/s")


@cache
def _speeds() -> dict[str, str]:
    """Images/s by name; under "name" how they were measured."""
    with SPEEDS.open(newline="") as file:
        return dict(csv.reader(file))


def summary(arch: Architecture) -> dict[str, Any]:
    """What the list says of an architecture: sizes, a paper's ImageNet-1K top-1 in percent with its place, our speed."""
    size, (top1, source) = cost(arch), published(arch.name) or (None, None)
    plain = {"name": arch.name, "params": size.params, "macs": size.macs, "image": list(arch.image)}
    speed = _speeds().get(arch.name)
    return {**plain, "top1": top1, "source": source, "images_per_s": float(speed) if speed else None}


def cells(arch: Architecture) -> dict[str, str]:
    """The same for people, and the number of classes."""
    said = summary(arch)
    return {
        "name": arch.name,
        "weights": count(said["params"]),
        "MACs": count(said["macs"]),
        "picture": str(arch.image),
        "classes": str(arch.head[-1].out(arch.image).c),
        "top-1": f"{said['top1']} %" if said["top1"] else "",
        "source": said["source"] or "",
        "images/s": _speeds().get(arch.name, ""),
    }


def show(
    model: Annotated[str, typer.Argument(help="A name of a model or a search space, or an architecture.yaml.")],
    ops: Annotated[bool, typer.Option("--ops", help="Spell every op with its shapes.")] = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="The description that an architecture.yaml holds.")] = False,
    as_python: Annotated[bool, typer.Option("--python", help="The Python expression that makes it.")] = False,
    img_size: Annotated[str | None, typer.Option(help="Pixels: 224, or 192x256 (height x width).")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes.")] = None,
    answers: Annotated[str | None, typer.Option(help="One network of a space, by its answers: 3-0-1.")] = None,
    as_json: JSON = False,
) -> None:
    """Show one architecture: its words, their costs, the shapes between them. Or a space: its size, costs and questions."""
    if ops + yaml + as_python + as_json > 1:
        raise RecipeError("--ops, --yaml, --python and --json each choose the form; give one")
    arch = adapt(model_or_space(model), size=size_of(img_size), classes=classes)
    if answers is not None:
        if not questions(arch):
            raise RecipeError(f"--answers chooses a network of a space, and {arch.name} is one network")
        arch = decide(arch, _sheet(answers))
    is_space = bool(questions(arch))
    if ops and is_space:
        raise RecipeError(f"--ops spells one network, and {arch.name} is a space of many; give --answers, as in 3-0-1")
    if as_json:
        print(json.dumps(spaces.summary(arch) if is_space else {**summary(arch), "architecture": dump(arch)}))
    elif yaml:
        from yaml import safe_dump

        print(safe_dump(dump(arch), sort_keys=False, width=120), end="")
    elif as_python:
        print("\n".join(_imports(arch)), python(arch), sep="\n\n")
    elif is_space:
        spaces.page(arch)
    else:
        print(spell(arch) if ops else page(arch))


def _sheet(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(-\d+)*", text):
        raise RecipeError(f"--answers {text!r}: give one number a question, in forward order, as in 3-0-1")
    return tuple(map(int, text.split("-")))


def _imports(arch: Architecture) -> list[str]:
    """The import lines that an expression of the architecture needs."""
    homes: dict[str, list[str]] = {}
    for cls in words(arch):
        home = "glocal.design" if cls.__module__.startswith("glocal.design") else cls.__module__
        homes.setdefault(home, []).append(cls.__name__)
    return [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]


def benchmark(
    model: Annotated[list[str], typer.Argument(help="Names of models; several are measured in turns.")],
    batch_size: Annotated[list[int], typer.Option(help="Pictures a pass; give it again for more.")] = [1, 8],  # noqa: B006
    img_size: Annotated[str | None, typer.Option(help="Pixels: 224, or 192x256.")] = None,
    rounds: Annotated[int, typer.Option(help="Passes that are timed, after five that are not.")] = 30,
    bf16: Annotated[bool, typer.Option("--bf16", help="Under bfloat16 autocast.")] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    fused: Annotated[bool, typer.Option("--fused", help="Beside the network fused for evaluation.")] = False,
    timm: Annotated[bool, typer.Option("--timm", help="Beside the same network from timm, in turns.")] = False,
    device: DEVICE = "auto",
    as_json: JSON = False,
) -> None:
    """Measure images/s, and the milliseconds of a pass (median and 95th percentile)."""
    import torch

    from glocal.net import Network
    from glocal.net.fuse import fuse
    from glocal.net.latency import measure
    from glocal.training.device import pick_device

    if rounds < 2 or min(batch_size) < 1:
        raise RecipeError("--rounds is at least 2 and --batch-size at least 1")
    if threads:
        torch.set_num_threads(threads)
    place = pick_device(device)
    told: dict[str, list[dict[str, float]]] = {}
    for name in model:
        arch = adapt(architecture(name), size=size_of(img_size))
        beside = {f"{arch.name} (timm)": _of_timm(arch)} if timm else {}
        for b in batch_size:
            networks = {arch.name: Network(arch), **beside}
            if fused:
                networks[f"{arch.name} (fused)"] = fuse(networks[arch.name])
            found = measure(networks, arch.image, batch_size=b, device=place, rounds=rounds, bf16=bf16)
            for label, t in found.items():
                row = {"batch_size": b, "images_per_s": t.images_per_s, "p50_ms": t.p50_ms, "p95_ms": t.p95_ms}
                told.setdefault(label, []).append(row)
    how = (
        f"{place}, {torch.get_num_threads()} threads, {'bf16' if bf16 else 'fp32'}, {rounds} rounds after 5 of warm-up"
    )
    if as_json:
        print(json.dumps({"measured": how, "models": told}))
        return
    table = Table("model", "batch", "images/s", "p50 ms", "p95 ms", box=None, header_style="bold", pad_edge=False)
    for label, rows in told.items():
        for row in rows:
            cells = (f"{row[k]:,.1f}" for k in ("images_per_s", "p50_ms", "p95_ms"))
            table.add_row(label, str(row["batch_size"]), *cells)
    Console().print(table)
    print(f"\n{how}")


def _of_timm(arch: Architecture):  # type: ignore[no-untyped-def]  # timm has no types
    if (theirs := timm_arguments(arch.name)) is None:
        raise ArchitectureError(f"timm has no {arch.name}; leave --timm out")
    import timm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm resizes its tables by deprecated calls
        network = timm.create_model(**theirs)
        if hasattr(network, "set_input_size"):
            network.set_input_size(img_size=(arch.image.h, arch.image.w))
    return network
