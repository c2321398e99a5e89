"""Paths are a function of seed and step, drawn alike; a supernet's training can be killed between any two steps."""

import random
from collections import Counter

import pytest
from scipy.stats import chisquare

from glocal.design import cost, decide
from glocal.errors import RecipeError
from glocal.families.glit_spaces import Grounds, details, distribution
from glocal.searching.limits import Limits
from glocal.searching.oneshot import Paths, check_recipe
from glocal.training.recipe import Recipe

SPACE = distribution("space", Grounds(12, 3, 3, (3, 5, 7), 8, 32, 10))
DETAILS = details("details", Grounds(12, 3, 3, (3, 5, 7), 8, 32, 10), (0, 3, 1))


def test_the_path_of_a_step_is_the_same_whenever_it_is_asked_for():
    paths = Paths(SPACE, seed=3)
    steps = random.Random(0).sample(range(10_000), 200)
    assert [Paths(SPACE, seed=3).at(step) for step in steps] == [paths.at(step) for step in steps]
    assert [Paths(SPACE, seed=4).at(step) for step in steps] != [paths.at(step) for step in steps]


def test_every_option_of_every_block_is_drawn_equally_often():
    """By a chi-squared test of 20,000 steps; the seed is fixed, so it passes or fails for good."""
    drawn = [Paths(SPACE, seed=0).at(step) for step in range(20_000)]
    for block in range(3):
        counts = Counter(answers[block] for answers in drawn)
        assert sorted(counts) == [0, 1, 2, 3]
        assert chisquare([*counts.values()]).pvalue > 0.01
    pairs = Counter((answers[0], answers[2]) for answers in drawn)
    assert len(pairs) == 16
    assert chisquare([*pairs.values()]).pvalue > 0.01


def test_in_bins_small_and_large_networks_are_drawn_as_often_as_middling_ones():
    def spread(paths: Paths) -> float:
        macs = [cost(decide(DETAILS, paths.at(step))).macs for step in range(400)]
        low, high = min(macs), max(macs)
        thirds = Counter(min(2, int(3 * (m - low) / (high - low))) for m in macs)
        return max(thirds.values()) / min(thirds.values())

    assert spread(Paths(DETAILS, seed=0, bins=6)) < spread(Paths(DETAILS, seed=0)) / 1.5


def test_bins_lie_within_the_limits():
    free = sorted(cost(decide(DETAILS, Paths(DETAILS, 0).at(step))).macs for step in range(300))
    most = free[150]
    paths = Paths(DETAILS, seed=0, bins=4, limits=Limits(max_macs=most))
    within = sum(cost(decide(DETAILS, paths.at(step))).macs <= most for step in range(200))
    assert within > 190


def test_the_watched_paths_hold_the_smallest_and_the_largest_and_rise():
    watched = Paths(SPACE, seed=0).watched(8)
    macs = [cost(decide(SPACE, answers)).macs for answers in watched]
    assert len(watched) == len({*watched}) == 8
    assert macs == sorted(macs)
    every = [cost(decide(SPACE, (a, b, c))).macs for a in range(4) for b in range(4) for c in range(4)]
    assert (macs[0], macs[-1]) == (min(every), max(every))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"opt": "muon"}, "--opt muon: it steps whole tensors"),
        ({"ema": 0.9}, "--ema 0.9"),
        ({"layer_decay": 0.5}, "--layer-decay 0.5"),
        ({"frozen_epochs": 1}, "frozen_epochs 1"),
        ({"teacher": "timm:x"}, "--teacher timm:x"),
    ],
)
def test_what_a_supernet_cannot_follow_is_refused(changes, said):
    with pytest.raises(RecipeError, match=said):
        check_recipe(Recipe().merged(changes))
