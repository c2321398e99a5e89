"""Candidates as trials of a table, and the evaluation of a candidate as the task of its workers."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from glocal.design.limits import COSTS
from glocal.design.space import Answers, questions_by_name
from glocal.design.text import dump
from glocal.errors import GlocalError, SearchError
from glocal.files import write_whole
from glocal.searching.candidates.candidate import Candidate, Evaluated, format_answers
from glocal.searching.candidates.methods import Strategy
from glocal.trials.table import Table
from glocal.trials.trial import Json, Trial
from glocal.trials.workers.worker import Run

COLUMNS = (
    *("level", "generation", "index", "origin", "answers", "parents", "accuracy", "n"),
    *(*COSTS, "seconds", "worker"),
)


Evaluator = Callable[[Answers], Evaluated]


class Evaluation(Protocol):
    """What workers are sent, small and picklable. Each worker makes one evaluator of it, which may be large."""

    def evaluator(self) -> Evaluator:
        """Reads what it needs. Every process must give the same result for the same answers."""
        ...


def identity(strategy: Strategy) -> dict[str, Any]:
    """What a table of candidates is started with, and must be opened with again: all that decides them, except the pricer."""
    space, method = strategy.space, strategy.method
    return {
        "space": hashlib.sha256(json.dumps(dump(space), sort_keys=True).encode()).hexdigest()[:16],
        "questions": {name: len(question.options) for name, question in questions_by_name(space).items()},
        "method": {"name": type(method).__name__, **asdict(method)},
        "limits": {name: value for name, value in asdict(strategy.limits).items() if value is not None},
        "seed": strategy.seed,
    }


def open_candidates(
    where: str | Path | None,
    name: str,
    strategy: Strategy,
    *,
    more: Mapping[str, Any] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Table:
    """The table of a strategy's candidates, started or continued. `more` is part of its identity too: the supernet's checksum.
    `origin`: see `Table.open`.

    Optuna's tools show the answers to the space's questions as parameters, and the accuracy as the value.
    """
    choices = {question: range(len(options.options)) for question, options in questions_by_name(strategy.space).items()}
    whole = {**identity(strategy), **(more or {})}
    return Table.open(where, name, identity=whole, choices=choices, value="accuracy", origin=origin)


def as_trial(candidate: Candidate, strategy: Strategy) -> Trial:
    """A proposed candidate, to be evaluated."""
    proposed = {
        "answers": candidate.answers,
        "generation": candidate.generation,
        "index": candidate.index,
        "origin": candidate.origin,
        "parents": candidate.parents,
        "costs": candidate.costs,
    }
    key = f"generation {candidate.generation}, index {candidate.index}"
    return Trial(key, proposed, dict(zip(questions_by_name(strategy.space), candidate.answers, strict=True)))


def as_candidate(trial: Trial) -> Candidate:
    """The candidate of a trial, with its accuracy where the trial is finished."""
    candidate = _proposed(trial.settings)
    if trial.result is None:
        return candidate
    return replace(candidate, **trial.result, seconds=trial.seconds, worker=trial.worker)


def _proposed(settings: Json) -> Candidate:
    answers, parents = tuple(settings["answers"]), tuple(map(tuple, settings["parents"]))
    return Candidate(**{**settings, "answers": answers, "parents": parents})


def candidates(table: Table) -> list[Candidate]:
    """The evaluated candidates by generation and index."""
    return sorted(map(as_candidate, table.trials()), key=lambda c: (c.generation, c.index))


@dataclass(frozen=True)
class EvaluateCandidates:
    """The task of a search's workers: from the settings of a candidate's trial to its accuracy."""

    evaluation: Evaluation

    def prepare(self) -> Run:
        """The evaluator, as a function of plain data. SearchError names the candidate where it fails or gives no fraction."""
        evaluator = self.evaluation.evaluator()

        def run(settings: Json) -> Json:
            candidate = _proposed(settings)
            try:
                accuracy, n = evaluator(candidate.answers)
            except GlocalError:
                raise
            except Exception as error:
                raise SearchError(f"{candidate} could not be evaluated: {type(error).__name__}: {error}") from error
            if not 0 <= accuracy <= 1:
                raise SearchError(f"{candidate}: its accuracy is {accuracy}; an evaluator gives a fraction from 0 to 1")
            return {"accuracy": accuracy, "n": n}

        return run


def write_csv(path: str | Path, level: str, evaluated: Iterable[Candidate]) -> None:
    """Writes candidates.csv: a row for each candidate, with `COLUMNS`."""
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    rows.writeheader()
    for c in evaluated:
        cells = {
            **asdict(c),
            "level": level,
            "answers": format_answers(c.answers),
            "parents": "|".join(map(format_answers, c.parents)),
            **c.costs,
        }
        rows.writerow({name: cell for name, cell in cells.items() if name in COLUMNS})
    write_whole(path, text.getvalue().encode())
