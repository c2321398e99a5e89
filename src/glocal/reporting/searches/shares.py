"""Which options the candidates of a level took: the share of each trait among all of them, and among the best."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from glocal.design import Architecture, OneOf, Stage
from glocal.design.space import questions_by_name
from glocal.reporting.searches.level_folder import Row

BEST = 10

Answered = dict[str, int]  # a candidate's answer to each question, by the question's name


@dataclass(frozen=True)
class Cell:
    """The share of candidates with one trait, among those to which the question applies. best: among the best of them; None
    where it applies to none of those."""

    everyone: float
    best: float | None


@dataclass(frozen=True)
class Shares:
    """A table: `columns` are traits, such as "kernel", with their values; `rows` the questions, with a cell or None for each
    value."""

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    best: int


def shares(space: Architecture, evaluated: Sequence[Row]) -> Shares:
    """The shares among evaluated candidates. A question inside an option counts only candidates that took that option."""
    ranked = sorted(evaluated, key=lambda row: -(row.accuracy or 0))
    traits = {name: _traits(question) for name, question in questions_by_name(space).items()}
    values: dict[str, dict[str, None]] = {}
    for options in traits.values():
        for option in options:
            for trait, value in option.items():
                values.setdefault(trait, {})[value] = None
    columns = tuple((trait, tuple(sorted(found, key=_natural))) for trait, found in values.items())
    answered = [dict(zip(traits, row.answers, strict=True)) for row in ranked]

    def share(name: str, trait: str, value: str, among: Sequence[Answered]) -> float | None:
        taken = [answers[name] for answers in among if _applies(name, answers)]
        return sum(traits[name][option].get(trait) == value for option in taken) / len(taken) if taken else None

    def cell(name: str, trait: str, value: str) -> Cell | None:
        if not any(option.get(trait) == value for option in traits[name]):
            return None
        everyone = share(name, trait, value, answered)
        return None if everyone is None else Cell(everyone, share(name, trait, value, answered[:BEST]))

    rows = ((name, tuple(cell(name, trait, value) for trait, found in columns for value in found)) for name in traits)
    return Shares(columns, tuple(rows), min(BEST, len(ranked)))


def option_names(question: OneOf) -> list[str]:
    """Each option by what distinguishes it from the others: "kernel 31, expansion 2"."""
    return [
        ", ".join(f"{trait} {value}" for trait, value in option.items()) or "as it is" for option in _traits(question)
    ]


def _traits(question: OneOf) -> list[dict[str, str]]:
    """For each option its word, and the fields that distinguish it from others of that word; its number where that is not
    enough."""
    kinds = [_kind(option) for option in question.options]
    every = [_fields(option) for option in question.options]
    traits = []
    for kind, values in zip(kinds, every, strict=True):
        same = [other for k, other in zip(kinds, every, strict=True) if k == kind]
        varied = {name: value for name, value in values.items() if len({other.get(name) for other in same}) > 1}
        several = len(set(kinds)) > 1
        traits.append({"word": kind, **{f"{kind} {name}": v for name, v in varied.items()}} if several else varied)
    if len({tuple(option.items()) for option in traits}) < len(traits):
        return [{"option": str(i), **option} for i, option in enumerate(traits)]
    return traits


def _kind(option: Any) -> str:
    if isinstance(option, Stage):
        return "stage of " + ", ".join(dict.fromkeys(_kind(block) for block in option.blocks))
    return f"one of {len(option.options)}" if isinstance(option, OneOf) else type(option).__name__


def _fields(option: Any) -> dict[str, str]:
    if isinstance(option, Stage):
        return {"blocks": str(len(option.blocks)), "width": str(option.width), "stride": str(option.stride)}
    if isinstance(option, OneOf):
        return {}
    values = {f.name: getattr(option, f.name) for f in fields(option)}
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()}


def _applies(name: str, answers: Answered) -> bool:
    """Whether a question inside an option ("stages.2[1].blocks.0") applies: whether that option was taken."""
    outer = [(name[: m.start()], int(m[1])) for m in re.finditer(r"\[(\d+)\]", name)]
    return all(answers.get(question, option) == option for question, option in outer)


def _natural(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value
