"""A budget is divided among the phases that are still to come; what was decided stays decided."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from glocal.errors import TrialError
from glocal.trials.plan import Phase, Plan

# A study of two rounds; each prepares once and then trains.
PHASES = tuple(
    phase
    for name in ("first", "second")
    for phase in (
        Phase(f"{name}/prepare", "epochs", 9),
        Phase(f"{name}/probe", "probes", 3),
        Phase(f"{name}/train", "epochs", 8),
    )
)


def plan(path, budget_s, phases=PHASES):
    return Plan.read(path / "plan.json", phases, budget_s=budget_s)


def second(phase):
    return 1.0


def never(phase):
    raise AssertionError(phase)


def test_the_quote_of_a_budget_is_no_more_than_it(tmp_path):
    units = {"prepare": 60.0, "probe": 1.0, "train": 100.0}
    for budget_s in (3600.0, 7200.0, 40_000.0):
        quote = plan(tmp_path, budget_s).quote(lambda name: units[name.partition("/")[2]])
        assert 0.8 * budget_s < quote.seconds <= budget_s
        assert [row.phase for row in quote.rows] == [*PHASES]


def test_without_a_budget_all_is_as_wanted(tmp_path):
    phases = [replace(phase, wanted=n) for phase, n in zip(PHASES[:3], (10, 7, 20), strict=True)]
    quote = plan(tmp_path, None, phases).quote(lambda phase: 2.0)
    assert [(row.phase.name, row.n, row.seconds) for row in quote.rows] == [
        ("first/prepare", 10, 20.0),
        ("first/probe", 7, 14.0),
        ("first/train", 20, 40.0),
    ]
    assert str(quote).splitlines()[-1].split() == ["all", "1:14"]


def test_without_a_budget_every_phase_needs_a_number(tmp_path):
    with pytest.raises(TrialError, match="without a budget, first/prepare, first/probe, first/train needs a number"):
        plan(tmp_path, None, PHASES[:3])


def test_what_is_wanted_needs_no_measuring(tmp_path):
    phases = [replace(phase, wanted=7) if phase.unit == "probes" else phase for phase in PHASES]
    assert plan(tmp_path, 2000.0, phases).decide("second/probe", never) == 7


def test_time_that_a_phase_took_too_long_is_taken_from_all_others(tmp_path):
    started = plan(tmp_path, 2000.0)
    assert started.decide("first/prepare", second) == 450
    started.spent_s["first/prepare"] = 1000.0  # not 450
    assert started.decide("second/prepare", second) == int(1000 * 9 / 20)


def test_a_machine_that_is_slower_than_it_was_measured_has_fewer_units_left(tmp_path):
    started = plan(tmp_path, 2000.0)
    started.decide("first/prepare", second)
    started.spent_s["first/prepare"] = 1000.0  # not 450
    assert started.decide("first/probe", second) == int(1000 * 3 / 31 * 450 / 1000)


def test_what_is_left_of_a_phase_is_counted_by_the_clock_and_kept_by_a_kill(tmp_path, monkeypatch):
    clock = SimpleNamespace(time=lambda: 5000.0, monotonic=lambda: now)
    monkeypatch.setattr("glocal.trials.plan.time", clock)
    now, first = 100.0, plan(tmp_path, 2000.0)
    whole_s = first.seconds_for("first/prepare", {})
    with first.spending("first/prepare"):
        assert first.ends_at == {"first/prepare": 5000.0 + whole_s}
        now = 150.0
        assert first.left_s("first/prepare") == whole_s - 50
        first.save()
        killed = plan(tmp_path, 2000.0)
    assert killed.spent_s == {"first/prepare": 50.0}
    now = 1000.0
    with killed.spending("first/prepare"):
        now = 1030.0
        assert killed.left_s("first/prepare") == whole_s - 80


def test_a_number_that_depended_on_the_time_stays(tmp_path):
    assert plan(tmp_path, 2000.0).once("left", lambda: 3) == 3
    assert plan(tmp_path, 2000.0).once("left", lambda: 2) == 3


def test_what_was_decided_is_not_decided_again_after_a_kill(tmp_path):
    first = plan(tmp_path, 2000.0)
    n = first.decide("first/prepare", second)
    with pytest.raises(KeyboardInterrupt), first.spending("first/prepare"):
        raise KeyboardInterrupt
    again = plan(tmp_path, 2000.0)
    assert again.decide("first/prepare", never) == n
    assert again.spent_s.keys() == {"first/prepare"}


def test_a_budget_that_is_too_short_is_refused_with_what_the_least_would_take(tmp_path):
    short = plan(tmp_path, 30.0)
    with pytest.raises(
        TrialError,
        match=r"--budget 0:30 is too short: the least would take .*first/prepare: 1 epochs.*Give more time, or less",
    ):
        short.check_budget(short.quote(lambda phase: 60.0), remedy="or less")
    plan(tmp_path, 3000.0).check_budget(plan(tmp_path, 3000.0).quote(lambda phase: 60.0), remedy="")
