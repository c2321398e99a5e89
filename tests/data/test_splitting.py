"""Laws of the split: nothing in both, every class alike, groups whole, the same seed the same split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glocal.data.splitting import VAL_MOST, held_out, joined

seeds = st.integers(-(2**40), 2**40)
labelled = st.lists(st.integers(0, 4), min_size=1, max_size=200).map(np.array)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    labels = draw(labelled)
    groups = draw(st.lists(st.integers(0, 30), min_size=len(labels), max_size=len(labels)))
    return labels, np.array(groups)


@given(labelled, seeds)
def test_every_class_gives_its_share_and_keeps_a_picture(labels: np.ndarray, seed: int):
    val = held_out(labels, np.arange(len(labels)), seed=seed)
    for c, n in enumerate(np.bincount(labels)):
        assert val[labels == c].sum() == min(max(n // 5, 1), max(n - 1, 0))


@given(grouped(), seeds, st.floats(0.01, 0.99))
def test_no_group_is_divided_and_no_class_leaves_train(
    drawn: tuple[np.ndarray, np.ndarray], seed: int, fraction: float
):
    labels, groups = drawn
    val = held_out(labels, groups, seed=seed, fraction=fraction)
    assert all(len(set(val[groups == group])) == 1 for group in set(groups))
    assert set(labels[~val]) == set(labels)


@given(grouped(), seeds)
def test_the_same_seed_gives_the_same_split(drawn: tuple[np.ndarray, np.ndarray], seed: int):
    assert (held_out(*drawn, seed=seed) == held_out(*drawn, seed=seed)).all()


def test_another_seed_gives_another_split():
    labels = np.arange(1000) % 10
    first, second = (held_out(labels, np.arange(1000), seed=seed) for seed in (0, 1))
    assert first.sum() == second.sum() == 200
    assert 20 < (first & second).sum() < 80  # 40 by chance


def test_a_class_of_large_groups_is_measured_by_its_smallest():
    labels, groups = np.zeros(30, dtype=np.int64), np.repeat([0, 1, 2], [16, 8, 6])
    assert held_out(labels, groups, seed=0, fraction=0.1).tolist() == (groups == 2).tolist()


def test_val_takes_no_more_than_it_needs():
    labels = np.arange(60_000) % 10
    assert held_out(labels, np.arange(60_000), seed=0).sum() == VAL_MOST


@pytest.mark.parametrize(
    ("one", "two", "together"),
    [([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]), ([0, 0, 2, 3], [0, 1, 1, 3], [0, 0, 0, 3]), ([], [], [])],
)
def test_what_either_partition_joins_is_joined(one: list[int], two: list[int], together: list[int]):
    assert joined(np.array(one, dtype=np.int64), np.array(two, dtype=np.int64)).tolist() == together
