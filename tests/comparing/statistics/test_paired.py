"""The interval of a paired difference: its formula, its limits, and its laws."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from arms import arms
from glocal.comparing.statistics.crossed import mean_squares
from glocal.comparing.statistics.paired import paired_difference

SHAPES = st.tuples(st.integers(1, 6), st.integers(2, 30))
TWO_ARMS = SHAPES.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))
FRACTIONS = st.tuples(st.integers(2, 5), st.integers(2, 12)).flatmap(
    lambda shape: st.tuples(*[arrays(np.float64, shape, elements=st.floats(0, 1, width=16))] * 2)
)


def by_hand(a, b, level):
    """The contract's a, b and c in loops, and the decision's degrees of freedom: (mean, V, df, low, high)."""
    D = [[float(x) - float(y) for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)]
    k, n = len(D), len(D[0])
    m = sum(map(sum, D)) / (k * n)
    r = [sum(row) / n for row in D]
    q = [sum(D[s][i] for s in range(k)) / k for i in range(n)]
    seeds = sum((x - m) ** 2 for x in r) / (k - 1) / k
    pictures = sum((x - m) ** 2 for x in q) / (n - 1) / n
    noise = (
        sum((D[s][i] - r[s] - q[i] + m) ** 2 for s, i in product(range(k), range(n))) / ((k - 1) * (n - 1)) / (k * n)
    )
    V = max(seeds + max(pictures - noise, 0), 2 / (k * (n + 2) ** 2))
    upper, rest = seeds * (k - 1) / stats.chi2.ppf((1 - level) ** 0.5, k - 1), V - seeds
    df = min((upper + rest) ** 2 / (upper**2 / (k - 1) + rest**2 / (n - 1)), n - 1)
    half = stats.t.ppf(0.5 + level / 2, df) * V**0.5
    return m, V, df, max(m - half, -1), min(m + half, 1)


@settings(deadline=None)
@given(FRACTIONS)
def test_the_interval_is_the_formula_written_out(given_arms):
    found = paired_difference(*given_arms)
    assert (found.mean, found.variance, found.df(0.9), *found.interval(0.9)) == pytest.approx(by_hand(*given_arms, 0.9))


@settings(deadline=None)
@given(TWO_ARMS)
def test_exchanging_the_arms_changes_the_sign_and_nothing_else(given_arms):
    a, b = given_arms
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.mean == pytest.approx(-other.mean)
    assert one.interval() == pytest.approx(tuple(-end for end in reversed(other.interval())))
    assert (one.variance, one.df(), one.p_value) == pytest.approx((other.variance, other.df(), other.p_value))
    assert one.spread == other.spread
    assert one.pairing == other.pairing


@settings(deadline=None)
@given(TWO_ARMS, st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_of_pictures_does_not_matter(given_arms, random):
    a, b = given_arms
    seeds = random.sample(range(len(a)), len(a))
    pictures = random.sample(range(a.shape[1]), a.shape[1])
    one, other = paired_difference(a, b), paired_difference(a[seeds][:, pictures], b[seeds][:, pictures])
    assert (one.mean, one.variance, one.df()) == pytest.approx((other.mean, other.variance, other.df()))


@settings(deadline=None)
@given(TWO_ARMS, st.floats(0.01, 0.999))
def test_the_interval_excludes_zero_just_where_the_p_value_is_below_its_level(given_arms, level):
    found = paired_difference(*given_arms)
    low, high = found.interval(level)
    assert low <= found.mean <= high
    if abs(found.p_value - (1 - level)) > 1e-9:
        assert (low > 0 or high < 0) == (found.p_value < 1 - level)


def test_an_arm_has_no_difference_to_itself():
    [a] = arms(1)
    found = paired_difference(a, a)
    assert found.mean == 0
    assert found.p_value == 1
    low, high = found.interval()
    assert low < 0 < high, "that 400 pictures agree does not prove that all do"
    assert high < 0.005


def test_with_equal_pictures_it_is_students_interval_of_the_seeds():
    by_seed = np.array([0.9, 0.5, 0.7, 0.8])[:, None] * np.ones(300)
    found = paired_difference(by_seed, 0.6 * np.ones((4, 300)))
    expected = stats.ttest_1samp(by_seed[:, 0] - 0.6, 0).confidence_interval(0.95)
    assert found.interval() == pytest.approx(tuple(expected))
    assert found.df() == pytest.approx(3)
    assert found.spread.seed_sd == pytest.approx(by_seed[:, 0].std(ddof=1))
    assert found.spread.picture_sd == pytest.approx(0, abs=1e-9)


def test_with_equal_seeds_it_is_students_interval_of_the_pictures():
    a, b = arms(seeds=1, pictures=300, seed=3)
    found = paired_difference(np.repeat(a, 4, axis=0), np.repeat(b, 4, axis=0))
    expected = stats.ttest_rel(a[0].astype(float), b[0].astype(float)).confidence_interval(0.95)
    assert found.interval() == pytest.approx(tuple(expected))
    assert found.df() == pytest.approx(299)
    assert found.spread.seed_sd == 0


def test_one_seed_gives_the_interval_over_pictures_and_says_that_seeds_were_not_varied():
    a, b = arms(seeds=1, pictures=1000, seed=1, gap=0.3)
    found = paired_difference(a, b)
    assert not found.seeds_varied
    assert found.spread.seed_sd is None
    assert found.interval() == pytest.approx(tuple(stats.ttest_rel(1.0 * a[0], 1.0 * b[0]).confidence_interval(0.95)))
    # McNemar's comparison: only pictures count on which the arms disagree.
    alone, alone_b = (a & ~b).sum(), (b & ~a).sum()
    chi2 = (alone - alone_b) ** 2 / (alone + alone_b)
    assert found.mean == (alone - alone_b) / 1000
    assert found.p_value == pytest.approx(stats.chi2.sf(chi2, 1), abs=0.005)


@settings(deadline=None)
@given(FRACTIONS)
def test_the_mean_squares_add_up_to_all_that_varies(given_arms):
    x = given_arms[0] - given_arms[1]
    k, n = x.shape
    squares = mean_squares(x)
    parts = k * n * np.array([(k - 1) * squares.seeds, (n - 1) * squares.pictures, (k - 1) * (n - 1) * squares.noise])
    assert parts.sum() == pytest.approx(((x - x.mean()) ** 2).sum(), abs=1e-9)


def test_the_components_are_those_that_the_data_were_made_with():
    rng = np.random.default_rng(0)
    k, n = 200, 400
    made = 0.5 + rng.normal(0, 0.02, (k, 1)) + rng.normal(0, 0.05, n) + rng.normal(0, 0.03, (k, n))
    spread = paired_difference(made, np.full((k, n), 0.5)).spread
    assert (spread.seed_sd, spread.picture_sd, spread.noise_sd) == pytest.approx((0.02, 0.05, 0.03), rel=0.1)


@pytest.mark.parametrize("seed_sd", [0.02, 0.1])
def test_more_seeds_and_more_pictures_shrink_the_interval_on_average(seed_sd):
    def width(seeds, pictures):
        found = [arms(seeds=12, pictures=800, seed=seed, seed_sd=seed_sd) for seed in range(40)]
        intervals = [paired_difference(a[:seeds, :pictures], b[:seeds, :pictures]).interval() for a, b in found]
        return np.mean([high - low for low, high in intervals])

    by_seeds = [width(k, 800) for k in (3, 5, 8, 12)]
    by_pictures = [width(5, n) for n in (100, 200, 400, 800)]
    assert by_seeds == sorted(by_seeds, reverse=True)
    assert by_pictures == sorted(by_pictures, reverse=True)


def test_pairing_wins_what_the_arms_have_in_common():
    a, b = arms(seeds=8, pictures=2000, seed=2)
    found = paired_difference(a, b)
    apart = paired_difference(a, b[::-1, np.random.default_rng(0).permutation(2000)])
    assert found.pairing.over_pictures > 0.7, "both find the same pictures hard"
    assert abs(apart.pairing.over_pictures) < 0.1, "other pictures have nothing in common"
    assert apart.variance / found.variance == pytest.approx((1 - apart.pairing.overall) / (1 - found.pairing.overall))


def test_pairing_over_seeds_is_the_correlation_of_arms_that_vary_alike():
    rng = np.random.default_rng(0)
    together, apart = rng.normal(0, 0.05, (500, 1)), rng.normal(0, 0.05, (2, 500, 1))
    a, b = (0.5 + np.sqrt(0.6) * together + np.sqrt(0.4) * own + np.zeros(20) for own in apart)
    found = paired_difference(a, b).pairing
    assert found.over_seeds == pytest.approx(0.6, abs=0.08)
    assert found.over_seeds == pytest.approx(np.corrcoef(a[:, 0], b[:, 0])[0, 1], abs=0.02)


def test_pairing_of_arms_that_never_vary_is_undefined():
    found = paired_difference(np.ones((3, 10)), np.zeros((3, 10)))
    assert (found.pairing.overall, found.pairing.over_seeds, found.pairing.over_pictures) == (None, None, None)
    assert found.mean == 1
    assert found.interval().high == 1


def test_plain_data_survive_json():
    for seeds in (1, 4):
        data = paired_difference(*arms(seeds=seeds)).to_json()
        assert json.loads(json.dumps(data)) == data
        assert data["seeds_varied"] == (seeds > 1)
