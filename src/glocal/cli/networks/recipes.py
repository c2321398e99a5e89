"""The verb recipes: the papers' recipes and ours as a list, and each as a page."""

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from glocal.cli.options import JSON
from glocal.cli.verbosity import stdout_console
from glocal.errors import RecipeError

if TYPE_CHECKING:
    from glocal.recipes.pages import Page

COLUMNS = ("name", "data", "epochs", "batch", "top-1")


def recipes(
    name: Annotated[
        str, typer.Argument(help="A recipe, for its page; with wildcards, as in 'convnext*', a list.")
    ] = "*",
    as_json: JSON = False,
) -> None:
    """List the recipes of the papers and ours, or show one: what to type, what to expect, what it costs."""
    from glocal.recipes import all_pages, find_page
    from glocal.recipes.pages import to_json

    if not set("*?[") & set(name):
        found = find_page(name)
        print(json.dumps(to_json(found), ensure_ascii=False)) if as_json else _show(found)
        return
    pages = [page for page in all_pages().values() if fnmatchcase(page.name, name)]
    if not pages:
        raise RecipeError(f"no recipe matches {name!r}; `glocal recipes` lists all")
    print(json.dumps([to_json(page) for page in pages], ensure_ascii=False)) if as_json else _list(pages)


def _show(page: "Page") -> None:
    from glocal.recipes.pages import rows, spelled

    console, grid = stdout_console(), Table.grid(padding=(0, 2))
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
    stdout_console().print(table)
    print("\ntop-1: the authors'; `glocal recipes NAME` says of which pictures, and what to type")
