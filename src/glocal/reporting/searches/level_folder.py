"""What a search wrote into the folder of one of its levels, as plain values: candidates, finalists, supernet and rank.

What the level has not reached yet is None or empty. A file that is there and not whole is an error.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from glocal.design import Architecture, questions
from glocal.reporting.figures import COSTS
from glocal.reporting.plain_files import (
    fraction,
    mapping,
    not_whole,
    number,
    numbers,
    objects,
    read_architecture,
    read_csv,
    read_json,
    read_json_list,
    whole_number,
)

Answers = tuple[int, ...]
MONITORED = {"val_top1_min": "smallest path", "val_top1_median": "median", "val_top1_max": "largest path"}
"""Columns of a supernet's metrics.csv, and what they are called in figures."""


@dataclass(frozen=True)
class Row:
    """A row of candidates.csv; accuracy is a fraction of `n` held-out pictures, None for a candidate that was not evaluated."""

    generation: int
    answers: Answers
    origin: str
    accuracy: float | None
    n: int
    costs: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Finalist:
    """A row of finalists.csv; accuracy and interval are those of the retrained network, None until it is trained.

    place: in the order of the supernet, from 1.
    """

    place: int
    answers: Answers
    costs: dict[str, float]
    supernet_accuracy: float | None
    accuracy: float | None
    low: float | None
    high: float | None
    n: int
    run: str
    winner: bool


@dataclass(frozen=True)
class Standing:
    """A network's place at a rung of a race. exit: why it went there; None where it went on, or came to the end."""

    answers: Answers
    epochs: int
    accuracy: float
    exit: str | None


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Rank:
    """rank.json: how the supernet's order of n networks agrees with that of training (docs/rank.md)."""

    n: int
    seeds: int  # trainings of each
    tau: Estimate
    tau_macs: Estimate
    gain: Estimate
    tau_within: Estimate
    regret: float | None
    regret_by_chance: float | None


@dataclass(frozen=True)
class Guidance:
    """guidance.json: what became of the networks that a proxy named for a race, beside the others (docs/search.md)."""

    proxy: str
    scored: int
    place: int  # of the winner
    networks: int  # in the first rung
    epochs: int
    named: int
    full: int  # that came to the last rung, of those that were named
    others_full: int
    tau: Estimate


@dataclass(frozen=True)
class LevelFolder:
    """One level of a search: its folder and what is in it."""

    path: Path

    @property
    def name(self) -> str:
        """The name of its folder: "distribution", "details", "joint" or "one"."""
        return self.path.name

    @cached_property
    def space(self) -> Architecture | None:
        """The space with its open questions."""
        return read_architecture(self.path / "space.yaml")

    @cached_property
    def supernet(self) -> list[dict[str, float]]:
        """The supernet's metrics, a row for each epoch."""
        path = self.path / "supernet" / "metrics.csv"
        rows = [{name: number(cell, path) for name, cell in row.items() if cell} for row in read_csv(path, "epoch")]
        if not all("epoch" in row for row in rows):
            raise not_whole(path, "a row has no epoch")
        if not all(len(MONITORED.keys() & row.keys()) in {0, len(MONITORED)} for row in rows):
            raise not_whole(path, "a row has the accuracies of some monitored paths and not of all")
        return rows

    @cached_property
    def candidates(self) -> list[Row]:
        """Every candidate, in the order of the table."""
        path, space = self.path / "candidates.csv", self.space
        options = [len(question.options) for question in questions(space)] if space else None
        rows = [
            Row(
                whole_number(row["generation"], path),
                _answers(row["answers"], path),
                row["origin"],
                fraction(row["accuracy"], path),
                whole_number(row["n"] or "0", path),
                _costs(row, path),
                number(row["seconds"] or "0", path),
            )
            for row in read_csv(path, "generation", "answers", "origin", "accuracy", "n", "seconds")
        ]
        for row in rows:
            if row.accuracy is not None and not row.n:
                raise not_whole(path, "a candidate has an accuracy on no pictures")
            if options is not None and not _fit(row.answers, options):
                answers = "-".join(map(str, row.answers))
                raise not_whole(path, f"the space of {self.path / 'space.yaml'} has no answers {answers}")
        return rows

    @property
    def evaluated(self) -> list[Row]:
        """The candidates that have an accuracy."""
        return [row for row in self.candidates if row.accuracy is not None]

    @cached_property
    def rungs(self) -> list[list[Standing]]:
        """The rungs of its race, each with its networks by rank; empty where it has a supernet, or its race has not ended."""
        path = self.path / "race.json"
        keys = ("arm", "epochs", "accuracy", "exit")
        rungs = [
            [_standing(values, path) for values in objects(rung["standings"], keys, path)]
            for rung in read_json_list(path, "standings")
        ]
        if not all(rungs):
            raise not_whole(path, "a rung has no networks")
        return rungs

    @cached_property
    def guidance(self) -> Guidance | None:
        """What a proxy was worth in its race; None where no proxy guided it, or the race has not ended."""
        path = self.path / "guidance.json"
        names = ("scored", "place", "networks", "epochs", "named", "full", "others_full")
        values = read_json(path, "proxy", "tau", *names)
        if values is None:
            return None
        whole = {name: whole_number(str(values[name]), path) for name in names}
        return Guidance(str(values["proxy"]), **whole, tau=_estimate(mapping(values, "tau", path), path))

    @property
    def accuracy_is(self) -> str:
        """What the accuracy of its candidates is."""
        return "accuracy in the race" if self.rungs else "accuracy with the supernet's weights"

    @cached_property
    def finalists(self) -> list[Finalist]:
        """The winner first, then by accuracy. Costs that their table lacks are those of the candidates that they were."""
        path = self.path / "finalists.csv"
        costs = {row.answers: row.costs for row in self.candidates}
        names = ("place", "answers", "supernet_accuracy", "accuracy", "low", "high", "n", "run", "winner")
        rows = [_finalist(row, path) for row in read_csv(path, *names)]
        priced = (replace(f, costs=costs.get(f.answers, {}) | f.costs) for f in rows)
        return sorted(priced, key=lambda f: (not f.winner, -(f.accuracy or 0), f.place))

    @cached_property
    def rank(self) -> Rank | None:
        """How the supernet's order agrees with that of networks trained alone, where `glocal rank` was run."""
        path = self.path / "rank.json"
        names = ("tau", "tau_macs", "gain", "tau_within")
        values = read_json(path, "n", *names)
        if values is None:
            return None
        single = numbers(values, path, ("n", "seeds", "regret", "regret_by_chance"))
        estimates = {name: _estimate(mapping(values, name, path), path) for name in names}
        return Rank(
            n=int(single.get("n", 0)),
            seeds=int(single.get("seeds", 1)),
            **estimates,
            regret=single.get("regret"),
            regret_by_chance=single.get("regret_by_chance"),
        )

    @cached_property
    def ranked(self) -> list[tuple[float, float]]:
        """Accuracies with the supernet's weights and trained alone, of the networks that `rank` compares."""
        path = self.path / "rank.csv"
        names = ("supernet_accuracy", "accuracy")
        return [(number(row[names[0]], path), number(row[names[1]], path)) for row in read_csv(path, *names)]


def pareto(rows: Sequence[Row], cost: str) -> list[Row]:
    """The candidates that no other beats in accuracy at the same cost or less, the cheapest first."""
    front: list[Row] = []
    for row in sorted((r for r in rows if r.accuracy is not None), key=lambda r: (r.costs[cost], -(r.accuracy or 0))):
        if not front or (row.accuracy or 0) > (front[-1].accuracy or 0):
            front.append(row)
    return front


def _finalist(row: dict[str, str], path: Path) -> Finalist:
    accuracy = fraction(row["accuracy"], path)
    low, high = (number(row[name], path) if row[name] else None for name in ("low", "high"))
    if (low is None) != (high is None) or (low is not None and accuracy is None):
        raise not_whole(path, "a finalist has a part of an accuracy with its interval")
    return Finalist(
        place=whole_number(row["place"], path),
        answers=_answers(row["answers"], path),
        costs=_costs(row, path),
        supernet_accuracy=fraction(row["supernet_accuracy"], path),
        accuracy=accuracy,
        low=low,
        high=high,
        n=whole_number(row["n"] or "0", path),
        run=row["run"],
        winner=row["winner"] in ("1", "True"),
    )


def _standing(values: dict[str, Any], path: Path) -> Standing:
    found = numbers(values, path, ("epochs", "accuracy"))
    if len(found) < 2 or found["epochs"] < 1 or not isinstance(values["exit"], str | None):
        raise not_whole(path, "a standing has no epochs, no accuracy, or an exit that is no text")
    return Standing(
        _answers(str(values["arm"]), path),
        whole_number(str(found["epochs"]), path),
        fraction(str(found["accuracy"]), path) or 0.0,
        values["exit"],
    )


def _estimate(values: dict[str, Any], path: Path) -> Estimate:
    found = numbers(values, path, ("value", "low", "high"))
    if len({"low", "high"} & found.keys()) == 1:
        raise not_whole(path, "an interval has only one end")
    return Estimate(found.get("value"), found.get("low"), found.get("high"))


def _costs(row: dict[str, str], path: Path) -> dict[str, float]:
    return {name: number(row[name], path) for name in COSTS if row.get(name)}


def _answers(cell: str, path: Path) -> Answers:
    if not re.fullmatch(r"(\d{1,9}(-\d{1,9})*)?", cell, re.ASCII):
        raise not_whole(path, f"{cell!r} are not answers such as 0-3-1")
    return tuple(int(answer) for answer in cell.split("-")) if cell else ()


def _fit(answers: Answers, options: Sequence[int]) -> bool:
    """Whether there is one answer to each question, and each is one of its options."""
    return len(answers) == len(options) and all(a < k for a, k in zip(answers, options, strict=True))
