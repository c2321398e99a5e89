"""Which options the candidates of a level took: the share of each trait among all of them, and among the best."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from glocal.design import Architecture, OneOf, Stage
from glocal.design.space import asked
from glocal.reporting.search_folder import Row

BEST = 10


@dataclass(frozen=True)
class Cell:
    """Of the candidates to which a question was put, the shares with one trait; None where no best candidate was asked."""

    everyone: float
    best: float | None


@dataclass(frozen=True)
class Shares:
    """A table: `columns` are traits, such as "kernel", with their values; `rows` the questions, with a cell or None a value."""

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    best: int


def shares(space: Architecture, candidates: Sequence[Row]) -> Shares:
    """Questions that an answer makes moot count the candidates alone to which they are put. Only measured candidates count."""
    known = sorted((row for row in candidates if row.accuracy is not None), key=lambda row: -(row.accuracy or 0))
    names = list(asked(space))
    told = {name: _traits(question) for name, question in asked(space).items()}
    values: dict[str, dict[str, None]] = {}
    for options in told.values():
        for option in options:
            for trait, value in option.items():
                values.setdefault(trait, {})[value] = None
    columns = tuple((trait, tuple(sorted(found, key=_natural))) for trait, found in values.items())
    sheets = [dict(zip(names, row.answers, strict=True)) for row in known]

    def share(name: str, trait: str, value: str, among: Sequence[dict[str, int]]) -> float | None:
        put = [sheet[name] for sheet in among if _live(name, sheet)]
        return sum(told[name][answer].get(trait) == value for answer in put) / len(put) if put else None

    def cell(name: str, trait: str, value: str) -> Cell | None:
        if not any(option.get(trait) == value for option in told[name]):
            return None
        everyone = share(name, trait, value, sheets)
        return None if everyone is None else Cell(everyone, share(name, trait, value, sheets[:BEST]))

    rows = ((name, tuple(cell(name, trait, value) for trait, found in columns for value in found)) for name in names)
    return Shares(columns, tuple(rows), min(BEST, len(known)))


def option_names(question: OneOf) -> list[str]:
    """Each option by what tells it from the others: "kernel 31, expansion 2"."""
    return [
        ", ".join(f"{trait} {value}" for trait, value in option.items()) or "as it is" for option in _traits(question)
    ]


def _traits(question: OneOf) -> list[dict[str, str]]:
    """Of each option its word, and the fields that tell it from others of that word; its number where that is not enough."""
    kinds = [_kind(option) for option in question.options]
    every = [_fields(option) for option in question.options]
    told = []
    for kind, said in zip(kinds, every, strict=True):
        same = [other for k, other in zip(kinds, every, strict=True) if k == kind]
        varied = {name: value for name, value in said.items() if len({other.get(name) for other in same}) > 1}
        several = len(set(kinds)) > 1
        told.append({"word": kind, **{f"{kind} {name}": v for name, v in varied.items()}} if several else varied)
    if len({tuple(said.items()) for said in told}) < len(told):
        return [{"option": str(i), **said} for i, said in enumerate(told)]
    return told


def _kind(option: Any) -> str:
    if isinstance(option, Stage):
        return "stage of " + ", ".join(dict.fromkeys(_kind(block) for block in option.blocks))
    return f"one of {len(option.options)}" if isinstance(option, OneOf) else type(option).__name__


def _fields(option: Any) -> dict[str, str]:
    if isinstance(option, Stage):
        return {"blocks": str(len(option.blocks)), "width": str(option.width), "stride": str(option.stride)}
    if isinstance(option, OneOf):
        return {}
    said = {f.name: getattr(option, f.name) for f in fields(option)}
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in said.items()}


def _live(name: str, sheet: dict[str, int]) -> bool:
    """Whether a question within an option ("stages.2[1].blocks.0") was put: whether that option was taken."""
    within = [(name[: m.start()], int(m[1])) for m in re.finditer(r"\[(\d+)\]", name)]
    return all(sheet.get(outer, option) == option for outer, option in within)


def _natural(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value
