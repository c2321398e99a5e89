"""Several comparisons at once: Holm's correction, its intervals, and the pairs that are compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arms import arms
from glocal.comparing.statistics.compare import compare
from glocal.comparing.statistics.several import Pair, compare_pairs, holm, holm_levels, with_baseline, with_neighbours
from glocal.comparing.statistics.verdicts import Outcome
from glocal.errors import ComparisonError

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=7)


def rejected_by_closed_testing(p_values, alpha):
    """Holm's method by its definition: a hypothesis is rejected if Bonferroni rejects every set that holds it."""
    m = len(p_values)
    sets = [[i for i in range(m) if chosen >> i & 1] for chosen in range(1, 2**m)]
    kept = {i for some in sets if min(p_values[j] for j in some) > alpha / len(some) for i in some}
    return set(range(m)) - kept


@given(P_VALUES, st.floats(0.001, 0.3))
def test_holm_rejects_what_closed_testing_rejects(p_values, alpha):
    edges = [p * divisor for p in p_values for divisor in range(1, len(p_values) + 1)]
    if any(abs(edge - alpha) < 1e-9 for edge in edges):
        return  # equal up to rounding, on either side
    expected = rejected_by_closed_testing(p_values, alpha)
    assert {i for i, p in enumerate(holm(p_values)) if p <= alpha} == expected
    m = len(p_values)
    levels = holm_levels(p_values, level=1 - alpha)
    assert {i for i, p in enumerate(p_values) if p < 1 - levels[i]} == expected
    assert all(levels[i] == pytest.approx(1 - alpha / m) for i in set(range(m)) - expected)


def test_holm_of_a_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm_levels([0.01, 0.04, 0.03, 0.005], level=0.95) == pytest.approx((1 - 0.05 / 3, 0.9875, 0.9875, 0.9875))


@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_comparisons_does_not_matter(p_values, random):
    order = random.sample(range(len(p_values)), len(p_values))
    adjusted = holm(p_values)
    assert holm([p_values[i] for i in order]) == pytest.approx([adjusted[i] for i in order])
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))


def named(count=4, **kwargs):
    return dict(zip(("tuned", "plain", "twin", "other"), arms(count, **kwargs), strict=False))


def test_pairs_with_a_baseline_and_with_neighbours():
    assert with_baseline("abc", "b") == (("a", "b"), ("c", "b"))
    assert with_neighbours("abc") == (("b", "a"), ("c", "b"))


def test_intervals_agree_with_holms_decisions():
    decided = 0
    for seed in range(30):
        right = named(gap=0.5, seeds=5, seed=seed)
        for verdict in compare_pairs(right, with_baseline(right, "plain")).values():
            off_zero = verdict.interval.low > 0 or verdict.interval.high < 0
            assert off_zero == (verdict.p_value < 0.05) == (verdict.outcome in (Outcome.BETTER, Outcome.WORSE))
            assert verdict.level >= 0.95
            assert verdict.comparisons == 3
            assert "one of 3 comparisons" in verdict.sentence
            decided += off_zero
    assert decided > 10


def test_an_arm_alone_needs_no_correction():
    right = named(2, gap=0.5)
    [verdict] = compare_pairs(right, with_baseline(right, "plain")).values()
    alone = compare(right["tuned"], right["plain"], arm="tuned", baseline="plain")
    assert verdict.p_value == alone.p_value
    assert verdict.interval == pytest.approx(alone.interval)
    assert verdict.sentence == alone.sentence


def test_a_chain_finds_the_step_that_matters():
    tuned, plain, twin, other = arms(4, gap=0.8, pictures=1500)
    right = {"a": plain, "b": twin, "c": tuned, "d": other}
    found = compare_pairs(right, with_neighbours(right))
    assert found[Pair("c", "b")].outcome is Outcome.BETTER
    assert found[Pair("d", "c")].outcome is Outcome.WORSE
    assert found[Pair("b", "a")].outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "none of the arms tuned, plain, twin, other is compared with another"),
        ([Pair("tuned", "old")], "old is none of the arms: these are tuned, plain, twin, other"),
        ([Pair("twin", "twin")], "twin is compared with itself: give another baseline"),
        ([Pair("twin", "plain")] * 2, "twin is compared with plain twice"),
    ],
)
def test_pairs_that_are_none_are_refused(pairs, said):
    with pytest.raises(ComparisonError, match=said):
        compare_pairs(named(), pairs)


def test_a_baseline_is_one_of_two_arms_or_more():
    with pytest.raises(ComparisonError, match="resnet is none of the arms: name one of a, b as the baseline"):
        with_baseline("ab", "resnet")
    for pairs in (with_neighbours, lambda names: with_baseline(names, "a")):
        with pytest.raises(ComparisonError, match="1 arm to compare: give at least two"):
            pairs("a")


def test_arms_of_other_pictures_are_refused_by_name():
    right = named() | {"twin": np.ones((5, 7), dtype=bool)}
    with pytest.raises(ComparisonError, match="twin has 5 seeds x 7 pictures and plain 5 x 400"):
        compare_pairs(right, with_baseline(right, "plain"))
