"""The ceiling of tau against simulation: normal worlds with a known spread and known noise."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from glocal.comparing.statistics.reliability import perfect_tau, reliability, repeated_tau
from glocal.errors import ComparisonError


def world(rng, *, networks=20, seeds=2, pictures=400, spread=0.03, seed_noise=0.015, own_taste=0.0):
    """Predictions of networks whose true accuracies have a spread, whose seeds have noise, on pictures that are hard for all."""
    truth = 0.6 + spread * rng.normal(size=networks)
    of_seed = seed_noise * rng.normal(size=(networks, seeds)) + 0.01 * rng.normal(size=seeds)
    hard, taste = 0.3 * rng.normal(size=pictures), own_taste * rng.normal(size=(networks, pictures))
    chance = truth[:, None, None] + of_seed[:, :, None] + hard + taste[:, None, :]
    return truth, rng.random(chance.shape) < chance


@pytest.mark.parametrize("r", [0.2, 0.5, 0.8, 0.95])
def test_the_formulas_are_the_taus_of_normal_measurements(r):
    rng = np.random.default_rng(0)
    perfect, repeated = [], []
    for _ in range(300):
        truth = rng.normal(size=40) * r**0.5
        first, second = (truth + rng.normal(size=40) * (1 - r) ** 0.5 for _ in range(2))
        perfect.append(kendalltau(truth, first).statistic)
        repeated.append(kendalltau(first, second).statistic)
    assert np.mean(perfect) == pytest.approx(perfect_tau(r), abs=0.02)
    assert np.mean(repeated) == pytest.approx(repeated_tau(r), abs=0.02)


def test_the_parts_are_those_of_the_world():
    rng = np.random.default_rng(1)
    found = [reliability(world(rng, networks=40, seeds=3)[1]) for _ in range(40)]
    # Clipped to [0, 1], the chances are flatter than they were set, by a tenth.
    assert np.mean([one.spread for one in found]) == pytest.approx(0.027, abs=0.003)
    binomial = (0.6 * 0.4 - 0.06) / 400  # pictures differ by 0.3, which is no noise: it is the same for all networks
    assert np.mean([one.seed_noise for one in found]) == pytest.approx((0.0135**2 + binomial) ** 0.5, abs=0.004)
    assert np.mean([one.picture_noise for one in found]) < 0.006


def test_the_interval_holds_the_reliability_in_most_worlds_and_so_does_the_ceiling():
    rng = np.random.default_rng(2)
    worlds = [world(rng, own_taste=0.1) for _ in range(200)]
    found = [reliability(right) for _, right in worlds]
    means = [right.mean((1, 2)) for _, right in worlds]
    true = np.corrcoef(np.concatenate([t - t.mean() for t, _ in worlds]), np.concatenate([m - m.mean() for m in means]))
    value = true[0, 1] ** 2  # the squared correlation of truth and measurement
    inside = np.mean([one.interval.low <= value <= one.interval.high for one in found])
    assert 0.9 <= inside <= 0.99
    tau = np.mean([kendalltau(truth, mean).statistic for (truth, _), mean in zip(worlds, means, strict=True)])
    assert tau == pytest.approx(perfect_tau(value), abs=0.03)
    assert np.mean([one.ceiling for one in found]) == pytest.approx(tau, abs=0.05)


def test_without_a_spread_there_is_nothing_to_rank():
    rng = np.random.default_rng(3)
    found = [reliability(world(rng, spread=0.0)[1]) for _ in range(30)]
    assert np.mean([one.ceiling < 0.4 for one in found]) > 0.6
    assert all(one.interval.low < 0.4 for one in found)


def test_more_seeds_raise_the_ceiling():
    rng = np.random.default_rng(4)
    few, many = (np.mean([reliability(world(rng, seeds=k)[1]).ceiling for _ in range(30)]) for k in (2, 8))
    assert many > few + 0.05


@pytest.mark.parametrize("shape", [(2, 2, 50), (5, 1, 50), (5, 50)])
def test_too_few_networks_or_seeds_are_refused(shape):
    with pytest.raises(ComparisonError, match="at least three networks and two seeds"):
        reliability(np.ones(shape))


def test_networks_that_are_all_alike_have_no_reliability():
    assert reliability(np.ones((4, 2, 50))).value == 0.0
