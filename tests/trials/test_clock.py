"""A budget is spent over all sessions, and not by the breaks between them."""

import json
import time
from types import SimpleNamespace

import pytest

from glocal.errors import RunError
from glocal.trials import clock as module
from glocal.trials.clock import Clock


@pytest.fixture
def now(monkeypatch):
    """A clock that the test sets, for this module alone: the servers of other tests wait by the real one."""
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_sessions_add_up_without_the_breaks_between_them(tmp_path, now):
    path, spent = tmp_path / "spent.json", 0.0
    for session_s in (10.0, 25.0, 5.0):
        now[0] += 1000  # of a break
        clock = Clock.read(path, 60.0, started=now[0], end_s=3.0)
        assert clock.left_s == 60 - spent - 3
        now[0] += session_s
        spent += session_s
        clock.save()
        assert json.loads(path.read_text())["spent_s"] == spent


def test_where_there_is_no_budget_no_time_is_noted(tmp_path, now):
    clock = Clock.read(tmp_path / "spent.json", None, started=now[0])
    clock.save()
    assert clock.left_s == float("inf")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"spent_s": -1}', '{"spent_s": NaN}', '{"spent_s": "long"}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "spent.json").write_text(text)
    with pytest.raises(RunError, match=r"spent\.json is not whole"):
        Clock.read(tmp_path / "spent.json", 60.0, started=time.monotonic())
