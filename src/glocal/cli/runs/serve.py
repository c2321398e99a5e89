"""The verb serve."""

from pathlib import Path
from typing import Annotated, Any

import typer

from glocal.cli.flags import from_settings
from glocal.cli.verbosity import Verbosity
from glocal.serving.settings import ServeSettings
from glocal.settings import merge


@from_settings("settings", ServeSettings, panel="The server")
def serve(
    model: Annotated[
        Path, typer.Argument(metavar="RUN_OR_EXPORT", help="Folder of a run, a file of weights, or an exported file.")
    ],
    settings: dict[str, Any],
) -> None:
    """Answer predictions over HTTP, with a page to drop pictures on, until SIGTERM or Ctrl-C."""
    from glocal.serving.serve import require_packages, serve_settings

    require_packages()
    serve_settings(model, merge(ServeSettings(), settings), echo=_ignore if Verbosity.quiet else print_line)


def print_line(line: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(line, flush=True)


def _ignore(line: str) -> None:
    """Prints nothing."""
