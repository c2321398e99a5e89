"""The table of a search: every candidate that was proposed, who works on it, and what came of it. It outlives a kill.

One Optuna study a table and one trial a candidate: WAITING as proposed, RUNNING while a worker holds it, COMPLETE with its
accuracy. Whatever comes twice (a generation enqueued again, a candidate evaluated by two) changes nothing.
"""

import csv
import hashlib
import json
import math
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from glocal.design.architecture import Architecture
from glocal.design.space import asked
from glocal.design.text import dump
from glocal.errors import SearchError
from glocal.searching.evolution import Candidate, Method, written
from glocal.searching.limits import COSTS, Limits
from glocal.searching.liveness import Held
from glocal.searching.storage import open_storage, public

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

COLUMNS = (
    *("level", "generation", "index", "origin", "answers", "parents", "accuracy", "n"),
    *(*COSTS, "seconds", "worker"),
)
PROPOSED = ("generation", "index", "origin", "parents", "costs")
Key = tuple[int, int]


class Claim(NamedTuple):
    """A candidate that a worker holds; trial is the table's number for it."""

    trial: int
    candidate: Candidate
    worker: str


def about(space: Architecture, method: Method, *, limits: Limits, seed: int) -> dict[str, Any]:
    """What a table is begun with, and must be opened with again: all that `propose` depends on but the pricer."""
    return {
        "space": hashlib.sha256(json.dumps(dump(space), sort_keys=True).encode()).hexdigest()[:16],
        "questions": {name: len(question.options) for name, question in asked(space).items()},
        "method": {"name": type(method).__name__, **asdict(method)},
        "limits": {name: value for name, value in asdict(limits).items() if value is not None},
        "seed": seed,
    }


class Table:
    """A table that is open; `with` closes its connections. Several processes may have one open at a time; each opens its own."""

    def __init__(self, where: str | Path | None, name: str) -> None:
        """Opens the storage alone; `open` begins or goes on with a table, `join` lets a worker in."""
        self.where, self.name = where if where is None else str(where), name
        self._storage, self._disconnect = open_storage(where)
        self._study = -1
        self._questions: dict[str, int] = {}  # number of options by place
        self._read: dict[int, Candidate] = {}  # complete ones
        self._waiting: deque[FrozenTrial] = deque()  # as last read; others may have claimed them since
        self._pending: deque[int] = (
            deque()
        )  # trials of the last generation enqueued, until they are seen to be finished

    @classmethod
    def open(cls, where: str | Path | None, name: str, about: Mapping[str, Any]) -> "Table":
        """Begins a table, or goes on with it. `where` is a path, a URL (docs/search.md) or None for memory.

        `about` is what `about()` says of the search, and more if wished. SearchError where the table was begun with another.
        """
        from optuna.exceptions import DuplicatedStudyError
        from optuna.study import StudyDirection

        said = json.loads(json.dumps(about))
        with ExitStack() as failing:
            table = failing.enter_context(cls(where, name))
            try:
                study = table._storage.create_new_study([StudyDirection.MAXIMIZE], name)
                table._storage.set_study_user_attr(study, "about", said)
            except DuplicatedStudyError:
                pass
            if differing := _differing(table._enter(), said):
                raise SearchError(
                    f"{public(table.where)} holds {name!r} of another search: {differing}. Go on with what it was begun with, "
                    "or give another name or place"
                )
            table._storage.set_study_user_attr(table._study, "over", False)
            failing.pop_all()
        return table

    @classmethod
    def join(cls, where: str | Path | None, name: str) -> "Table":
        """A table that a coordinator has begun, for a worker; SearchError where there is none."""
        with ExitStack() as failing:
            table = failing.enter_context(cls(where, name))
            table._enter()
            failing.pop_all()
        return table

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._disconnect()

    def _enter(self) -> dict[str, Any]:
        try:
            self._study = self._storage.get_study_id_from_name(self.name)
            about: dict[str, Any] = self._storage.get_study_user_attrs(self._study)["about"]
        except KeyError:
            raise SearchError(f"{public(self.where)} has no table {self.name!r}; begin the search first") from None
        self._questions = about["questions"]
        return about

    # -------------------------------------------------------------------------------------------------- the coordinator's

    def candidates(self) -> list[Candidate]:
        """The evaluated ones by generation and index, each once."""
        from optuna.trial import TrialState

        for trial in self._trials(TrialState.COMPLETE):
            if trial._trial_id not in self._read:
                self._read[trial._trial_id] = self._candidate(trial)
        first = {(c.generation, c.index): c for _, c in sorted(self._read.items(), reverse=True)}
        return [first[key] for key in sorted(first)]

    def enqueue(self, generation: Sequence[Candidate]) -> None:
        """Adds a generation's candidates, but for those that the table has. SearchError where it has others in their places."""
        from optuna.distributions import CategoricalDistribution

        there: dict[Key, FrozenTrial] = {}
        for known in self._trials():
            there.setdefault((known.user_attrs["proposed"]["generation"], known.user_attrs["proposed"]["index"]), known)
        choices: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(tuple(range(k))) for name, k in self._questions.items()
        }
        self._pending = deque()
        for candidate in generation:
            trial = there.get((candidate.generation, candidate.index))
            if trial and (kept := self._candidate(trial)).answers != candidate.answers:
                raise SearchError(
                    f"{public(self.where)} holds {kept} where this search proposes {written(candidate.answers)}: it was begun "
                    "with other costs or by another version; give another name or place"
                )
            self._pending.append(trial._trial_id if trial else self._new_trial(candidate, choices))

    def _new_trial(self, candidate: Candidate, choices: "dict[str, BaseDistribution]") -> int:
        from optuna.trial import TrialState, create_trial

        trial = create_trial(
            state=TrialState.WAITING,
            params=dict(zip(self._questions, candidate.answers, strict=True)),
            distributions=choices,
            user_attrs={"proposed": {name: getattr(candidate, name) for name in PROPOSED}},  # one: each takes its time
        )
        return self._storage.create_new_trial(self._study, trial)

    def settled(self) -> bool:
        """Whether every candidate of the generation last enqueued is evaluated."""
        while self._pending and self._storage.get_trial(self._pending[0]).state.is_finished():
            self._pending.popleft()
        return not self._pending

    def held(self) -> list[Held]:
        """What workers hold, those among them that died."""
        from optuna.trial import TrialState

        attributes = ((t._trial_id, t.user_attrs) for t in self._trials(TrialState.RUNNING))
        return [Held(trial, told.get("worker", ""), told.get("beat", 0)) for trial, told in attributes]

    def end(self) -> None:
        """Tells workers that nothing more will come."""
        self._storage.set_study_user_attr(self._study, "over", True)

    def write_csv(self, path: str | Path) -> None:
        """The evaluated candidates, a row each, as COLUMNS says; the level is the last part of the table's name."""
        beside = Path(f"{path}.part")
        with beside.open("w", newline="") as file:
            rows = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            rows.writeheader()
            for c in self.candidates():
                told = {
                    **asdict(c),
                    "answers": written(c.answers),
                    "parents": "|".join(map(written, c.parents)),
                    **c.costs,
                }
                rows.writerow(
                    {"level": self.name.rpartition("/")[2], **{k: v for k, v in told.items() if k in COLUMNS}}
                )
        os.replace(beside, path)

    # -------------------------------------------------------------------------------------------------- a worker's

    @property
    def over(self) -> bool:
        """Whether the search has ended."""
        return bool(self._storage.get_study_user_attrs(self._study).get("over"))

    def claim(self, worker: str) -> Claim | None:
        """A waiting candidate that is this worker's from now on, whoever else asks at the same time; None where none waits."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        for read_again in (False, True):
            if read_again:
                self._waiting = deque(self._trials(TrialState.WAITING))
            while self._waiting:
                trial = self._waiting.popleft()
                with suppress(UpdateFinishedTrialError):
                    if self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                        self._storage.set_trial_user_attr(trial._trial_id, "worker", worker)
                        return Claim(trial._trial_id, self._candidate(trial), worker)
        return None

    def beat(self, claim: Claim, count: int) -> None:
        """Says that the claim's worker lives: `count` is another each time."""
        from optuna.exceptions import UpdateFinishedTrialError

        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(claim.trial, "beat", count)

    def finish(self, claim: Claim, *, accuracy: float, n: int, seconds: float) -> None:
        """Writes what came of a candidate; what another worker wrote of it before stays.

        SearchError, and nothing written, where the accuracy is no fraction.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        if not (math.isfinite(accuracy) and 0 <= accuracy <= 1):
            raise SearchError(
                f"{claim.candidate}: its accuracy is {accuracy}; an evaluator gives a fraction from 0 to 1"
            )
        with suppress(UpdateFinishedTrialError):
            told = {"n": n, "seconds": seconds, "worker": claim.worker}
            self._storage.set_trial_user_attr(claim.trial, "evaluated", told)
            self._storage.set_trial_state_values(claim.trial, TrialState.COMPLETE, [float(accuracy)])

    def put_back(self, trial: int) -> None:
        """Lets a candidate wait again that a worker held."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(trial, "worker", "")  # the next claim names its worker a moment later
            self._storage.set_trial_state_values(trial, TrialState.WAITING)

    def release(self, worker: str) -> None:
        """Puts back all that a worker holds."""
        for held in self.held():
            if held.worker == worker:
                self.put_back(held.trial)

    # -------------------------------------------------------------------------------------------------- trials

    def _trials(self, *states: Any) -> "list[FrozenTrial]":
        return self._storage.get_all_trials(self._study, deepcopy=False, states=states or None)

    def _candidate(self, trial: "FrozenTrial") -> Candidate:
        told = trial.user_attrs
        answers = tuple(trial.params[name] for name in self._questions)
        proposed = Candidate(answers, **{**told["proposed"], "parents": tuple(map(tuple, told["proposed"]["parents"]))})
        if not trial.values:
            return proposed
        return replace(proposed, accuracy=trial.values[0], **told["evaluated"])


def _differing(begun: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """What differs between the search that a table was begun with and this one."""
    was, now = dict(_flat(begun)), dict(_flat(said))
    return "; ".join(
        f"{key} was {was.get(key, 'not given')}, is now {now.get(key, 'not given')}"
        for key in {**was, **now}
        if was.get(key) != now.get(key)
    )


def _flat(told: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in told.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value
