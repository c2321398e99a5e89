"""Whether a level's supernet ranks its networks as training does: some are trained alone, and both orders are compared."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glocal.design import cost, decide
from glocal.errors import SearchError
from glocal.searching.correlation import Pair, Rank, rank, stratified
from glocal.searching.evolution import written
from glocal.searching.finalists import Entry, train_all
from glocal.searching.opened import OpenSearch
from glocal.weights.files import whole_file

COLUMNS = ("answers", "macs", "params", "supernet_accuracy", "accuracy")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Ranked:
    """Networks judged twice, and what the two orders have in common."""

    level: str
    rank: Rank
    table: Path  # rank.csv


def rank_supernet(
    folder: str | Path,
    *,
    level: str | None = None,
    networks: int = 20,
    epochs: int | None = None,
    workers: int | None = None,
    tell: Tell = lambda line: None,
) -> Ranked:
    """Trains networks of a finished level alone, as its finalists were, and compares their order with the supernet's.

    The networks are spread over the quantiles of multiply-adds within the search's limits. `level` is the last one by default,
    `epochs` those of its finalists. Begun again, it takes the networks that are trained.
    """
    search = OpenSearch.of(folder, workers=workers)
    level = level or search.asked.names()[-1]
    path = search.folder / level
    if not (path / "supernet.safetensors").exists():
        raise SearchError(f"{path} has no trained supernet; levels: {', '.join(search.asked.names())}")
    epochs = epochs or search.plan.decided.get(f"{level}/finalists")
    if epochs is None:
        raise SearchError(
            f"{folder}: the search has not come to its finalists, so how long to train is not known; give epochs"
        )
    space, price = search.space_at(level), search.pricer(search.space_at(level))
    sheets = stratified(
        space, networks, limits_allow=lambda arch: search.asked.limits.allows(price(arch)), seed=search.asked.seed
    )
    judge = search.judging(level).evaluator()
    judged = [judge(answers).accuracy for answers in sheets]
    recipe = search.recipe.merged({"epochs": epochs, "cooldown_epochs": 0})
    archs = [decide(space, answers) for answers in sheets]
    entries = [
        Entry(path / "rank" / f"{written(answers)}-{epochs}", arch, recipe)
        for answers, arch in zip(sheets, archs, strict=True)
    ]
    tell(f"{networks} networks of {space.name}, {epochs} epochs each")
    trained = train_all(entries, search, tell=lambda entry, one: tell(f"  {entry.folder.name}: {one.val.top1:.2%}"))
    sizes = [cost(arch) for arch in archs]
    pairs = [
        Pair(by_supernet, one.val.top1, size.macs)
        for by_supernet, one, size in zip(judged, trained, sizes, strict=True)
    ]
    found = rank(pairs, seed=search.asked.seed)
    with whole_file(path / "rank.csv") as file:
        lines = [",".join(COLUMNS)]
        for answers, size, pair in zip(sheets, sizes, pairs, strict=True):
            lines.append(f"{written(answers)},{size.macs},{size.params},{pair.supernet},{pair.alone}")
        file.write(("\n".join(lines) + "\n").encode())
    with whole_file(path / "rank.json") as file:
        file.write(json.dumps({"epochs": epochs, **found.to_json()}, indent=1).encode())
    return Ranked(level, found, path / "rank.csv")
