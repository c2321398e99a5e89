"""The table of classes holds scikit-learn's numbers, and reads back."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from glocal.evaluation.per_class import COLUMNS, ClassScores, class_scores, macro_f1, to_csv, worst_first

CLASSES = tuple("abcdefgh")


def same(ours, theirs):
    """Equal to 1e-12; None is scikit-learn's NaN."""
    return np.isnan(theirs) if ours is None else ours == pytest.approx(theirs, abs=1e-12)


def assert_equal_to_sklearn(table, truth, predicted):
    values = precision_recall_fscore_support(truth, predicted, labels=range(8), average=None, zero_division=np.nan)
    by_name = {row.name: row for row in table}
    for name, precision, recall, f1, n in zip(CLASSES, *values, strict=True):
        if name not in by_name:
            assert n == 0
            continue
        row = by_name[name]
        assert row.n == n
        assert same(row.precision, precision)
        assert same(row.recall, recall)
        assert same(row.f1, f1)
    present = [i for i, n in enumerate(values[3]) if n]
    _, _, f1, _ = precision_recall_fscore_support(truth, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1(table) == pytest.approx(f1, abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 80), st.integers(1, 8), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_of_one_label_every_number_is_scikit_learns(n, k, right, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    predicted = np.where(rng.random(n) < right, truth, rng.integers(8, size=n))
    assert_equal_to_sklearn(class_scores(truth, predicted, CLASSES), truth, predicted)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.floats(0.05, 0.6), st.floats(0, 0.6), st.integers(0, 2**32 - 1))
def test_of_several_labels_every_number_is_scikit_learns(n, often, called, seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.random((n, 8)) < often, rng.random((n, 8)) < called
    truth[0, 0] = True  # without any label there is nothing to score
    assert_equal_to_sklearn(class_scores(truth, predicted, CLASSES), truth, predicted)


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_interval_is_wilsons(right, n):
    low, high = ClassScores("a", n, n, min(right, n)).recall_interval
    theirs = binomtest(min(right, n), n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert 0 <= low <= high <= 1


def test_a_class_without_pictures_that_was_predicted_has_no_recall_and_one_that_nobody_meant_is_left_out():
    assert class_scores(np.array([0, 0]), np.array([0, 2]), CLASSES) == (
        ClassScores("a", 2, 1, 1),
        ClassScores("c", 0, 1, 0),
    )
    assert ClassScores("c", 0, 1, 0).recall is None
    assert ClassScores("c", 0, 1, 0).recall_interval is None
    assert ClassScores("b", 3, 0, 0).precision is None


def test_the_worst_class_comes_first():
    table = (
        ClassScores("unseen", 0, 3, 0),
        ClassScores("fair", 4, 4, 3),
        ClassScores("bad", 2, 2, 0),
        ClassScores("worse", 9, 0, 0),
        ClassScores("good", 1, 1, 1),
    )
    assert [row.name for row in worst_first(table)] == ["worse", "bad", "fair", "good", "unseen"]


def test_json_and_csv_hold_every_number():
    table = (ClassScores('an "odd", name', 3, 4, 2), ClassScores("none", 0, 1, 0))
    assert tuple(ClassScores.from_json(row.to_json()) for row in table) == table
    first, second = csv.DictReader(io.StringIO(to_csv(table)))
    assert tuple(first) == COLUMNS
    assert first["class"] == 'an "odd", name'
    assert [float(first[name]) for name in ("precision", "recall", "f1")] == [0.5, 2 / 3, 4 / 7]
    assert (second["recall"], second["recall_low"], second["precision"]) == ("", "", "0.0")
