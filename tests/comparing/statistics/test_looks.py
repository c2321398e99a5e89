"""Looks at a growing number of seeds: when they end, what level each has, and several arms at different numbers of seeds."""

import json

import numpy as np
import pytest

from arms import arms
from glocal.comparing.statistics.compare import compare
from glocal.comparing.statistics.looks import Looks, compare_at_looks, compare_pairs_at_looks
from glocal.comparing.statistics.several import Pair, with_baseline
from glocal.comparing.statistics.verdicts import Outcome
from glocal.errors import ComparisonError


def test_an_experiment_that_ends_sooner_shares_the_level_among_fewer_looks():
    looks = Looks()
    assert [looks.up_to(most).at for most in (3, 4, 5, 12)] == [(3,), (3, 4), (3, 5), (3, 5, 8, 12)]
    assert [looks.up_to(most).level_each for most in (3, 5, 12)] == pytest.approx([0.95, 0.975, 0.9875])


def test_four_looks_have_98_75_percent_each():
    assert Looks().at == (3, 5, 8, 12)
    assert Looks().level_each == pytest.approx(0.9875)
    assert Looks(at=(4,), level=0.9).level_each == pytest.approx(0.9)


@pytest.mark.parametrize("gap", [0, 0.15, 1])
def test_looks_end_with_the_first_that_decides(gap):
    for seed in range(15):
        a, b = arms(seeds=12, seed=seed, gap=gap)
        found = compare_at_looks(a, b)
        *before, last = found.verdicts
        assert not any(verdict.decided for verdict in before)
        assert last.decided or len(found.verdicts) == 4
        assert found.next_seeds is None
        for seeds, verdict in zip(Looks().at, found.verdicts, strict=False):
            alone = compare(a[:seeds], b[:seeds], level=0.9875)
            assert (verdict.outcome, verdict.interval, verdict.more) == (alone.outcome, alone.interval, alone.more)
            assert verdict.p_value == pytest.approx(min(1, 4 * alone.p_value))


def test_a_look_needs_its_seeds():
    a, b = arms(seeds=12)
    for seeds, taken, following in ((3, 1, 5), (4, 1, 5), (5, 2, 8), (11, 3, 12), (12, 4, None)):
        found = compare_at_looks(a[:seeds], b[:seeds], margin=0)
        assert len(found.verdicts) == taken
        assert found.next_seeds == following
        assert f"look {taken} of 4" in found.sentence
        assert (f"the next is at {following} seeds" in found.sentence) == bool(following)


def test_seeds_that_come_later_change_no_look_that_was_taken():
    a, b = arms(seeds=12, seed=4)
    short, long = compare_at_looks(a[:5], b[:8]), compare_at_looks(a, b)
    assert long.verdicts[:2] == short.verdicts


def test_within_a_look_the_order_of_seeds_does_not_matter():
    a, b = arms(seeds=5, seed=5, gap=0.2)
    order = [2, 0, 1, 4, 3]
    one, other = compare_at_looks(a, b).verdict, compare_at_looks(a[order], b[order]).verdict
    assert one.interval == pytest.approx(other.interval)


def test_too_few_seeds_are_refused():
    with pytest.raises(
        ComparisonError, match=r"new and old have fewer than 3 seeds in common.*compare them once without looks"
    ):
        compare_at_looks(*arms(seeds=2), arm="new", baseline="old")


@pytest.mark.parametrize("at", [(), (1, 3), (3, 3), (5, 3)])
def test_looks_are_at_numbers_of_seeds_that_increase(at):
    with pytest.raises(ComparisonError, match="give numbers that increase, from at least 2"):
        Looks(at=at)


def test_the_level_of_all_looks_is_between_0_and_1():
    with pytest.raises(ComparisonError, match=r"level 95: .* such as 0.95"):
        Looks(level=95)


def test_looks_are_plain_data():
    data = compare_at_looks(*arms(seeds=8)).to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["looks_at"] == [3, 5, 8, 12]
    assert len(data["looks"]) == 3
    assert data["interval"] == data["looks"][-1]["interval"]


def several(seeds=12, **kwargs):
    return dict(zip(("tuned", "plain", "twin", "other"), arms(4, seeds=seeds, **kwargs), strict=True))


def test_arms_may_have_different_numbers_of_seeds():
    right = several(seed=1)
    right = {"tuned": right["tuned"][:2], "plain": right["plain"], "twin": right["twin"][:6], "other": right["other"]}
    found = compare_pairs_at_looks(right, with_baseline(right, "plain"), margin=0)
    assert Pair("tuned", "plain") not in found, "it has no look yet"
    assert len(found[Pair("twin", "plain")].verdicts) == 2
    assert len(found[Pair("other", "plain")].verdicts) == 4
    assert {verdict.comparisons for x in found.values() for verdict in x.verdicts} == {3}


def test_an_arm_that_was_told_apart_leaves_more_room_for_the_others():
    right = several(seed=1, gap=1.5, seed_sd=0.02)
    found = compare_pairs_at_looks(right, with_baseline(right, "plain"), margin=0)
    assert found[Pair("tuned", "plain")].verdicts[0].outcome is Outcome.BETTER
    first, second = found[Pair("twin", "plain")].verdicts[:2]
    assert first.level == pytest.approx(1 - 0.0125 / 3)
    assert second.level == pytest.approx(1 - 0.0125 / 3), "its interval stays simultaneous with the others"
    assert second.p_value <= 4 * 2 * second.difference.p_value + 1e-12, "its test is one of two that are left"


def test_adding_an_arm_never_makes_another_look_better():
    right = several(gap=0.3)
    pair = Pair("tuned", "plain")
    for seeds in (3, 5, 8, 12):
        some = {name: array[:seeds] for name, array in right.items()}
        alone = compare_pairs_at_looks(some, [pair])[pair].verdict
        among = compare_pairs_at_looks(some, with_baseline(some, "plain"))[pair].verdict
        assert among.p_value >= alone.p_value or among.difference.seeds > alone.difference.seeds
    assert np.isfinite(among.p_value)
