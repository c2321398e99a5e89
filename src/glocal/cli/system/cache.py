"""The verb cache."""

import json
from typing import Annotated

import typer
from rich.table import Table

from glocal.caches import CACHES, clear, usage
from glocal.cli.options import JSON
from glocal.cli.verbosity import stdout_console
from glocal.errors import RecipeError


def cache(
    name: Annotated[str | None, typer.Argument(help=f"One of {', '.join(CACHES)}; all by default.")] = None,
    empty: Annotated[bool, typer.Option("--clear", help="Remove the files; they are made or fetched again.")] = False,
    as_json: JSON = False,
) -> None:
    """Show how much disk the caches take, or clear them. They are bounded, and all of them can be made again."""
    if name is not None and name not in CACHES:
        raise RecipeError(f"there is no cache {name!r}; there are {', '.join(CACHES)}")
    names = [name] if name else list(CACHES)
    freed = sum(clear(each) for each in names) if empty else 0
    found = [each for each in usage() if each.cache.name in names]
    if as_json:
        rows = [
            {
                "name": each.cache.name,
                "folder": str(each.folder),
                "files": each.files,
                "bytes": each.size_bytes,
                "most_bytes": each.cache.most_bytes,
            }
            for each in found
        ]
        print(json.dumps({"caches": rows, "freed_bytes": freed}, ensure_ascii=False))
        return
    table = Table("cache", "files", "size", "at most", box=None, header_style="bold", pad_edge=False)
    for each in found:
        table.add_row(each.cache.name, f"{each.files:,}", *map(_size, (each.size_bytes, each.cache.most_bytes)))
    stdout_console().print(table)
    for each in found:
        print(f"{each.cache.name}: {each.cache.holds}; in {each.folder}")
    if empty:
        print(f"freed {_size(freed)}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:,.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:,.1f} MiB"
