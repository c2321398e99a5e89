"""The list of the verbs, and what they have in common: how errors end, and what --json prints."""

import ast
import gc
import json
import signal
import sys
import traceback
import warnings
from importlib import import_module, util
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from glocal.cli.verbosity import Verbosity, with_verbosity
from glocal.errors import GlocalError, RunError

VERBS = {
    "check": "glocal.cli.pictures.check:check",
    "shard": "glocal.cli.pictures.shard:shard",
    "train": "glocal.cli.runs.train:train",
    "rerun": "glocal.cli.runs.rerun:rerun",
    "val": "glocal.cli.runs.evaluate:val",
    "predict": "glocal.cli.runs.predict:predict",
    "serve": "glocal.cli.runs.serve:serve",
    "explain": "glocal.cli.runs.explain:explain",
    "probe": "glocal.cli.runs.probe:probe",
    "export": "glocal.cli.runs.export:export",
    "push": "glocal.cli.runs.push:push",
    "recipes": "glocal.cli.networks.recipes:recipes",
    "models": "glocal.cli.networks.models:list_all",
    "show": "glocal.cli.networks.show:show",
    "benchmark": "glocal.cli.networks.benchmark:benchmark",
    "search": "glocal.cli.searches.search:search",
    "rank": "glocal.cli.searches.rank:rank",
    "work": "glocal.cli.searches.work:work",
    "report": "glocal.cli.searches.report:report",
    "pick": "glocal.cli.comparing.pick:pick",
    "study": "glocal.cli.comparing.study:study",
    "compare": "glocal.cli.comparing.compare:compare",
    "doctor": "glocal.cli.system.doctor:doctor",
    "cache": "glocal.cli.system.cache:cache",
}
SYNONYMS = {"eval": "val"}
SETTINGS = {"help_option_names": ["-h", "--help"]}


def load_verb(name: str) -> Any:  # a command of click, which typer brings under a private name
    """The command of a verb; imports the verb's module."""
    module, _, function = VERBS[name].partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.command(name, context_settings=SETTINGS)(with_verbosity(getattr(import_module(module), function)))
    return typer.main.get_command(app)


class Verbs(TyperGroup):
    """Verbs whose modules are imported only when they are used, so that `glocal --help` imports none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All verbs, in the order in which people use them."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """What --help shows of a verb: its name and its first sentence."""
        name = SYNONYMS.get(cmd_name, cmd_name)
        return TyperCommand(name, help=_first_sentence(VERBS[name])) if name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The verb that was typed, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_verb(command.name) if command and command.name else command, rest


def _first_sentence(place: str) -> str:
    """The first line of a function's docstring, read from its file."""
    module, _, function = place.partition(":")
    spec = util.find_spec(module)
    assert spec
    assert spec.origin
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise AssertionError(f"{module} has no function {function}")


app = typer.Typer(
    cls=Verbs,
    name="glocal",
    help="One design space for vision backbones between convolution and attention.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=SETTINGS,
)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib import metadata  # takes a tenth of the time of `glocal --help`

        print(f"glocal {metadata.version('glocal')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Verbs take --help; most take --json, which prints one object and nothing else on standard output."""


def _end(error: GlocalError) -> NoReturn:
    """Prints an error, as JSON too where that was asked for, and ends with its exit code."""
    # torch's handler raises here too where another loading process was killed
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if Verbosity.verbose:
        traceback.print_exc()
    if "--json" in sys.argv:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


def main() -> None:
    """Runs a verb. The user's mistakes print one message and end with 1, 2 for usage or 3 for failed data."""
    gc.set_threshold(100_000)  # a check creates some hundred thousand small values, and none of them is garbage
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        app(prog_name="glocal")
    except GlocalError as error:
        _end(error)
    except (MemoryError, OSError, RuntimeError) as error:
        from glocal.machine.failures import failure_of

        if not (failure := failure_of(error)):
            raise
        _end(RunError(failure))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
