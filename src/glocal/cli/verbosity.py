"""How much a verb prints: -q leaves the result and errors, -v adds warnings of libraries and tracebacks."""

import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from rich.console import Console

PIPED_WIDTH = 120
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and errors alone.")]
VERBOSE = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print warnings of libraries, and tracebacks of errors.")
]


class Verbosity:
    """What was asked for; one for the process, which runs one verb."""

    quiet = False
    verbose = False


def with_verbosity(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb with the flags -q and -v, which every verb has."""
    signature = inspect.signature(verb)

    @wraps(verb)
    def run(*, quiet: bool, verbose: bool, **typed: Any) -> None:
        Verbosity.quiet, Verbosity.verbose = quiet, verbose
        if verbose:
            warnings.simplefilter("default")
            logging.basicConfig(level=logging.INFO)
        verb(**typed)

    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=False)
        for name, annotation in (("quiet", QUIET), ("verbose", VERBOSE))
    ]
    known = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]
    run.__signature__ = signature.replace(parameters=[*known, *more])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*known, *more)}
    return run


def console_for(*, as_json: bool) -> Console | None:
    """Where a verb prints what happens meanwhile; None where only its result is wanted."""
    return None if as_json or Verbosity.quiet else stdout_console()


def stdout_console() -> Console:
    """Standard output; in a pipe or a file, which have no width, tables take `PIPED_WIDTH` columns."""
    fixed = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if fixed else PIPED_WIDTH)
