"""The verb models."""

import csv
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from glocal.cli.networks import timm_models
from glocal.cli.options import JSON
from glocal.cli.verbosity import stdout_console
from glocal.design import Architecture, cost
from glocal.design.text import count
from glocal.errors import ArchitectureError
from glocal.families import architecture, list_models
from glocal.families.catalogue import published
from glocal.families.spaces import list_spaces


class Order(StrEnum):
    """What the list is sorted by."""

    name = "name"
    params = "params"
    macs = "macs"


def list_all(
    pattern: Annotated[str, typer.Argument(help="Wildcards, as in 'cct*'; of timm's networks 'timm:resnet*'.")] = "*",
    sort: Annotated[Order, typer.Option(help="Column to sort by.")] = Order.name,
    as_json: JSON = False,
) -> None:
    """List architectures with their sizes."""
    if pattern.startswith("timm:"):
        _list_timm(pattern, sort=sort, as_json=as_json)
        return
    found = [architecture(name) for name in list_models(pattern)]
    if not found:
        raise ArchitectureError(f"no model matches {pattern!r}; `glocal models` lists all")
    if sort is not Order.name:
        found.sort(key=lambda arch: getattr(cost(arch), sort.value))
    if as_json:
        print(json.dumps([summary(arch) for arch in found]))
        return
    _print_table([cells(arch) for arch in found])
    print("\ntop-1: ImageNet-1K at 224, as printed where --json says")
    print(f"images/s: {_speeds()['name']}; `glocal benchmark MODEL` measures here")
    if pattern == "*":
        print(f"search spaces, for `glocal show`: {', '.join(list_spaces())}")


def _list_timm(pattern: str, *, sort: Order, as_json: bool) -> None:
    found = sorted(timm_models.list_timm(pattern), key=lambda row: row[sort.value])
    if as_json:
        print(json.dumps(found))
    else:
        _print_table([timm_models.cells(row) for row in found])


def _print_table(rows: Sequence[Mapping[str, str]]) -> None:
    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for heading, column in zip(COLUMNS, table.columns, strict=True):
        column.justify = "left" if heading in ("name", "picture") else "right"
    table.columns[0].min_width = max(len(row["name"]) for row in rows)
    for row in rows:
        table.add_row(*(row[heading] for heading in COLUMNS))
    stdout_console().print(table)


SPEEDS = Path(__file__).parents[2] / "families" / "speeds.csv"  # written by benchmarks/models.py
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
