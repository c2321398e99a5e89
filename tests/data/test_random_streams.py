"""Numbers depend on their seed alone, and look random."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glocal.data.random_streams import Draws, balanced, order, repeated, sample_seeds

seeds = st.integers(-(2**70), 2**70)


def test_the_numbers_are_splitmix64():
    # The first outputs of the reference implementation for the seed 1234567.
    draws = Draws(1234567)
    assert [draws.word() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(seeds, st.integers(0, 10**6), st.integers(0, 300))
def test_an_order_is_a_permutation_that_the_seed_and_epoch_decide(seed: int, epoch: int, n: int):
    assert sorted(order(seed, epoch, n)) == list(range(n))
    assert (order(seed, epoch, n) == order(seed, epoch, n)).all()


@given(seeds, st.integers(0, 1000), st.integers(1, 50))
def test_the_seed_of_a_sample_does_not_depend_on_how_many_there_are(seed: int, epoch: int, n: int):
    assert (sample_seeds(seed, epoch, n) == sample_seeds(seed, epoch, 2 * n)[:n]).all()


def test_seeds_epochs_and_positions_do_not_repeat_one_another():
    words = np.concatenate([sample_seeds(seed, epoch, 500) for seed in range(20) for epoch in range(20)])
    assert len(np.unique(words)) == len(words)
    assert not (order(0, 0, 1000) == order(0, 1, 1000)).all()
    assert not (order(0, 0, 1000) == order(1, 0, 1000)).all()


def test_draws_are_uniform_in_their_range():
    draws = Draws(0)
    values = np.array([draws.uniform(-2, 3) for _ in range(10_000)])
    assert values.min() >= -2
    assert values.max() < 3
    assert abs(values.mean() - 0.5) < 0.05
    counts = np.bincount([draws.below(7) for _ in range(7_000)])
    assert len(counts) == 7
    assert counts.min() > 850


def test_neighbouring_pictures_are_shuffled_apart():
    near = np.abs(np.diff(order(0, 0, 10_000)))
    assert abs(near.mean() / 10_000 - 1 / 3) < 0.02  # of two uniform positions


@given(seeds, st.integers(0, 1000), st.integers(1, 2000), st.integers(1, 5))
def test_repeats_follow_one_another_at_the_head_of_the_order(seed: int, epoch: int, n: int, repeats: int):
    drawn = repeated(seed, epoch, n, repeats=repeats)
    assert len(drawn) == (n // 256 * 256 if n >= 256 else n)
    assert (drawn == order(seed, epoch, n)[np.arange(len(drawn)) // repeats]).all()


labels = st.lists(st.integers(0, 6), min_size=1, max_size=80).map(np.array)


@given(seeds, st.integers(0, 1000), labels)
def test_a_balanced_epoch_shows_every_class_equally_often(seed: int, epoch: int, labels: np.ndarray):
    drawn = balanced(seed, epoch, labels)
    counts = np.unique(labels[drawn], return_counts=True)[1]
    assert len(drawn) == len(labels)
    assert len(counts) == len(np.unique(labels))
    assert counts.max() - counts.min() <= 1


@given(seeds, labels)
def test_balanced_epochs_repeat_no_picture_before_all_of_its_class_were_shown(seed: int, labels: np.ndarray):
    shown = np.zeros(len(labels), int)
    for epoch in range(6):
        drawn = balanced(seed, epoch, labels)
        assert (drawn == balanced(seed, epoch, labels)).all()
        shown += np.bincount(drawn, minlength=len(labels))
        assert all(np.ptp(shown[labels == label]) <= 1 for label in np.unique(labels))
    each = [shown[labels == label].sum() for label in np.unique(labels)]
    assert max(each) - min(each) <= 1


def test_balanced_samples_are_in_random_order():
    labels = np.repeat([0, 1], 500)
    assert not (np.diff(labels[balanced(0, 0, labels)]) == 0).all()
    assert not (balanced(0, 0, labels) == balanced(0, 1, labels)).all()
