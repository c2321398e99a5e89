"""Whom `glocal work` joins, and that a table cannot make it run what is not glocal's."""

from importlib import import_module

import pytest

from glocal.errors import TrialError
from glocal.trials.table import Table
from glocal.trials.workers.joining import TASKS, join, task_of


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        (None, "does not say how others can join it"),
        ({"task": "os:system", "arguments": {"command": "true"}}, "does not say how others can join it"),
        ({"task": "glocal.trials.workers.joining:__class__.x", "arguments": {}}, "does not say how others can join it"),
        (
            {"task": "glocal.files:write_yaml", "arguments": {"path": "x", "data": 1}},
            "does not say how others can join",
        ),
        ({"task": TASKS[0]}, "is of another version of glocal"),
        ({"task": TASKS[1], "arguments": {"nobody": 1}}, "is of another version of glocal"),
    ],
)
def test_a_task_is_made_by_glocal_or_not_at_all(origin, message):
    with pytest.raises(TrialError, match=message):
        task_of(origin, "a table")


def test_a_storage_without_a_table_that_goes_on_is_refused(tmp_path):
    storage = str(tmp_path / "trials.db")
    with Table.open(storage, "done", identity={}) as table:
        table.complete()
    with pytest.raises(TrialError, match="none; start it first"):
        join(storage)


def test_of_several_tables_one_must_be_named(tmp_path):
    storage = str(tmp_path / "trials.db")
    for name in ("one", "two"):
        with Table.open(storage, name, identity={}):
            pass
    with pytest.raises(TrialError, match="several: one, two; give --name"):
        join(storage)
    with pytest.raises(TrialError, match="'one' does not say how"):
        join(storage, name="one")


def test_every_task_is_there():
    for task in TASKS:
        module, _, function = task.partition(":")
        assert callable(getattr(import_module(module), function))
