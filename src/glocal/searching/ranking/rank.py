"""Whether the supernet of a level ranks networks as training does: some are trained alone, and both orders are compared."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from glocal.comparing.statistics.reliability import Reliability, reliability
from glocal.design import Architecture, cost, decide
from glocal.design.space import Answers
from glocal.errors import DivergedError, RecipeError, SearchError
from glocal.evaluation.predictions import FILE, Predictions
from glocal.files import whole_file, write_whole
from glocal.searching.candidates.candidate import format_answers
from glocal.searching.ranking.correlation import LEAST, Pair, Rank, rank
from glocal.searching.sampling import stratified_sample
from glocal.searching.search_run import SearchRun
from glocal.trials.training import Trained

COLUMNS = ("answers", "macs", "params", "supernet_accuracy", "accuracy")


@dataclass(frozen=True)
class SupernetRank:
    """Networks that were evaluated by a supernet and trained alone, and how the two orders agree."""

    level: str
    rank: Rank
    table: Path  # rank.csv
    reliability: Reliability | None  # of the accuracies alone; None with one seed, or pictures of several labels


def rank_supernet(
    folder: str | Path,
    *,
    level: str | None = None,
    networks: int = 20,
    epochs: int | None = None,
    seeds: int = 2,
    workers: int | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> SupernetRank:
    """Trains networks of a finished level alone, as its finalists were, and compares their order with the supernet's.

    The networks are spread over the quantiles of multiply-adds within the search's limits, and each is trained with several
    `seeds`, without which the highest tau that is possible cannot be told. `level` is by default the last one, `epochs` those of
    its finalists. `echo` gets a line for each training. Called again, it uses those that are finished.
    """
    _check(LEAST, networks=networks)
    _check(1, epochs=epochs, seeds=seeds, workers=workers)
    search_run = SearchRun.load(folder, workers=workers)
    settings = search_run.settings
    level = level or settings.level_names()[-1]
    epochs = _epochs(search_run, level, epochs)
    space, price = search_run.space_at(level), search_run.pricer(search_run.space_at(level))
    every = stratified_sample(
        space, networks, is_allowed=lambda arch: settings.limits.allows(price(arch)), seed=settings.seed
    )
    evaluator = search_run.evaluation(level).evaluator()
    by_supernet = [evaluator(answers).accuracy for answers in every]
    archs = [decide(space, answers) for answers in every]
    named = {f"{format_answers(answers)}-{epochs}": arch for answers, arch in zip(every, archs, strict=True)}
    echo(f"{networks} networks of {space.name}, {epochs} epochs each, {seeds} seeds")
    runs = search_run.folder / level / "rank"
    trained = [_train_all(search_run, runs, named, epochs=epochs, seed=seed, echo=echo) for seed in range(seeds)]
    alone = [sum(one.val.top1 for one in of_network) / seeds for of_network in zip(*trained, strict=True)]
    pairs = [Pair(one, other, cost(arch).macs) for one, other, arch in zip(by_supernet, alone, archs, strict=True)]
    measured = _reliability(trained, search_run.data.classes) if seeds > 1 and not search_run.data.multi_label else None
    result = rank(pairs, measured=measured, seed=settings.seed)
    table = _write(search_run.folder / level, every, archs, pairs)
    parts = asdict(measured) if measured else None
    with whole_file(search_run.folder / level / "rank.json") as file:
        values = {"epochs": epochs, "seeds": seeds, "reliability": parts, **result.to_json()}
        file.write(json.dumps(values, indent=1).encode())
    return SupernetRank(level, result, table, measured)


def _check(least: int, **numbers: int | None) -> None:
    for name, given in numbers.items():
        if given is not None and given < least:
            raise RecipeError(f"--{name} {given}: give {least} or more")


def _train_all(
    search_run: SearchRun,
    folder: Path,
    networks: Mapping[str, Architecture],
    *,
    epochs: int,
    seed: int,
    echo: Callable[[str], None],
) -> list[Trained]:
    """Trains networks, by their names in a folder, with another seed than the search's by so much. DivergedError where one
    diverges, since a rank speaks of all that were chosen."""
    found = []
    for one in search_run.train_all(
        {folder / _name(name, seed): arch for name, arch in networks.items()},
        epochs,
        seed=search_run.recipe.seed + seed,
        on_trained=lambda entry, one: echo(f"  {entry.folder.name}: {one.val.top1:.2%}"),
    ):
        if isinstance(one, DivergedError):
            raise one
        found.append(one)
    return found


def _name(network: str, seed: int) -> str:
    return f"{network}-seed{seed}" if seed else network


def _reliability(trained: Sequence[Sequence[Trained]], classes: tuple[str, ...]) -> Reliability:
    """Of the trainings of every seed: lists of the same networks."""
    right = [
        [predicted.truth == predicted.predicted for predicted in (_predictions(one, classes) for one in of_seed)]
        for of_seed in trained
    ]
    return reliability(np.array(right).swapaxes(0, 1))


def _predictions(trained: Trained, classes: tuple[str, ...]) -> Predictions:
    return Predictions.read(trained.folder / FILE, classes)


def _epochs(search_run: SearchRun, level: str, epochs: int | None) -> int:
    """The epochs, or those of the finalists. SearchError where the level has no supernet, or no finalists to take them from."""
    path = search_run.folder / level
    if not (path / "supernet.safetensors").exists():
        raise SearchError(
            f"{path} has no trained supernet (strategy: {search_run.settings.strategy}); levels: "
            f"{', '.join(search_run.settings.level_names())}"
        )
    epochs = epochs or search_run.plan.decided.get(f"{level}/finalists")
    if epochs is None:
        raise SearchError(
            f"{search_run.folder}: the search has not reached its finalists, so how long to train is not known; give epochs"
        )
    return epochs


def _write(level: Path, every: Sequence[Answers], archs: Sequence[Architecture], pairs: Sequence[Pair]) -> Path:
    """Writes rank.csv."""
    lines = [",".join(COLUMNS)]
    for answers, arch, pair in zip(every, archs, pairs, strict=True):
        lines.append(f"{format_answers(answers)},{pair.macs},{cost(arch).params},{pair.supernet},{pair.alone}")
    write_whole(level / "rank.csv", ("\n".join(lines) + "\n").encode())
    return level / "rank.csv"
