"""Laws of the racing engine: whom it never drops, what more margin and less time do, and that order does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.comparing.racing.decision import Exit, decide
from glocal.comparing.racing.race import race
from glocal.comparing.racing.rules import Entrant, Rules, halving_rungs
from glocal.errors import ComparisonError

PICTURES = 400


def world(seed, *, arms=6, seeds=1, epochs=9):
    """Arms of different ability and cost, measured after every epoch on the same pictures."""
    rng = np.random.default_rng(seed)
    hardness, ability = rng.normal(size=PICTURES), rng.normal(0.5, 0.7, arms)
    entrants = [Entrant(f"arm {i}", float(s)) for i, s in enumerate(rng.uniform(0.3, 4, arms))]
    measured = {
        each.name: {e: rng.normal(size=(seeds, PICTURES)) + a * e**0.3 > hardness for e in range(1, epochs + 1)}
        for each, a in zip(entrants, ability, strict=True)
    }
    return entrants, measured


def names(entrants):
    return [each.name for each in entrants]


def at_first_rung(entrants, measured, rules=None, **more):
    return decide(entrants, names(entrants), measured, rules=rules or Rules(), rung=0, **more)


many = settings(max_examples=40, deadline=None)
worlds = st.integers(0, 10_000)


@many
@given(worlds, st.floats(0, 30), st.integers(1, 2))
def test_the_leader_is_never_dropped(seed, allowance_s, seeds):
    entrants, measured = world(seed, seeds=seeds)
    rung = at_first_rung(entrants, measured, allowance_s=allowance_s)
    assert rung.leader in rung.survivors
    assert max(s.accuracy for s in rung.standings) == next(s.accuracy for s in rung.standings if s.arm == rung.leader)


@many
@given(worlds)
def test_arms_that_predict_alike_go_on_together(seed):
    entrants, measured = world(seed, arms=2)
    first, second = names(entrants)
    measured[second] = measured[first]
    rules = Rules(cost_aware=False)
    assert set(at_first_rung(entrants, measured, rules).survivors) == {first, second}


def test_two_trainings_of_one_arm_are_seldom_told_apart():
    """Equal arms with luck of their own, on margin 0: a two-sided interval of 95 % excludes 0 in about one of twenty."""
    dropped = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        hardness = rng.normal(size=PICTURES)
        measured = {name: {1: rng.normal(size=(1, PICTURES)) + 0.5 > hardness} for name in "ab"}
        entrants = [Entrant("a", 1), Entrant("b", 1)]
        dropped += len(decide(entrants, "ab", measured, rules=Rules(rungs=(1, 3), margin=0), rung=0).survivors) == 1
    assert dropped <= 20


@many
@given(worlds, st.floats(0, 0.2), st.floats(0, 0.2))
def test_a_larger_margin_never_drops_more(seed, margin, other):
    entrants, measured = world(seed)
    small, large = sorted((margin, other))
    kept, more = (set(at_first_rung(entrants, measured, Rules(margin=m)).survivors) for m in (small, large))
    assert kept <= more


@many
@given(worlds, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_an_arm_goes_for_being_behind_only_where_its_interval_is_below_the_margin(seed, level):
    entrants, measured = world(seed)
    rung = at_first_rung(entrants, measured, Rules(level=level))
    for s in rung.standings:
        assert (s.exit is Exit.BEHIND) == (s.interval.high < -0.005)


@many
@given(worlds, st.floats(0, 60))
def test_what_goes_on_fits_the_allowance_unless_it_is_the_leader_alone(seed, allowance_s):
    entrants, measured = world(seed)
    rung = at_first_rung(entrants, measured, allowance_s=allowance_s)
    cost = sum(s.seconds for s in rung.standings if s.exit is None)
    assert cost <= allowance_s + 1e-9 or rung.survivors == (rung.leader,)
    assert all(s.exit is not Exit.TIME for s in at_first_rung(entrants, measured).standings)


@many
@given(worlds, st.floats(1, 60), st.randoms())
def test_the_order_of_arrival_does_not_matter(seed, allowance_s, random):
    entrants, measured = world(seed)
    mixed, order = list(entrants), names(entrants)
    random.shuffle(mixed)
    random.shuffle(order)
    again = {name: dict(reversed(measured[name].items())) for name in order}
    assert decide(mixed, order, again, rules=Rules(), rung=0, allowance_s=allowance_s) == at_first_rung(
        entrants, measured, allowance_s=allowance_s
    )


@many
@given(worlds)
def test_a_costly_arm_gets_fewer_epochs_first_and_is_compared_after_as_many(seed):
    entrants, measured = world(seed)
    rules = Rules(rungs=(3, 9))
    first, second = rules.epochs(entrants, 0), rules.epochs(entrants, 1)
    assert set(second.values()) == {9}
    middle = np.median([each.epoch_s for each in entrants])
    for each in entrants:
        assert first[each.name] == (3 if each.epoch_s <= middle else max(1, round(3 * middle / each.epoch_s)))
    rung = at_first_rung(entrants, measured, rules)
    for s in rung.standings:
        assert s.compared_at == min(first[s.arm], first[rung.leader])


@many
@given(worlds)
def test_a_race_ends_with_its_places_and_every_arm_has_a_last_standing(seed):
    entrants, measured = world(seed)
    heats = []

    def measure(wanted):
        heats.extend(wanted)
        return measured

    rules = replace(Rules(rungs=halving_rungs(9)), places=2)
    found = race(entrants, measure, rules=rules)
    assert 1 <= len(found.finalists) <= 2
    gone = [s.arm for rung in found.rungs for s in rung.standings if s.exit]
    assert sorted([*gone, *found.finalists]) == sorted(names(entrants))
    assert all(found.last_standing(name).arm == name for name in names(entrants))
    assert {h.arm for h in heats if h.rung == 1} == set(found.rungs[0].survivors)


@many
@given(worlds, st.integers(0, 3))
def test_where_all_that_went_on_withdraw_the_next_of_the_rung_before_takes_their_place(seed, more):
    """`more`: how many of those that come next withdraw too."""
    entrants, measured = world(seed)
    rungs = []

    def measure(heats):
        if not rungs:
            return measured
        out = {s.arm for s in rungs[0].standings if s.exit is None} | {each.arm for each in order[:more]}
        return {heat.arm: measured[heat.arm] for heat in heats if heat.arm not in out}

    order = []

    def keep(rung):
        rungs.append(rung)
        order.extend(s for s in rung.standings if s.exit and len(rungs) == 1)

    rules = Rules(rungs=(1, 9), cost_aware=False)
    if (
        gone := sum(s.exit is not None for s in at_first_rung(entrants, measured, rules, allowance_s=0.0).standings)
    ) > more:
        found = race(entrants, measure, rules=rules, allowance_s=lambda rung: 0.0, on_rung=keep)
        assert [s.arm for s in found.rungs[1].standings] == [order[more].arm]
    else:
        with pytest.raises(ComparisonError, match="no arm could be measured after 9 epochs"):
            race(entrants, measure, rules=rules, allowance_s=lambda rung: 0.0, on_rung=keep)
        assert gone <= more


@pytest.mark.parametrize(
    ("horizon", "rungs"), [(1, (1,)), (2, (1,)), (3, (1,)), (9, (1, 3)), (12, (1, 4)), (27, (3, 9)), (30, (3, 10))]
)
def test_halving_has_a_ninth_and_a_third_of_the_horizon(horizon, rungs):
    assert halving_rungs(horizon) == rungs


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"rungs": (3, 1)}, "rungs at"),
        ({"rungs": ()}, "rungs at"),
        ({"level": 1.0}, "level 1.0"),
        ({"margin": -0.1}, "margin -0.1"),
        ({"places": 0}, "0 places"),
    ],
)
def test_rules_that_no_race_can_have_are_one_clear_line(wrong, says):
    with pytest.raises(ComparisonError, match=says):
        Rules(**wrong)


def test_an_arm_that_was_not_measured_is_named():
    entrants, measured = world(0)
    del measured["arm 3"]
    with pytest.raises(ComparisonError, match=r"arm 3 has not been measured after \d epochs"):
        at_first_rung(entrants, measured)


def test_entrants_need_names_of_their_own():
    with pytest.raises(ComparisonError, match="2 entrants, 1 names"):
        race([Entrant("a", 1), Entrant("a", 2)], lambda heats: {}, rules=Rules())
