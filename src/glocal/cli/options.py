"""Options that several verbs have in common, and how their text is read."""

import re
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from glocal.cli.verbosity import Verbosity
from glocal.errors import RecipeError

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DEVICE = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 or mps.")]
SOURCE = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Pictures: a folder, a table (.csv, .parquet), tar shards, a Hugging Face data set on disk, or `digits`.",
    ),
]


def progress_bar(*, quiet: bool) -> Callable[[int, int], None] | None:
    """A function of the pictures read and the number of all, which shows a bar on standard error; None where that is no
    terminal."""
    if quiet or Verbosity.quiet or not sys.stderr.isatty():
        return None
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("reading")

    def update(done: int, of: int) -> None:
        bar.update(task, completed=done, total=of)
        (bar.start if done < of else bar.stop)()

    return update


def size_of(text: str | None) -> int | tuple[int, int] | None:
    """ "224" as a side, "192x256" as (height, width) in pixels; RecipeError for anything else."""
    if text is None:
        return None
    if not (m := re.fullmatch(r"(\d+)(?:x(\d+))?", text)):
        raise RecipeError(f"--img-size {text!r}: give a side in pixels (224), or height x width (192x256)")
    return (int(m[1]), int(m[2])) if m[2] else int(m[1])


def assignments(pairs: list[str]) -> dict[str, str]:
    """The names and values of --set; RecipeError for text that is no assignment."""
    for pair in pairs:
        if "=" not in pair:
            raise RecipeError(f"--set {pair!r} is not NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def nothing_beside(*allowed: str) -> None:
    """RecipeError for an option that was typed beside --resume and is none of those allowed."""
    words = [word.split("=")[0] for word in sys.argv[2:] if word.startswith("-")]
    if wrong := [word for word in words if word not in (*allowed, "-q", "--quiet", "-v", "--verbose")]:
        raise RecipeError(f"{wrong[0]} has no effect with --resume, which continues with the settings from the start")
