"""Paths are a function of seed and step, drawn alike; a supernet's training can be killed between any two steps."""

import random
from collections import Counter

import pytest
from scipy.stats import chisquare

from glocal.design import cost, decide
from glocal.design.limits import Limits
from glocal.errors import RecipeError
from glocal.families.spaces.glit import Grounds, details, distribution
from glocal.recipes.schema import Recipe
from glocal.searching.supernet.paths import UniformPaths, monitored
from glocal.searching.supernet.training import check_recipe

SPACE = distribution("space", Grounds(12, 3, 3, (3, 5, 7), 8, 32, 10))
DETAILS = details("details", Grounds(12, 3, 3, (3, 5, 7), 8, 32, 10), (0, 3, 1))


def test_the_path_of_a_step_is_the_same_whenever_it_is_asked_for():
    paths = UniformPaths(SPACE, seed=3)
    steps = random.Random(0).sample(range(10_000), 200)
    assert [UniformPaths(SPACE, seed=3).at(step) for step in steps] == [paths.at(step) for step in steps]
    assert [UniformPaths(SPACE, seed=4).at(step) for step in steps] != [paths.at(step) for step in steps]


def test_every_option_of_every_block_is_drawn_equally_often():
    """By a chi-squared test of 20,000 steps; the seed is fixed, so it passes or fails for good."""
    drawn = [UniformPaths(SPACE, seed=0).at(step)[0] for step in range(20_000)]
    for block in range(3):
        counts = Counter(answers[block] for answers in drawn)
        assert sorted(counts) == [0, 1, 2, 3]
        assert chisquare([*counts.values()]).pvalue > 0.01
    pairs = Counter((answers[0], answers[2]) for answers in drawn)
    assert len(pairs) == 16
    assert chisquare([*pairs.values()]).pvalue > 0.01


def test_in_bins_small_and_large_networks_are_drawn_as_often_as_middling_ones():
    def spread(paths: UniformPaths) -> float:
        macs = [cost(decide(DETAILS, paths.at(step)[0])).macs for step in range(400)]
        low, high = min(macs), max(macs)
        thirds = Counter(min(2, int(3 * (m - low) / (high - low))) for m in macs)
        return max(thirds.values()) / min(thirds.values())

    assert spread(UniformPaths(DETAILS, seed=0, bins=6)) < spread(UniformPaths(DETAILS, seed=0)) / 1.5


def test_bins_lie_within_the_limits():
    free = sorted(cost(decide(DETAILS, UniformPaths(DETAILS, 0).at(step)[0])).macs for step in range(300))
    most = free[150]
    paths = UniformPaths(DETAILS, seed=0, bins=4, limits=Limits(max_macs=most))
    within = sum(cost(decide(DETAILS, paths.at(step)[0])).macs <= most for step in range(200))
    assert within > 190


def test_the_monitored_paths_hold_the_smallest_and_the_largest_and_rise():
    chosen = monitored(SPACE, seed=0, n=8)
    macs = [cost(decide(SPACE, answers)).macs for answers in chosen]
    assert len(chosen) == len({*chosen}) == 8
    assert macs == sorted(macs)
    every = [cost(decide(SPACE, (a, b, c))).macs for a in range(4) for b in range(4) for c in range(4)]
    assert (macs[0], macs[-1]) == (min(every), max(every))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opt": "muon"}, "--opt muon: it updates whole tensors"),
        ({"ema": 0.9}, "--ema 0.9"),
        ({"layer_decay": 0.5}, "--layer-decay 0.5"),
        ({"frozen_epochs": 1}, "frozen_epochs 1"),
        ({"teacher": "timm:x"}, "--teacher timm:x"),
    ],
)
def test_settings_that_do_not_fit_a_supernet_are_refused(changes, message):
    with pytest.raises(RecipeError, match=message):
        check_recipe(Recipe().merged(changes))
