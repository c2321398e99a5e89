"""The verbs search and resume: from pictures and a space to a trained network, level by level (docs/search.md).

search.yaml    settings, recipe, machine, versions
data.json      the pictures and their splits
plan.json      how many units each phase has, and the time that it took
quote.txt      the time that every phase was expected to take
candidates.db  the table of all candidates, unless --storage names another
latency.json   measured latencies of parts, if latency is limited or weighed
LEVEL/         space.yaml, supernet/, supernet.safetensors, candidates.csv, finalists/, finalists.csv, rank.csv, rank.json
winner/        architecture.yaml, winner.py, winner.json, weights.safetensors
plots/         figures
report.html    one page about the search, which needs no network
held           locked by the process that writes the folder
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.artifacts.environment import environment
from glocal.artifacts.holding import held
from glocal.artifacts.manifests import save_manifest
from glocal.artifacts.run_folder import RunFolder
from glocal.command_line import command, typed_command
from glocal.data import Data, check
from glocal.data.options import DataOptions
from glocal.design.space import size
from glocal.design.span import cost_range
from glocal.design.text import count
from glocal.errors import Stopped, TrialError
from glocal.files import name_of_source, write_whole
from glocal.machine.threads import threads
from glocal.recipes import recipe as named_recipe
from glocal.recipes import suggest
from glocal.recipes.schema import Recipe
from glocal.runs.record import lasting
from glocal.searching.level import Level, Winner
from glocal.searching.racing.level import RacedLevel
from glocal.searching.record import Progress, SearchRecord
from glocal.searching.search_data import search_data
from glocal.searching.search_result import SearchResult, write_winner
from glocal.searching.search_run import SearchRun
from glocal.searching.settings import SearchSettings
from glocal.searching.supernet.training import check_recipe
from glocal.searching.unit_seconds import unit_seconds
from glocal.settings import divide, merge
from glocal.trials.place import TrialPlace

OUTPUT = Path("runs/search")  # where folders of searches are made, unless another is given


@dataclass(frozen=True)
class SearchRequest:
    """What somebody wants to search: settings of the search, and a recipe by name or value with changes to it."""

    settings: SearchSettings
    recipe: str | Recipe | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


def search(
    source: str | Path,
    *,
    recipe: str | Recipe | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> SearchResult:
    """Searches a space for the network that learns a source of pictures best, and returns it trained (docs/search.md).

    `settings` are fields of `SearchSettings` (space="glit_cifar", budget_s=7200, max_macs=3e8), of `TrialPlace` (device,
    workers, storage, output, name), of `DataOptions`, and of `Recipe`, with which supernets and finalists are trained
    (batch_size=128). There is one worker unless `workers` gives more, for which a script needs `if __name__ == "__main__"`.
    `progress` is called with the pictures read and the number of all; `console` prints what happens.

    The test split is not read, nor is the source's own val: candidates and finalists are evaluated on training pictures that no
    network learns from. Raises SearchError, TrialError, DataError, RecipeError or ArchitectureError before the first step, and
    Stopped after a signal; `resume` continues the search then.
    """
    of_search, of_place, of_options, changes = divide(settings, SearchSettings, TrialPlace, DataOptions, Recipe)
    return search_request(
        source,
        SearchRequest(SearchSettings.of(of_search), recipe, changes),
        place=merge(TrialPlace(workers=1), of_place),
        options=merge(DataOptions(), of_options),
        console=console,
        progress=progress,
    )


def search_request(
    source: str | Path,
    request: SearchRequest,
    *,
    place: TrialPlace,
    options: DataOptions,
    console: Console | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """`search`, with its settings as typed values."""
    started = time.monotonic()
    settings = request.settings.model_copy(update={"space": _lasting_space(request.settings.space)})
    place.check()
    named = named_recipe(request.recipe) if isinstance(request.recipe, str) else request.recipe
    seed = (named or Recipe()).merged(request.changes).seed
    checked = check(source, options=options, seed=seed, progress=progress).require_data()
    recipe = (named or named_recipe(suggest(checked.source, checked.typical_size))).but(request.changes)
    if settings.has_supernet:
        check_recipe(recipe)
    data = search_data(checked, held_out=settings.held_out, seed=settings.seed)
    space = settings.space_of(settings.level_names()[0], None, classes=len(data.classes), recipe=recipe)
    settings.limits.check_feasible(space)
    space_name = Path(request.settings.space).stem
    folder = RunFolder.claim(
        (place.output or OUTPUT) / (place.name or f"{space_name}-{name_of_source(data.source)}")
    ).path
    _write(folder, data, settings, recipe, place=place, space=request.settings.space)
    search_run = SearchRun.load(folder, data=data, console=console)
    with held(folder):
        try:
            _announce(search_run, started=started)
        except TrialError:  # the budget is too short, and nothing was trained
            shutil.rmtree(folder)
            raise
        return _search_levels(search_run)


def _lasting_space(space: str) -> str:
    """A space so that it is found from any folder."""
    return str(Path(space).resolve()) if space.endswith((".yaml", ".yml")) else space


def _write(
    folder: Path, data: Data, settings: SearchSettings, recipe: Recipe, *, place: TrialPlace, space: str
) -> None:
    """Writes what a search is before its first step; search.yaml comes last, so that where it is, all is."""
    save_manifest(data.manifest(), folder / "data.json")
    surroundings = environment()
    SearchRecord(
        source=lasting(data.source),
        settings=settings,
        recipe=recipe,
        **{**place.record().model_dump(), "threads": surroundings["threads"]},
        about={
            "command": typed_command(),
            "space": space,
            "levels": list(settings.level_names()),
            "strategy": settings.strategy,
            "method": settings.method,
            "split_rule": data.split_rule,
            "classes": list(data.classes),
            **surroundings,
        },
    ).write(folder)


def resume(
    folder: str | Path, *, workers: int | None = None, console: Console | None = None, progress: Progress | None = None
) -> SearchResult:
    """Continues a search that was stopped at any moment.

    What was decided, evaluated and trained stays as it was, and the rest is what it would have been without the stop. The number
    of workers may be another.
    """
    started = time.monotonic()
    search_run = SearchRun.load(folder, workers=workers, console=console, progress=progress)
    with held(search_run.folder):
        RunFolder(search_run.folder).sweep()
        _announce(search_run, started=started)
        return _search_levels(search_run)


def _search_levels(search_run: SearchRun) -> SearchResult:
    winners: dict[str, Winner] = {}
    winner: Winner | None = None
    try:
        with threads(search_run.threads):
            for name in search_run.settings.level_names():
                space = search_run.space(name, winner.architecture if winner else None)
                kind = Level if search_run.settings.has_supernet else RacedLevel
                winner = winners[name] = kind(search_run, name, space).winner()
    except Stopped as stopped:
        again = command("search", options=[("--resume", search_run.folder)])
        where = f"during a search; what is finished is saved; to continue: {again}"
        raise Stopped(stopped.number, where) from None
    assert winner is not None
    answers = {name: level_winner.answers for name, level_winner in winners.items()}
    return write_winner(search_run.folder, winner.architecture, winner.trained, answers=answers)


def _announce(search_run: SearchRun, *, started: float) -> None:
    """Prints what is about to be done and the time that it will take, as measured; the time since `started` counts too."""
    settings, data, recipe = search_run.settings, search_run.data, search_run.recipe
    space = search_run.space(settings.level_names()[0], None)
    least, most = cost_range(space)
    for line in (
        f"pictures  {data.source}: {len(data.train):,} to train, {len(data.val):,} held out, {len(data.classes)} classes",
        f"          {data.split_rule}",
        f"space     {space.name}: {count(size(space))} networks of {count(least.macs)} to {count(most.macs)} multiply-adds",
        f"          {settings.limits.named()}; levels: {', '.join(settings.level_names())}",
        f"recipe    batches of {recipe.batch_size}, {recipe.opt}, peak rate {recipe.lr:g}, seed {recipe.seed}",
        f"machine   {search_run.machine.device}, {search_run.threads} threads; {search_run.workers} workers",
        f"folder    {search_run.folder}\n",
    ):
        search_run.echo(line)
    path = search_run.folder / "quote.txt"
    with search_run.plan.spending("preparation", since=started):
        if not path.exists():
            quote = search_run.plan.quote(unit_seconds(search_run, space))
            search_run.plan.check_budget(quote, remedy="a smaller space or picture, or fewer finalists")
            write_whole(path, f"{quote}\n".encode())
    search_run.echo(path.read_text(encoding="utf-8", errors="replace"))
