"""The table of trials: what is to run, which worker runs it, and what came of it. It survives the kill of any process.

A table is an Optuna study and a trial is an Optuna trial: WAITING when enqueued, RUNNING while a worker holds it, COMPLETE with
its result. Doing something twice (enqueuing a trial again, finishing one that another worker finished) changes nothing.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

from glocal.errors import GlocalError, TrialError
from glocal.trials.storage import first_line, open_storage, public, with_password
from glocal.trials.trial import Json, Scalar, Trial
from glocal.trials.workers.liveness import Held

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Choices = Mapping[str, Sequence[Scalar]]
P = ParamSpec("P")
R = TypeVar("R")


class Claim(NamedTuple):
    """A trial that a worker holds; `number` is the table's own for it."""

    number: int
    trial: Trial
    worker: str


def _naming_errors(method: "Callable[Concatenate[Table, P], R]") -> "Callable[Concatenate[Table, P], R]":
    """A method of a table whose errors of any kind, such as those of a damaged file, become TrialErrors that name the table."""

    @wraps(method)
    def named(table: "Table", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(table, *args, **kwargs)
        except GlocalError:
            raise
        except Exception as error:
            raise TrialError(
                f"lost the table of trials {public(table.where)} ({first_line(error)}). The trials that are finished stay in "
                "it: run the same command again to continue. If the table is damaged, give another"
            ) from error

    return named


class Table:
    """An open table; `with` closes its connections. Several processes may have a table open at a time, each by itself."""

    def __init__(self, where: str | Path | None, name: str) -> None:
        """Opens the storage only. `open` starts or continues a table as its coordinator, `join` joins it as a worker."""
        self.where, self.name = where if where is None else with_password(str(where)), name
        self._storage, self._disconnect = open_storage(where)
        self._study = -1
        self._value: str | None = None
        self._choices: Choices = {}
        self._finished: dict[int, Trial] = {}
        self._waiting: deque[FrozenTrial] = deque()  # as last read; other workers may have claimed them since
        self._pending: deque[int] = deque()  # of the trials last enqueued, until they are found to be finished

    @classmethod
    def open(
        cls,
        where: str | Path | None,
        name: str,
        *,
        identity: Mapping[str, Any],
        choices: Choices | None = None,
        value: str | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> "Table":
        """Starts a table, or continues the one of that name. `where` is a path, a URL (docs/search.md), or None for memory.

        identity: everything that decides which trials are run and what they give, as JSON. A table that was started with
            another identity raises TrialError, with what differs.
        choices: the parameters of trials that Optuna's tools show, each with its possible values.
        value: the number in a result that Optuna's tools show as the value of a trial.
        origin: what `glocal work` makes the task of: {"task": "glocal.MODULE:FUNCTION", "arguments": {...}}, as JSON.
        """
        with ExitStack() as on_error:
            table = on_error.enter_context(cls(where, name))
            table._choices = choices or {}
            table._start(json.loads(json.dumps(identity)), value, json.loads(json.dumps(origin)))
            on_error.pop_all()
        return table

    @classmethod
    def join(cls, where: str | Path | None, name: str) -> "Table":
        """The table that a coordinator has started, for a worker; TrialError where there is none."""
        with ExitStack() as on_error:
            table = on_error.enter_context(cls(where, name))
            table._enter()
            on_error.pop_all()
        return table

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._disconnect()

    @_naming_errors
    def _start(self, identity: Json, value: str | None, origin: Json | None) -> None:
        from optuna.exceptions import DuplicatedStudyError
        from optuna.study import StudyDirection

        with suppress(DuplicatedStudyError):
            self._storage.create_new_study([StudyDirection.MAXIMIZE], self.name)
        study = self._storage.get_study_id_from_name(self.name)
        if "table" not in self._storage.get_study_user_attrs(study):  # also after a kill between the two
            self._storage.set_study_user_attr(study, "table", {"identity": identity, "value": value})
        differences = _differences(self._enter(), identity)
        if self._value != value and not differences:
            differences = f"the value that is shown was {self._value!r:.100}, is now {value!r}"
        if differences:
            raise TrialError(
                f"{public(self.where)} holds a table {self.name!r} of other trials: {differences}. Use the settings that it was "
                "started with, or give another name or storage"
            )
        self._storage.set_study_user_attr(self._study, "origin", origin)
        self._storage.set_study_user_attr(self._study, "complete", False)

    @_naming_errors
    def _enter(self) -> Json:
        try:
            self._study = self._storage.get_study_id_from_name(self.name)
            table = self._storage.get_study_user_attrs(self._study)["table"]
        except KeyError:
            raise TrialError(f"{public(self.where)} has no table {self.name!r}; start it first") from None
        self._value = table["value"]
        identity: Json = dict(table["identity"])
        return identity

    # ----------------------------------------------------------------------------------------------- for the coordinator

    @_naming_errors
    def trials(self) -> list[Trial]:
        """The finished trials in the order in which they were enqueued, each key once."""
        from optuna.trial import TrialState

        for found in self._read(TrialState.COMPLETE):
            if found._trial_id not in self._finished:
                self._finished[found._trial_id] = _trial(found)
        first: dict[str, Trial] = {}
        for _, trial in sorted(self._finished.items()):
            first.setdefault(trial.key, trial)
        return list(first.values())

    @_naming_errors
    def enqueued(self) -> list[Trial]:
        """All trials in the order in which they were enqueued, each key once; those that are finished have their results."""
        first: dict[str, Trial] = {}
        for found in sorted(self._read(), key=lambda each: each._trial_id):
            trial = _trial(found)
            first.setdefault(trial.key, trial)
        return list(first.values())

    @_naming_errors
    def enqueue(self, trials: Sequence[Trial]) -> None:
        """Adds trials, except those that the table has. TrialError where it has a trial of a key with other settings."""
        known: dict[str, FrozenTrial] = {}
        for found in self._read():
            known.setdefault(found.user_attrs["trial"]["key"], found)
        self._pending = deque()
        for trial in trials:
            settings = _plain(trial, trial.settings, "settings")
            self._check_parameters(trial)
            there = known.get(trial.key)
            if there and (differences := _differences(_trial(there).settings, settings)):
                raise TrialError(
                    f"{public(self.where)} holds {trial} with other settings: {differences}. Give another name or storage"
                )
            self._pending.append(there._trial_id if there else self._add(trial, settings))

    def _check_parameters(self, trial: Trial) -> None:
        if trial.parameters.keys() != self._choices.keys():
            raise TrialError(f"{trial} has the parameters {[*trial.parameters]}, and its table has {[*self._choices]}")
        for name, value in trial.parameters.items():
            if value not in self._choices[name]:
                raise TrialError(f"{trial}: {name} is {value!r}, and its table has {[*self._choices[name]]}")

    def _add(self, trial: Trial, settings: Json) -> int:
        from optuna.distributions import CategoricalDistribution
        from optuna.trial import TrialState, create_trial

        waiting = create_trial(
            state=TrialState.WAITING,
            params=dict(trial.parameters),
            distributions={name: CategoricalDistribution(tuple(values)) for name, values in self._choices.items()},
            user_attrs={
                "trial": {"key": trial.key, "settings": settings}
            },  # one attribute: each takes a statement of SQL
        )
        return self._storage.create_new_trial(self._study, waiting)

    @_naming_errors
    def all_finished(self) -> bool:
        """Whether every trial that was last enqueued is finished."""
        while self._pending and self._storage.get_trial(self._pending[0]).state.is_finished():
            self._pending.popleft()
        return not self._pending

    @_naming_errors
    def held(self) -> list[Held]:
        """The trials that workers hold, those of workers that died included."""
        from optuna.trial import TrialState

        running = [(t._trial_id, t.user_attrs) for t in self._read(TrialState.RUNNING)]
        return [
            Held(number, attributes.get("worker", ""), attributes.get("heartbeat", 0)) for number, attributes in running
        ]

    @_naming_errors
    def complete(self) -> None:
        """Tells workers that no more trials will come."""
        self._storage.set_study_user_attr(self._study, "complete", True)

    # ------------------------------------------------------------------------------------------------------- for workers

    @property
    def origin(self) -> Json | None:
        """What the coordinator said of the task; None where it said nothing."""
        return self._origin()

    @_naming_errors
    def _origin(self) -> Json | None:
        origin: Json | None = self._storage.get_study_user_attrs(self._study).get("origin")
        return origin

    @property
    def is_complete(self) -> bool:
        """Whether no more trials will come."""
        return self._is_complete()

    @_naming_errors
    def _is_complete(self) -> bool:
        return bool(self._storage.get_study_user_attrs(self._study).get("complete"))

    @_naming_errors
    def claim(self, worker: str) -> Claim | None:
        """Claims a waiting trial, which no other worker can claim then; None where none waits."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        for read_again in (False, True):
            if read_again:
                self._waiting = deque(self._read(TrialState.WAITING))
            while self._waiting:
                found = self._waiting.popleft()
                with suppress(UpdateFinishedTrialError):
                    if self._storage.set_trial_state_values(found._trial_id, TrialState.RUNNING):
                        self._storage.set_trial_user_attr(found._trial_id, "worker", worker)
                        return Claim(found._trial_id, _trial(found), worker)
        return None

    @_naming_errors
    def heartbeat(self, claim: Claim, count: int) -> None:
        """Shows that the worker of a claim is alive; `count` differs each time."""
        from optuna.exceptions import UpdateFinishedTrialError

        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(claim.number, "heartbeat", count)

    @_naming_errors
    def finish(self, claim: Claim, result: Json, *, seconds: float) -> None:
        """Writes the result of a trial. If another worker has finished the trial, that result stays.

        TrialError, and nothing is written, where the result is not plain data or its `value` is not a finite number.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        outcome = {"result": _plain(claim.trial, result, "result"), "seconds": seconds, "worker": claim.worker}
        value = self._value_of(claim.trial, result)
        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(claim.number, "outcome", outcome)
            self._storage.set_trial_state_values(claim.number, TrialState.COMPLETE, [value])

    def _value_of(self, trial: Trial, result: Json) -> float:
        value = 0.0 if self._value is None else result.get(self._value)
        if not isinstance(value, int | float) or not isfinite(value):
            raise TrialError(f"{trial}: its result has no finite number {self._value!r}: {result}")
        return float(value)

    @_naming_errors
    def put_back(self, number: int) -> None:
        """Lets a trial that a worker holds wait for another worker."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(number, "worker", "")  # the next claim writes its worker a moment later
            self._storage.set_trial_state_values(number, TrialState.WAITING)

    def _read(self, *states: Any) -> "list[FrozenTrial]":
        return self._storage.get_all_trials(self._study, deepcopy=False, states=states or None)


def _trial(found: "FrozenTrial") -> Trial:
    attributes = found.user_attrs
    trial = Trial(str(attributes["trial"]["key"]), dict(attributes["trial"]["settings"]), dict(found.params))
    return replace(trial, **attributes["outcome"]) if found.state.is_finished() else trial


def _plain(trial: Trial, data: Json, what: str) -> Json:
    """The data as a table gives it back."""
    try:
        plain: Json = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TrialError(f"{trial}: its {what} is not plain data: {error}") from None
    return plain


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which values differ, by their names; empty where none does."""
    was, is_now = dict(_flat(before)), dict(_flat(now))
    return "; ".join(
        f"{key:.100} was {was.get(key, 'not given')!s:.200}, is now {is_now.get(key, 'not given')!s:.200}"
        for key in {**was, **is_now}
        if was.get(key) != is_now.get(key)
    )


def _flat(nested: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield path + key, value
