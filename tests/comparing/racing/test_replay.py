"""The policy of `glocal pick` on the table of real trainings: it picks well at a share of the cost, and always alike."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from glocal.picking.settings import PickSettings

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "pick.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("benchmarks_pick", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def everything(bench):
    return list(bench.worlds(bench.read_benches(bench.TABLE), 4, subset=False, seed=0))


def test_the_table_has_two_data_sets_with_24_candidates_or_more(bench):
    benches = bench.read_benches(bench.TABLE)
    assert {each.name for each in benches} == {"cifar", "digits"}
    for each in benches:
        assert len(each.candidates) >= 24
        assert each.right.shape[2] == each.horizon
        assert (each.test.mean((1, 2)) > 0.1).all()
        assert (each.epoch_s > 0).all()


def test_replays_are_the_same_each_time_and_stay_within_their_budget(bench, everything):
    policy = bench.replayed_pick(PickSettings(), 0.4)
    first, second = (bench.run(policy, everything, seed=0) for _ in range(2))
    assert np.array_equal(first.regrets, second.regrets)
    assert (first.shares <= 0.4 + 1e-9).all()


def test_with_time_enough_its_picks_are_near_the_best(bench, everything):
    found = bench.run(bench.replayed_pick(PickSettings(), 0.6), everything, seed=0)
    assert np.median(found.regrets) <= 1.0
    assert np.quantile(found.regrets, 0.9) <= 2.0


def test_it_beats_a_fixed_network_and_the_best_after_one_epoch(bench, everything):
    picks = bench.run(bench.replayed_pick(PickSettings(), 0.6), everything, seed=0)
    for other in (bench.fixed_network, bench.after_one_epoch):
        assert picks.regrets.mean() < bench.run(other, everything, seed=0).regrets.mean()
