"""The verb recipes: the papers' recipes and ours as a list, and each as a page."""

import json
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glocal.cli.options import JSON
from glocal.errors import RecipeError

if TYPE_CHECKING:
    from glocal.training.recipes.pages import Page

COLUMNS = ("name", "data", "epochs", "batch", "top-1")


def recipes(
    name: Annotated[
        str, typer.Argument(help="A recipe, for its page; with wildcards, as in 'convnext*', a list.")
    ] = "*",
    as_json: JSON = False,
) -> None:
    """List the recipes of the papers and ours, or show one: what to type, what to expect, what it costs."""
    from glocal.training.recipes import PAGES, page
    from glocal.training.recipes.pages import to_json

    if not set("*?[") & set(name):
        told = page(name)
        print(json.dumps(to_json(told), ensure_ascii=False)) if as_json else _show(told)
        return
    found = [page for page in PAGES.values() if fnmatchcase(page.name, name)]
    if not found:
        raise RecipeError(f"no recipe matches {name!r}; `glocal recipes` lists all")
    print(json.dumps([to_json(page) for page in found], ensure_ascii=False)) if as_json else _list(found)


def _show(page: "Page") -> None:
    from glocal.training.recipes.pages import rows, spelled

    console, grid = Console(), Table.grid(padding=(0, 2))
    for heading, line in (*rows(page), ("settings", spelled(page.recipe, max(40, console.width - 15)))):
        grid.add_row(Text(heading), Text(line))
    console.print(Text(page.name, style="bold"), grid, sep="\n")


def _list(pages: "list[Page]") -> None:
    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for heading, column in zip(COLUMNS, table.columns, strict=True):
        column.justify = "left" if heading in ("name", "data") else "right"
    table.columns[0].min_width = max(len(page.name) for page in pages)
    for page in pages:
        r = page.recipe
        top1 = "" if page.top1 is None else f"{page.top1:g} %"
        table.add_row(page.name, page.data.name, f"{r.epochs:,}", f"{r.batch_size:,}", top1)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print("\ntop-1: the authors'; `glocal recipes NAME` says of which pictures, and what to type")
