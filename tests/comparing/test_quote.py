"""What a study will take is the sum of its trainings, however many are trained at a time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glocal.comparing.quote import SHARE, Cost, StudyQuote, fitting_epochs, seeds_at_once
from glocal.comparing.settings import StudySettings
from glocal.errors import ComparisonError
from strategies import law

costs = st.lists(st.tuples(st.floats(0.01, 1e3), st.floats(0, 1e3), st.integers(1, 300)), min_size=1, max_size=8)


def quote(rows, workers=1):
    made = (Cost(f"t{i}", (f"arm {i}",), *row) for i, row in enumerate(rows))
    return StudyQuote(tuple(made), workers)


@law(100)
@given(costs, st.integers(1, 12), st.integers(1, 12))
def test_workers_divide_the_work_and_never_more_than_that(rows, workers, seeds):
    """One worker takes the sum; several take no less than their part of it, nor less than the longest training."""
    alone, together = quote(rows), quote(rows, workers)
    work = seeds * sum(cost.seconds for cost in alone.costs)
    assert alone.seconds(seeds) == pytest.approx(work)
    assert together.seconds(seeds) >= max(work / workers, *(cost.seconds for cost in alone.costs), 0.0) * (1 - 1e-9)
    assert together.seconds(seeds) <= work * (1 + 1e-9)
    assert together.seconds(seeds + 1) >= together.seconds(seeds) * (1 - 1e-9)


@law(50)
@given(costs, st.integers(1, 4))
def test_some_trainings_take_no_more_than_all(rows, workers):
    every = quote(rows, workers)
    names = [cost.name for cost in every.costs]
    assert every.seconds(3, trainings=[]) == 0
    assert quote(rows).seconds(3, trainings=names[:1]) == pytest.approx(3 * every.costs[0].seconds)
    assert every.seconds(3, trainings=names) == every.seconds(3)


def test_workers_that_would_wait_train_other_seeds():
    assert [seeds_at_once(workers, 2) for workers in (1, 2, 4, 5)] == [1, 1, 2, 2]
    rows = [(10.0, 0.0, 1), (10.0, 0.0, 1)]
    assert [quote(rows, workers).seconds(4) for workers in (1, 2, 4)] == [80, 40, 20]


def test_other_epochs_keep_what_does_not_grow_with_them():
    found = replace(quote([(2.0, 5.0, 10)]), costs=(Cost("t", ("arm",), 2.0, 5.0, 10, length=3.0),))
    assert found.with_epochs(4).costs[0].epochs == 12
    assert found.with_epochs(4).seconds(1) == 12 * 2.0 + 5.0


@law(50)
@given(costs, st.floats(10, 1e6), st.integers(1, 4))
def test_epochs_that_fit_are_as_many_as_fit(rows, budget_s, workers):
    rows = [(epoch_s, fixed_s, 20) for epoch_s, fixed_s, _ in rows]
    found, settings = quote(rows, workers), StudySettings(budget_s=budget_s)
    try:
        epochs = fitting_epochs(found, settings)
    except ComparisonError:
        assert found.with_epochs(1).seconds() > SHARE * budget_s
        return
    if epochs is None:
        assert found.seconds() <= SHARE * budget_s
    else:
        assert found.with_epochs(epochs).seconds() <= SHARE * budget_s < found.with_epochs(epochs + 1).seconds()
