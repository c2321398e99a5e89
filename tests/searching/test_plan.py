"""A budget is divided among what is still to come; what was decided stays decided."""

import pytest

from glocal.errors import SearchError
from glocal.searching.plan import SHARES, Plan

NOTHING = dict.fromkeys(SHARES)


def plan(path, budget_s, levels=("distribution", "details"), wanted=NOTHING):
    return Plan.of(path / "plan.json", levels=levels, wanted=wanted, budget_s=budget_s)


def second(phase):
    return 1.0


def test_the_quote_of_a_budget_is_no_more_than_it(tmp_path):
    units = {"supernet": 60.0, "candidates": 1.0, "finalists": 100.0}
    for budget_s in (3600.0, 7200.0, 40_000.0):
        quote = plan(tmp_path, budget_s).quote(units.__getitem__)
        assert 0.8 * budget_s < quote.seconds <= budget_s
        assert [name for name, *_ in quote.rows] == [
            f"{level}/{p}" for level in ("distribution", "details") for p in SHARES
        ]


def test_without_a_budget_all_is_as_wanted(tmp_path):
    wanted = {"supernet": 10, "candidates": 7, "finalists": 20}
    quote = plan(tmp_path, None, ("one",), wanted).quote(lambda phase: 2.0)
    assert quote.rows == (("one/supernet", 10, 20.0), ("one/candidates", 7, 14.0), ("one/finalists", 20, 40.0))
    assert str(quote).splitlines()[-1].split() == ["all", "1:14"]


def test_what_is_wanted_needs_no_measuring(tmp_path):
    def never(phase):
        raise AssertionError(phase)

    assert plan(tmp_path, 2000.0, wanted={**NOTHING, "candidates": 7}).decide("details/candidates", never) == 7


def test_time_that_a_phase_took_too_long_is_taken_from_all_others(tmp_path):
    begun = plan(tmp_path, 2000.0)
    assert begun.decide("distribution/supernet", second) == 450
    begun.spent_s["distribution/supernet"] = 1000.0  # not 450
    assert begun.decide("distribution/candidates", second) == int(1000 * 3 / 31)


def test_what_was_decided_is_not_decided_again_after_a_kill(tmp_path):
    first = plan(tmp_path, 2000.0)
    n = first.decide("distribution/supernet", second)
    with pytest.raises(KeyboardInterrupt), first.spending("distribution/supernet"):
        raise KeyboardInterrupt
    again = plan(tmp_path, 2000.0)
    assert again.decide("distribution/supernet", lambda phase: 50.0) == n
    assert again.spent_s.keys() == {"distribution/supernet"}


def test_a_budget_that_is_too_short_is_refused_with_what_the_least_would_take(tmp_path):
    with pytest.raises(
        SearchError, match=r"--budget 0:30 is too short: the search would take .*distribution/supernet: 1 epochs"
    ):
        plan(tmp_path, 30.0).quote(lambda phase: 60.0)
