"""A worker that joins a table by its storage alone: the table says which function of glocal makes its task.

A table chooses among `TASKS` and gives plain data as their arguments: it can have nothing else done.
"""

from collections.abc import Callable
from importlib import import_module

from glocal.errors import TrialError
from glocal.trials.storage import open_storage, public
from glocal.trials.table import Table
from glocal.trials.trial import Json
from glocal.trials.workers.worker import OneThread, Task, work

TASKS = (
    "glocal.comparing.joining:study_task",
    "glocal.searching.joining:candidates_task",
    "glocal.searching.joining:race_task",
)


def join(
    where: str, *, name: str | None = None, patience_s: float = 600.0, echo: Callable[[str], None] = lambda line: None
) -> int:
    """Runs trials of a table until it is complete, or none comes for `patience_s` seconds; returns how many.

    name: of the table, where the storage has several that go on. TrialError where there is none to join; the errors of the task
    where this machine does not see the files that it reads.
    """
    name = name or _only(where)
    with Table.join(where, name) as table:
        origin = table.origin
    task = task_of(origin, name)
    echo(f"joined {name} in {public(where)}")
    return work(OneThread(task), where, name, patience_s=patience_s)


def task_of(origin: Json | None, name: str) -> Task:
    """The task that a table says it has."""
    task = str((origin or {}).get("task", ""))
    if origin is None or task not in TASKS:
        raise TrialError(f"the table {name!r} does not say how others can join it; only its coordinator has workers")
    try:
        module, _, function = task.partition(":")
        made: Task = getattr(import_module(module), function)(**origin["arguments"])
    except (ImportError, AttributeError, TypeError, KeyError) as error:
        raise TrialError(f"the table {name!r} is of another version of glocal: {error}") from None
    return made


def _only(where: str) -> str:
    """The one table of a storage that goes on."""
    storage, close = open_storage(where)
    try:
        names = [
            study.study_name
            for study in storage.get_all_studies()
            if "table" in study.user_attrs and not study.user_attrs.get("complete")
        ]
    finally:
        close()
    if len(names) != 1:
        found = f"several: {', '.join(sorted(names))}; give --name" if names else "none; start it first"
        raise TrialError(f"{public(where)}: of the tables that go on there is {found}")
    return names[0]
