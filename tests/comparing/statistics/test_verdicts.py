"""Verdicts: which outcome follows from which interval, what would decide, and what the reader is told."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arms import arms
from glocal.comparing.statistics.compare import compare, verdict_on
from glocal.comparing.statistics.more import MOST_SEEDS, MoreData, more_data
from glocal.comparing.statistics.paired import Interval, PairedDifference, Pairing, Spread, paired_difference
from glocal.comparing.statistics.verdicts import Outcome, outcome_of
from glocal.errors import ComparisonError

OPPOSITE = {Outcome.BETTER: Outcome.WORSE, Outcome.WORSE: Outcome.BETTER}
METHODS = {Outcome.BETTER, Outcome.WORSE, Outcome.EQUAL}
ENDS = st.floats(-0.1, 0.1)


def difference(mean, *, seeds=5, pictures=2000, seed_sd=0.005, picture_sd=0.1, noise_sd=0.3):
    """A difference whose components are given."""
    noise = noise_sd**2 / (seeds * pictures)
    total = seed_sd**2 / seeds + picture_sd**2 / pictures + noise
    spread = Spread(seed_sd=seed_sd, picture_sd=picture_sd, noise_sd=noise_sd)
    return PairedDifference(
        mean=mean,
        variance=total,
        variance_over_seeds=seed_sd**2 / seeds + noise,
        seeds=seeds,
        pictures=pictures,
        spread=spread,
        pairing=Pairing(0.5, 0.5, 0.5),
    )


@given(ENDS, ENDS, st.floats(0, 0.05))
def test_the_outcome_is_where_the_interval_lies(one, other, margin):
    low, high = sorted((one, other))
    outcome = outcome_of(Interval(low, high), margin=margin)
    assert (outcome is Outcome.BETTER) == (low > 0)
    assert (outcome is Outcome.WORSE) == (high < 0)
    if outcome is Outcome.EQUAL:
        assert -margin < low <= 0 <= high < margin
    mirrored = outcome_of(Interval(-high, -low), margin=margin)
    assert mirrored is OPPOSITE.get(outcome, outcome)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 5]), st.floats(-1, 1))
def test_exchanging_the_arms_exchanges_better_and_worse(seed, seeds, gap):
    a, b = arms(seeds=seeds, seed=seed, gap=gap)
    one, other = compare(a, b), compare(b, a)
    runs = {Outcome.BETTER_RUN: Outcome.WORSE_RUN, Outcome.WORSE_RUN: Outcome.BETTER_RUN}
    assert other.outcome is (OPPOSITE | runs).get(one.outcome, one.outcome)
    assert one.more == other.more


def test_each_outcome_is_reached_and_says_so():
    a, b = arms(seeds=6, pictures=2000, gap=0.5)
    better, worse = compare(a, b, arm="new", baseline="old"), compare(b, a, arm="old", baseline="new")
    points = f"{100 * better.difference.mean:.2f} points"
    assert better.sentence.startswith(
        f"new is better than old by {points}: with 95 % confidence the difference is between +"
    )
    assert worse.sentence.startswith(
        f"old is worse than new by {points}: with 95 % confidence the difference is between -"
    )
    assert better.sentence.endswith("(6 seeds, 2,000 pictures).")
    equal = compare(a, a, arm="new", baseline="same")
    assert equal.outcome is Outcome.EQUAL
    assert "new and same are practically equal" in str(equal)
    assert "inside the margin of 0.50 points" in str(equal)
    unclear = compare(*arms(seeds=3, seed=1), arm="new", baseline="old")
    assert unclear.outcome is Outcome.UNDECIDED
    assert unclear.sentence.startswith("It cannot be told whether new is better or worse than old")


@pytest.mark.parametrize("gap", [-2, 0, 2])
def test_of_one_seed_no_verdict_claims_anything_of_the_methods(gap):
    for seed in range(20):
        verdict = compare(*arms(seeds=1, pictures=1000, seed=seed, gap=gap))
        assert verdict.outcome not in METHODS
        assert "Seeds were not varied" in verdict.sentence
        assert "train both with at least 3 seeds" in verdict.sentence
        assert verdict.more is None
        if gap:
            assert verdict.outcome is (Outcome.BETTER_RUN if gap > 0 else Outcome.WORSE_RUN)


def test_equal_runs_are_called_equal_runs():
    [a] = arms(1, seeds=1, pictures=2000)
    assert compare(a, a).outcome is Outcome.EQUAL_RUNS
    assert "These runs" in compare(a, a).sentence


def test_a_real_difference_below_the_margin_is_called_so():
    found = verdict_on(difference(0.003, seed_sd=0, picture_sd=0.01, noise_sd=0.01), arm="a", baseline="b", margin=0.01)
    assert found.outcome is Outcome.BETTER
    assert found.sentence.endswith("The difference is real, and smaller than the margin of 1.00 points.")


def test_more_seeds_are_asked_for_where_seeds_vary_and_would_decide():
    found = verdict_on(difference(0.005, seed_sd=0.01, picture_sd=0.01), arm="a", baseline="b")
    assert found.outcome is Outcome.UNDECIDED
    assert f"About {found.more.seeds} more seeds would probably tell" in found.sentence


def test_more_pictures_are_asked_for_where_seeds_cannot_help():
    found = verdict_on(difference(0.003, seed_sd=0, picture_sd=0.2, noise_sd=0.01), arm="a", baseline="b", margin=0.001)
    assert found.more.seeds is None
    assert found.more.pictures > 10_000
    assert "more pictures would probably tell; more seeds alone would not" in found.sentence


def test_both_are_asked_for_where_neither_alone_helps():
    found = verdict_on(difference(0.007, seed_sd=0.01, picture_sd=0.3), arm="a", baseline="b")
    assert (found.more.seeds, found.more.pictures) == (None, None)
    seeds, pictures = found.more.together
    assert seeds / 5 == pytest.approx(pictures / 2000, rel=0.01)
    assert f"About {seeds} more seeds together with about " in found.sentence
    assert found.sentence.endswith("would probably tell; neither alone would.")
    larger = difference(0.007, seeds=5 + seeds, pictures=2000 + pictures, seed_sd=0.01, picture_sd=0.3)
    assert verdict_on(larger, arm="a", baseline="b").outcome is Outcome.BETTER


def test_nothing_is_promised_of_a_difference_that_nobody_could_tell():
    found = verdict_on(difference(0.0001, seed_sd=0.02, picture_sd=0.4), arm="a", baseline="b", margin=0.0001)
    assert found.more == MoreData(None, None, None)
    assert "Even 100 seeds would probably not tell" in found.sentence


@pytest.mark.parametrize("mean", [0.004, 0.006, 0.008])
def test_the_number_of_seeds_asked_for_decides_about_four_times_in_five(mean):
    """On normal data with the components that the difference was found to have."""
    found = difference(mean, seeds=3, pictures=300, seed_sd=0.006, picture_sd=0.02, noise_sd=0.05)
    seeds, n = 3 + more_data(found, level=0.95, margin=0).seeds, found.pictures
    rng, decided = np.random.default_rng(0), 0
    for _ in range(200):
        by_seed = rng.normal(0, 0.006, (seeds, 1))
        x = 0.5 + mean + by_seed + rng.normal(0, 0.02, n) + rng.normal(0, 0.05, (seeds, n))
        decided += compare(x, np.full((seeds, n), 0.5), margin=0).outcome is Outcome.BETTER
    assert 0.7 < decided / 200 < 0.95


@given(st.floats(0.001, 0.02), st.floats(0.002, 0.02), st.floats(1.1, 3))
def test_the_nearer_the_answer_the_fewer_seeds_it_takes(mean, seed_sd, factor):
    def needed(mean, seed_sd):
        return more_data(difference(mean, seed_sd=seed_sd, picture_sd=0), level=0.95, margin=0).seeds or math.inf

    assert needed(factor * mean, seed_sd) <= needed(mean, seed_sd) <= needed(mean, factor * seed_sd)
    assert 1 <= needed(mean, seed_sd) <= MOST_SEEDS or needed(mean, seed_sd) == math.inf


def test_more_pictures_than_there_could_be_are_not_asked_for():
    found = difference(0.0001, pictures=2_000_000, seed_sd=0.01)
    assert more_data(found, level=0.95, margin=0).pictures is None


def test_a_verdict_is_plain_data():
    for seeds in (1, 3):
        verdict = compare(*arms(seeds=seeds, seed=1), arm="a", baseline="b")
        data = json.loads(json.dumps(verdict.to_json()))
        assert data == verdict.to_json()
        assert data["outcome"] == verdict.outcome == str(verdict.outcome)
        assert data["interval"] == {"low": verdict.interval.low, "high": verdict.interval.high}
        assert data["sentence"] == str(verdict)
        assert data["difference"]["seeds"] == seeds


def test_a_higher_level_never_decides_what_a_lower_one_does_not():
    for seed in range(30):
        found = paired_difference(*arms(seeds=4, seed=seed, gap=0.2))
        low, high = (verdict_on(found, arm="a", baseline="b", level=level) for level in (0.9, 0.99))
        assert high.interval.low < low.interval.low < low.interval.high < high.interval.high
        assert low.decided or not high.decided


@pytest.mark.parametrize("margin", [-0.1, 1, float("nan")])
def test_a_margin_is_a_fraction(margin):
    with pytest.raises(ComparisonError, match=f"margin {margin}.*such as 0.005"):
        compare(*arms(), margin=margin)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_between_0_and_1(level):
    with pytest.raises(ComparisonError, match=f"level {level}.*such as 0.95"):
        compare(*arms(), level=level)
