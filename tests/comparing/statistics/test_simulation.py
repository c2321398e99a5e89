"""Simulated experiments in which the truth is known; benchmarks/verdicts.py is their long form."""

import numpy as np
import pytest

from arms import experiments
from glocal.comparing.statistics.compare import compare
from glocal.comparing.statistics.crossed import floored_variance, half_width, mean_squares, students
from glocal.comparing.statistics.looks import Looks
from glocal.comparing.statistics.several import holm_levels
from glocal.comparing.statistics.verdicts import Outcome

WORLDS = 1500


def differences(seeds, pictures, *, seed_sd, seed):
    a, b = experiments(WORLDS, seeds=seeds, pictures=pictures, seed_sd=seed_sd, seed=seed)
    return np.subtract(a, b, dtype=np.float64)


def off_zero(x, *, level):
    seeds, pictures = x.shape[1:]
    squares = mean_squares(x)
    total = floored_variance(squares, seeds=seeds, pictures=pictures)
    return abs(squares.mean) > half_width(squares.seeds, total, seeds=seeds, pictures=pictures, alpha=1 - level)


@pytest.mark.parametrize("seed_sd", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("seeds", [2, 3, 5, 12])
def test_an_interval_of_95_percent_holds_the_truth_93_to_98_times_in_100(seeds, seed_sd):
    coverage = 1 - off_zero(differences(seeds, 400, seed_sd=seed_sd, seed=seeds), level=0.95).mean()
    assert 0.93 <= coverage <= 0.98


@pytest.mark.parametrize("seed_sd", [0.0, 0.05, 0.3])
def test_of_equal_arms_at_most_6_in_100_are_told_apart_at_any_look(seed_sd):
    x = differences(12, 400, seed_sd=seed_sd, seed=100)
    looks = Looks()
    false = np.any([off_zero(x[:, :seeds], level=looks.level_each) for seeds in looks.at], axis=0)
    assert false.mean() <= 0.06


def test_an_interval_over_seeds_alone_or_pictures_alone_would_be_too_short():
    """What makes the crossed interval necessary: the same data, either source of variation forgotten."""
    x = differences(5, 400, seed_sd=0.05, seed=7)
    squares = mean_squares(x)
    by_seeds = abs(squares.mean) > students(squares.seeds, np.float64(4), alpha=0.05)
    assert by_seeds.mean() > 0.06
    one = differences(1, 400, seed_sd=0.3, seed=7)[:, 0]
    by_pictures = abs(one.mean(-1)) > 1.96 * one.std(-1, ddof=1) / 20
    assert by_pictures.mean() > 0.2


@pytest.mark.parametrize("seed_sd", [0.0, 0.05, 0.3])
def test_of_four_equal_arms_at_most_6_in_100_sets_have_any_told_apart_at_any_look(seed_sd):
    """Holm's first step is one level for all four, and where all are equal whatever he rejects is false."""
    baseline, *others = experiments(WORLDS, 5, seeds=8, pictures=200, seed_sd=seed_sd, seed=200)
    looks, false = Looks(at=(3, 8)), np.zeros(WORLDS, dtype=bool)
    [level] = {*holm_levels([1.0] * 4, level=looks.level_each)}
    for other in others:
        x = np.subtract(other, baseline, dtype=np.float64)
        false |= np.any([off_zero(x[:, :seeds], level=level) for seeds in looks.at], axis=0)
    assert false.mean() <= 0.06


def test_the_functions_that_people_call_decide_as_the_simulation_does():
    a, b = experiments(60, seeds=5, pictures=200, gap=0.3, seed=300)
    off = off_zero(np.subtract(a, b, dtype=np.float64), level=0.95)
    found = [compare(x, y).outcome in (Outcome.BETTER, Outcome.WORSE) for x, y in zip(a, b, strict=True)]
    assert found == off.tolist()
    assert 10 < sum(found) < 50
