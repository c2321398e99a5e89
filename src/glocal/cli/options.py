"""Options that several verbs share, and how their text is read."""

import re
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from glocal.errors import RecipeError

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DEVICE = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 or mps.")]
SKIP = Annotated[bool, typer.Option("--skip-bad-files", help="Leave out pictures that cannot be read, and count them.")]
GROUP = Annotated[
    str | None, typer.Option(help="Regular expression whose group keeps pictures on one side of a split.")
]
FRACTION = Annotated[float | None, typer.Option(help="Share of train that is held out where there is no val folder.")]


def reading(*, quiet: bool) -> Callable[[int, int], None] | None:
    """Told of (pictures read, of all), shows a bar on standard error until all are; None where that is no terminal."""
    if quiet or not sys.stderr.isatty():
        return None
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("reading")

    def tell(done: int, of: int) -> None:
        bar.update(task, completed=done, total=of)
        (bar.start if done < of else bar.stop)()

    return tell


def size_of(text: str | None) -> int | tuple[int, int] | None:
    """ "224" as a side, "192x256" as (height, width) in pixels; RecipeError for anything else."""
    if text is None:
        return None
    if not (m := re.fullmatch(r"(\d+)(?:x(\d+))?", text)):
        raise RecipeError(f"--img-size {text!r}: give a side in pixels (224), or height x width (192x256)")
    return (int(m[1]), int(m[2])) if m[2] else int(m[1])


def assignments(pairs: list[str]) -> dict[str, str]:
    """What --set was given, name by value; RecipeError for what is no assignment."""
    for pair in pairs:
        if "=" not in pair:
            raise RecipeError(f"--set {pair!r} is not NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def nothing_beside(*allowed: str) -> None:
    """RecipeError for an option that was typed beside --resume and is none of those allowed."""
    words = [word.split("=")[0] for word in sys.argv[2:] if word.startswith("-")]
    if wrong := [word for word in words if word not in allowed]:
        raise RecipeError(f"{wrong[0]} has no effect with --resume, which goes on with the settings it was begun with")
