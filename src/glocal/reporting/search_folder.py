"""What a search left in its folder, read as plain values. How it is shown is in `candidates` and `search_page`.

Parts that a search has not come to yet, or was not asked for, are None or empty; a part that is there and not whole is an error.
"""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from glocal.design import Architecture, load
from glocal.errors import ArchitectureError, SearchError
from glocal.families import vocabulary
from glocal.reporting.figures import COSTS

Answers = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A row of candidates.csv; accuracy is a fraction of `n` held-out pictures, None of a candidate that was not measured."""

    generation: int
    answers: Answers
    origin: str
    accuracy: float | None
    n: int
    costs: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Finalist:
    """A row of finalists.csv; accuracy and interval are those of the retrained network, None until it is.

    place: the supernet's, from 1 on.
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
class Level:
    """One level of a search: its folder and what lies in it."""

    path: Path

    @property
    def name(self) -> str:
        """As its folder is called: "distribution", "details", "joint" or "one"."""
        return self.path.name

    @cached_property
    def space(self) -> Architecture | None:
        """The space with its open questions."""
        found = _yaml(self.path / "space.yaml")
        return None if found is None else _architecture(found, self.path / "space.yaml")

    @cached_property
    def supernet(self) -> list[dict[str, float]]:
        """The supernet's rows, one an epoch."""
        path = self.path / "supernet" / "metrics.csv"
        return [{name: _number(cell, path) for name, cell in row.items() if cell} for row in _csv(path)]

    @cached_property
    def candidates(self) -> list[Row]:
        """Every candidate, in the order of the table."""
        path = self.path / "candidates.csv"
        return [
            Row(
                int(_number(row["generation"], path)),
                _answers(row["answers"], path),
                row["origin"],
                _share(row["accuracy"], path),
                int(_number(row["n"] or "0", path)),
                _costs(row, path),
                _number(row["seconds"] or "0", path),
            )
            for row in _csv(path, "generation", "answers", "origin", "accuracy", "n", "seconds")
        ]

    @property
    def measured(self) -> list[Row]:
        """The candidates that have an accuracy."""
        return [row for row in self.candidates if row.accuracy is not None]

    @cached_property
    def finalists(self) -> list[Finalist]:
        """The winner first, then by accuracy; costs that their table leaves out are those of the candidates that they were."""
        path = self.path / "finalists.csv"
        costs = {row.answers: row.costs for row in self.candidates}
        names = ("place", "answers", "supernet_accuracy", "accuracy", "low", "high", "n", "run", "winner")
        found = [_finalist(row, path) for row in _csv(path, *names)]
        priced = (replace(f, costs=costs.get(f.answers, {}) | f.costs) for f in found)
        return sorted(priced, key=lambda f: (not f.winner, -(f.accuracy or 0), f.place))

    @cached_property
    def rank(self) -> dict[str, Any] | None:
        """How the supernet's order agrees with that of networks trained alone, where it was asked for."""
        return _json(self.path / "rank.json", "n", "tau", "tau_macs", "gain", "tau_within")

    @cached_property
    def ranked(self) -> list[tuple[float, float]]:
        """Accuracies by the supernet and trained alone, of the networks that `rank` compares."""
        path = self.path / "rank.csv"
        names = ("supernet_accuracy", "accuracy")
        return [(_number(row[names[0]], path), _number(row[names[1]], path)) for row in _csv(path, *names)]


@dataclass(frozen=True)
class SearchFolder:
    """A whole search. `asked` is search.yaml."""

    path: Path
    asked: dict[str, Any]
    levels: tuple[Level, ...]

    @classmethod
    def find(cls, path: str | PathLike[str]) -> "SearchFolder":
        """SearchError for a folder that is not a search's; a folder of `glocal train` is told apart."""
        place = Path(path)
        if not place.is_dir():
            raise SearchError(f"{place} is no folder; give the folder of a search, such as runs/search/NAME")
        asked = _yaml(place / "search.yaml")
        if asked is None:
            kind = "the folder of a training run, of which there is no report" if (place / "run.yaml").is_file() else ""
            raise SearchError(
                f"{place} is {kind or 'not the folder of a search: it has no search.yaml'}; only searches are reported now: "
                "give the folder that `glocal search` wrote, runs/search/NAME"
            )
        if not isinstance(asked, dict) or not isinstance(asked.get("levels"), list):
            raise SearchError(f"{place / 'search.yaml'} is not whole: it must hold the names of the search's levels")
        return cls(place, asked, tuple(Level(place / str(name)) for name in asked["levels"]))

    def limits(self) -> dict[str, tuple[float | None, float | None]]:
        """The least and the most of each cost that has a limit."""
        said = self.asked.get("settings") or {}
        ends = {name: (said.get(f"min_{name}"), said.get(f"max_{name}")) for name in COSTS}
        return {name: both for name, both in ends.items() if both != (None, None)}

    @property
    def aside(self) -> str:
        """The split of the source that the search was not shown: "test", else its own "val", else ""."""
        rule = str(self.asked.get("split_rule") or "")
        return (
            "test" if re.search(r"test, [\d,]+ pictures, is set aside", rule) else "val" if "own val of" in rule else ""
        )

    @property
    def cost(self) -> str:
        """What accuracy is drawn against: the cost that was weighed against it, or else the first that has a limit."""
        weighed = (self.asked.get("settings") or {}).get("front")
        return weighed or next(iter(self.limits()), "macs")

    @cached_property
    def plan(self) -> dict[str, Any]:
        """plan.json: how much of each phase was `decided`, and the seconds `spent_s` on it; or nothing."""
        return _json(self.path / "plan.json", "decided", "spent_s") or {}

    @property
    def quote(self) -> str:
        """What was foretold before the search began; empty where that was not kept."""
        path = self.path / "quote.txt"
        return path.read_text(encoding="utf-8").strip("\n") if path.is_file() else ""

    @cached_property
    def winner(self) -> Architecture | None:
        """The network that won, for this data."""
        path = self.path / "winner" / "architecture.yaml"
        found = _yaml(path)
        return None if found is None else _architecture(found, path)

    @cached_property
    def winner_scores(self) -> dict[str, Any]:
        """winner.json, or nothing."""
        return _json(self.path / "winner" / "winner.json", "accuracy", "low", "high", "n") or {}


def pareto(rows: Sequence[Row], cost: str) -> list[Row]:
    """The candidates that no other beats in accuracy at the same cost or less, cheapest first."""
    front: list[Row] = []
    for row in sorted((r for r in rows if r.accuracy is not None), key=lambda r: (r.costs[cost], -(r.accuracy or 0))):
        if not front or (row.accuracy or 0) > (front[-1].accuracy or 0):
            front.append(row)
    return front


def _csv(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a table, none where there is no file; SearchError where it lacks a column or a row is cut short."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        rows = list(table)
    if missing := [name for name in columns if name not in (table.fieldnames or ())]:
        raise SearchError(f"{path} is not whole: it has no column {', '.join(missing)}")
    if any(None in row.values() or None in row for row in rows):
        raise SearchError(f"{path} is not whole: a row has more or fewer cells than the heading")
    return rows


def _finalist(row: dict[str, str], path: Path) -> Finalist:
    def cell(name: str) -> float | None:
        return _number(row[name], path) if row[name] else None

    return Finalist(
        place=int(_number(row["place"], path)),
        answers=_answers(row["answers"], path),
        costs=_costs(row, path),
        supernet_accuracy=_share(row["supernet_accuracy"], path),
        accuracy=_share(row["accuracy"], path),
        low=cell("low"),
        high=cell("high"),
        n=int(cell("n") or 0),
        run=row["run"],
        winner=row["winner"] in ("1", "True"),
    )


def _costs(row: dict[str, str], path: Path) -> dict[str, float]:
    return {name: _number(row[name], path) for name in COSTS if row.get(name)}


def _number(cell: str, path: Path) -> float:
    try:
        return float(cell)
    except ValueError:
        raise SearchError(f"{path} is not whole: {cell!r} is no number") from None


def _share(cell: str, path: Path) -> float | None:
    if cell and not 0 <= _number(cell, path) <= 1:
        raise SearchError(f"{path} is not whole: {cell} is no accuracy, a fraction between 0 and 1")
    return float(cell) if cell else None


def _answers(cell: str, path: Path) -> Answers:
    try:
        return tuple(int(answer) for answer in cell.split("-")) if cell else ()
    except ValueError:
        raise SearchError(f"{path} is not whole: {cell!r} is no answer sheet such as 0-3-1") from None


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SearchError(f"{path} is not whole: {' '.join(str(error).split())}") from None


def _json(path: Path, *keys: str) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise SearchError(f"{path} is not whole: {error}") from None
    if found is not None and not (isinstance(found, dict) and set(keys) <= found.keys()):
        raise SearchError(f"{path} is not whole: it must hold {', '.join(keys)}")
    return found


def _architecture(found: Any, path: Path) -> Architecture:
    try:
        arch = load(found, vocabulary(), str(path))
    except ArchitectureError as error:
        raise SearchError(f"{path} cannot be read: {error}") from None
    if not isinstance(arch, Architecture):
        raise SearchError(f"{path} describes no Architecture")
    return arch
