"""A plan fits its budget: the longest training for all, else the costliest are left out, and finals shrink with the time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.errors import ComparisonError
from glocal.picking.plan import SHARE, Finals, StoredPlan, choose_finals, plan_race, rung_allowance
from glocal.picking.settings import PickSettings
from glocal.recipes import recipe

RECIPE = recipe("study")
costs = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 20), min_size=2)
many = settings(max_examples=60, deadline=None)


def plan(epoch_s, seconds, *, workers=1, **changes):
    return plan_race(epoch_s, PickSettings(**changes), seconds=seconds, recipe=RECIPE, workers=workers)


@many
@given(costs, st.floats(10, 1e5), st.integers(1, 4))
def test_a_plan_fits_what_is_left_or_is_refused(epoch_s, seconds, workers):
    try:
        found = plan(epoch_s, seconds, workers=workers)
    except ComparisonError:
        return
    assert found.race_s + found.finals_s <= SHARE * seconds + 1e-6
    out = {each.name for each in found.left_out}
    assert out | {each.name for each in found.entrants} == set(epoch_s)
    slowest = max(each.epoch_s for each in found.entrants)
    assert all(epoch_s[name] >= slowest for name in out)
    assert StoredPlan.of(found).plan(PickSettings(), workers=workers) == found


@many
@given(costs, st.floats(100, 1e5), st.floats(1, 5))
def test_more_time_never_means_fewer_candidates(epoch_s, seconds, factor):
    try:
        fewer = plan(epoch_s, seconds)
    except ComparisonError:
        return
    assert len(plan(epoch_s, factor * seconds).entrants) >= len(fewer.entrants)


def test_epochs_that_are_asked_for_are_the_horizon():
    assert plan({"a": 1.0, "b": 1.0}, 1e6, epochs=5).horizon == 5
    with pytest.raises(ComparisonError, match="a race of a and b over 50 epochs would take"):
        plan({"a": 1.0, "b": 1.0}, 10, epochs=50)


def test_one_candidate_is_no_race():
    with pytest.raises(ComparisonError, match="1 candidate is left, a; a race needs two"):
        plan({"a": 1.0}, 1000)


@pytest.mark.parametrize(
    ("seconds", "names", "seeds"),
    [(1000, "abc", 3), (79, "abc", 3), (70, "ab", 3), (45, "abc", 2), (40, "ab", 2), (15, "ab", 1), (1, "a", 1)],
)
def test_finals_shrink_with_the_time_seeds_before_the_second_network(seconds, names, seeds):
    found = choose_finals(
        "abc", dict.fromkeys("abc", 1.0), horizon=9, done=dict.fromkeys("abc", 3), seeds=3, seconds=seconds, workers=1
    )
    assert found == Finals(tuple(names), seeds)


@many
@given(costs, st.floats(100, 1e5), st.floats(0, 1e5))
def test_a_rung_leaves_what_the_finals_need(epoch_s, seconds, left_s):
    try:
        found = plan(epoch_s, seconds)
    except ComparisonError:
        return
    allowance = rung_allowance(found, left_s)
    assert allowance >= 0
    assert allowance == 0 or allowance + found.finals_s == pytest.approx(left_s)
