"""The verbs search and resume: from pictures and a space to a trained network, level by level. docs/search.md tells the whole.

search.yaml    what was asked
data.json      the pictures and their splits
plan.json      how much of every phase, and the time it took; quote.txt what was foretold
candidates.db  every candidate, unless --storage says where
LEVEL/         space.yaml, supernet/, supernet.safetensors, candidates.csv, finalists/, finalists.csv
winner/        architecture.yaml, winner.py, winner.json, weights.safetensors
"""

import json
import re
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.data import check
from glocal.design import Architecture, cost, dump, python
from glocal.design.space import Answers, size
from glocal.design.span import cost_range
from glocal.design.text import count
from glocal.errors import SearchError, Stopped
from glocal.families import vocabulary
from glocal.searching.evolution import written
from glocal.searching.evolve import Engine
from glocal.searching.levels import Level, Winner, unit_seconds
from glocal.searching.oneshot import check_recipe
from glocal.searching.opened import OpenSearch, Progress
from glocal.searching.pictures import search_data
from glocal.searching.settings import Search
from glocal.searching.storage import open_storage
from glocal.training.folder import RunFolder, surroundings, write_yaml
from glocal.training.recipe import Recipe
from glocal.training.recipes import recipe as named_recipe
from glocal.training.recipes import suggest
from glocal.training.run import threads
from glocal.training.scores import Scores
from glocal.weights.files import whole_file


@dataclass(frozen=True)
class Found:
    """A finished search. `val` are the winner's scores on held-out training pictures, which chose it among the finalists."""

    folder: Path
    architecture: Architecture
    answers: dict[str, Answers]  # of the winner of each level
    weights: Path
    val: Scores

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        params, macs = cost(self.architecture)
        return {
            "folder": str(self.folder),
            "architecture": self.architecture.name,
            "answers": {level: written(answers) for level, answers in self.answers.items()},
            "params": params,
            "macs": macs,
            "weights": str(self.weights),
            "val": self.val.to_json(),
        }


def search(
    source: str | Path,
    *,
    space: str = "glit_cifar",
    settings: Mapping[str, Any] | None = None,
    recipe: str | Recipe | None = None,
    recipe_settings: Mapping[str, Any] | None = None,
    output: str | Path = "runs/search",
    name: str | None = None,
    workers: int = 1,
    storage: str | None = None,
    engine: Engine = "processes",
    device: str = "auto",
    val_fraction: float | None = None,
    skip_bad_files: bool = False,
    group_by: str | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> Found:
    """Searches a space for the network that learns a source of pictures best, and returns it trained (docs/search.md).

    `space` is a name (`list_spaces`) or an architecture.yaml with questions; `settings` are those of `Search` by name,
    `recipe` and `recipe_settings` tell how supernets and finalists are trained. `workers` processes judge candidates and train
    finalists; `storage` is where the table of candidates is kept, if not in the folder: a URL, journal:PATH, or a path.

    The test split is not opened, nor is a val of the source's own: candidates and finalists are judged on training pictures
    that no network learns from. Raises SearchError, DataError, RecipeError or ArchitectureError before the first step, and
    Stopped after a signal, after which `resume` goes on.
    """
    began = time.monotonic()
    asked = Search.of({**(settings or {}), "space": _lasting(space)})
    open_storage(storage).close()  # so that what is missing is missed now
    base = named_recipe(recipe) if isinstance(recipe, str) else recipe or Recipe()
    data = check(
        source,
        seed=base.merged(recipe_settings or {}).seed,
        val_fraction=val_fraction,
        skip_bad_files=skip_bad_files,
        group_by=group_by,
        progress=progress,
    ).opened()
    base = base if recipe else named_recipe(suggest(data.source, data.typical_size))
    told = base.but(recipe_settings or {})
    check_recipe(told)
    seen = search_data(data, held_out=asked.held_out, seed=asked.seed)
    first = asked.space_of(asked.names()[0], None, classes=len(seen.classes), recipe=told)
    asked.limits.check_feasible(first)
    source_name = re.sub(r"[^\w-]+", "_", Path(data.source).stem).strip("_")
    folder = RunFolder.claim(Path(output) / (name or f"{Path(space).stem}-{source_name}")).path
    with whole_file(folder / "data.json") as file:
        file.write(json.dumps(seen.manifest().to_json(), ensure_ascii=False).encode())
    about = {
        "command": shlex.join(sys.argv),
        "space": space,
        "levels": list(asked.names()),
        "method": asked.method,
        "source": seen.source,
        "split_rule": seen.split_rule,
        "classes": list(seen.classes),
        "settings": asked.model_dump(mode="json"),
        "recipe": told.model_dump(mode="json"),
        "machine": {"device": device, "workers": workers, "storage": storage, "engine": engine},
        **surroundings(),
    }
    write_yaml(folder / "search.yaml", about)
    opened = OpenSearch.of(folder, data=seen, console=console)
    try:
        _announce(opened, began=began)
    except SearchError:  # the budget is too short: nothing was begun
        shutil.rmtree(folder)
        raise
    return _go(opened)


def _lasting(space: str) -> str:
    """A space so that it is found from any folder."""
    return str(Path(space).resolve()) if space.endswith((".yaml", ".yml")) else space


def resume(
    folder: str | Path, *, workers: int | None = None, console: Console | None = None, progress: Progress | None = None
) -> Found:
    """Goes on with a search that was stopped at any moment: what was decided, judged and trained stays as it was, and what
    comes is what would have come. The number of workers may be another."""
    began = time.monotonic()
    search = OpenSearch.of(folder, workers=workers, console=console, progress=progress)
    RunFolder(search.folder).sweep()
    _announce(search, began=began)
    return _go(search)


def _go(search: OpenSearch) -> Found:
    winners: dict[str, Winner] = {}
    try:
        with threads(search.threads):
            for level in search.asked.names():
                before = [*winners.values()][-1].arch if winners else None
                winners[level] = Level(search, level, search.space(level, before)).winner()
    except Stopped as stopped:
        told = f"in a search; what was done is kept; to go on: glocal search --resume {search.folder}"
        raise Stopped(stopped.number, told) from None
    return _kept(search, [*winners.values()][-1], {level: won.answers for level, won in winners.items()})


def _announce(search: OpenSearch, *, began: float) -> None:
    """Says what is about to be done, and what it will cost, measured; what came before is counted to the budget."""
    space, data, recipe = search.space(search.asked.names()[0], None), search.data, search.recipe
    least, most = cost_range(space)
    for line in (
        f"pictures  {data.source}: {len(data.train):,} to train, {len(data.val):,} to judge by, {len(data.classes)} classes",
        f"          {data.split_rule}",
        f"space     {space.name}: {count(size(space))} networks of {count(least.macs)} to {count(most.macs)} multiply-adds",
        f"          {search.asked.limits.named()}; levels: {', '.join(search.asked.names())}",
        f"recipe    batches of {recipe.batch_size}, {recipe.opt}, peak rate {recipe.lr:g}, seed {recipe.seed}",
        f"machine   {search.machine.device}, {search.threads} threads; {search.workers} workers",
        f"folder    {search.folder}\n",
    ):
        search.say(line)
    path = search.folder / "quote.txt"
    with search.plan.spending("preparation", since=began):
        if not path.exists():
            quote = search.plan.quote(partial(unit_seconds, search, space))
            with whole_file(path) as file:
                file.write(f"{quote}\n".encode())
    search.say(path.read_text())


def _kept(search: OpenSearch, winner: Winner, answers: dict[str, Answers]) -> Found:
    """Puts the winner into a folder of its own."""
    folder = search.folder / "winner"
    found = Found(search.folder, winner.arch, answers, folder / "weights.safetensors", winner.trained.val)
    low, high = found.val.interval
    told = {**found.to_json(), "accuracy": found.val.top1, "low": low, "high": high, "n": found.val.n}
    write_yaml(folder / "architecture.yaml", dump(winner.arch))
    for name, data in (
        ("winner.py", as_module(winner.arch).encode()),
        ("weights.safetensors", RunFolder(winner.trained.folder).weights("best").read_bytes()),
        ("winner.json", json.dumps(told, indent=1, ensure_ascii=False).encode()),
    ):
        with whole_file(folder / name) as file:
            file.write(data)
    return found


def as_module(arch: Architecture) -> str:
    """An architecture as a Python file that makes it, a block a line."""
    lines = ["winner = Architecture("]
    for f in fields(arch):
        if f.name != "stages":
            lines.append(f"    {f.name}={python(getattr(arch, f.name))},")
            continue
        lines.append("    stages=(")
        for stage in arch.stages:
            rest = ", ".join(f"{name}={python(getattr(stage, name))}" for name in ("stride", "downsample"))
            lines += [
                f"        Stage({stage.width}, (",
                *(f"            {python(b)}," for b in stage.blocks),
                f"        ), {rest}),",
            ]
        lines.append("    ),")
    body = "\n".join([*lines, ")"])
    homes: dict[str, list[str]] = {}
    for name, cls in vocabulary().items():
        if re.search(rf"\b{name}\(", body):
            home = "glocal.design" if cls.__module__.startswith("glocal.design") else cls.__module__
            homes.setdefault(home, []).append(name)
    imports = [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]
    return "\n".join([f'"""{arch.name}, found by glocal search."""', "", *imports, "", body, ""])
