"""The verbs in one place, and what every verb shares: how errors end, and what --json prints."""

import gc
import json
import sys
import warnings

import typer

from glocal.cli import models, pictures, recipes, report, search, training, transfer
from glocal.errors import GlocalError

app = typer.Typer(
    name="glocal",
    help="One design space for vision backbones between convolution and attention.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(pictures.check)
app.command()(pictures.shard)
app.command()(training.train)
app.command()(training.rerun)
app.command()(training.val)
app.command("eval", hidden=True)(training.val)
app.command()(training.predict)
app.command()(transfer.probe)
app.command()(recipes.recipes)
app.command("models")(models.list_all)
app.command()(models.show)
app.command()(models.benchmark)
app.command()(search.search)
app.command()(search.rank)
app.command()(report.report)


@app.callback()
def _root() -> None:
    """Verbs take --help; most take --json, which prints one object and nothing else on standard output."""


def main() -> None:
    """Runs a verb. The user's mistakes print one message and end with 1, 2 for usage or 3 for failed data."""
    gc.set_threshold(100_000)  # a check makes some hundred thousand small values, of which none is garbage
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        app(prog_name="glocal")
    except GlocalError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
