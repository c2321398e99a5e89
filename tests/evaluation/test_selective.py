"""A threshold leaves open what is less probable, and what it says of held-out pictures is counted there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.errors import RecipeError
from glocal.evaluation.predictions import Predictions
from glocal.evaluation.selective import Threshold, at_threshold, choose_threshold, smallest_threshold
from glocal.intervals import count_interval


def held_out(n, seed, *, levels=20):
    """Predictions that are right as often as they say, of a few levels of confidence so that some are equal."""
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, levels + 1, n) / levels
    right = rng.random(n) < confidence
    return Predictions(
        ("a", "b"), tuple(map(str, range(n))), np.zeros(n, np.int64), (~right).astype(np.int64), confidence
    )


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("0.8", ("probability", 0.8)),
        ("80%", ("probability", 0.8)),
        (".5", ("probability", 0.5)),
        ("1", ("probability", 1.0)),
        ("auto:95%", ("accuracy", 0.95)),
        ("auto: 0.95", ("accuracy", 0.95)),
    ],
)
def test_a_threshold_is_a_probability_or_an_accuracy_to_reach(text, parsed):
    assert Threshold.parse(text) == parsed


@pytest.mark.parametrize("text", ["", "80", "-0.1", "0", "auto", "auto:", "auto:101%", "many", "0.8x"])
def test_anything_else_is_an_error_that_shows_what_is_possible(text):
    with pytest.raises(RecipeError, match=r"0\.8 or 80%.*auto:95%"):
        Threshold.parse(text)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_coverage_and_accuracy_are_plain_counts(n, threshold, seed):
    some = held_out(n, seed)
    found = at_threshold(some, threshold)
    kept = [i for i in range(n) if some.confidence[i] >= threshold]
    assert (found.n, found.kept) == (n, len(kept))
    assert found.right == sum(some.truth[i] == some.predicted[i] for i in kept)
    assert found.accuracy == (found.right / len(kept) if kept else None)
    assert f"{n:,} held-out pictures" in str(found)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(30, 300), st.sampled_from([0.5, 0.7, 0.8]), st.integers(0, 2**32 - 1))
def test_no_smaller_threshold_reaches_the_accuracy(n, accuracy, seed):
    some = held_out(n, seed)

    def reached(threshold):
        found = at_threshold(some, threshold)
        return found.kept and count_interval(found.right, found.kept)[0] >= accuracy

    able = [c for c in sorted(set(some.confidence)) if reached(c)]
    if not able:
        with pytest.raises(RecipeError, match="no threshold reaches"):
            smallest_threshold(some, accuracy)
        return
    found = smallest_threshold(some, accuracy)
    assert found.threshold == able[0]
    assert found.chosen_here
    assert "optimistic" in str(found)


def test_an_accuracy_needs_held_out_predictions_and_a_probability_does_not():
    assert choose_threshold("0.7", None) == (0.7, None)
    with pytest.raises(RecipeError, match="no held-out predictions"):
        choose_threshold("auto:90%", None)
    some = held_out(200, 0)
    threshold, found = choose_threshold("auto:70%", some)
    assert found == smallest_threshold(some, 0.7)
    assert threshold == found.threshold


def test_where_nothing_is_kept_no_accuracy_is_claimed():
    found = at_threshold(held_out(10, 0), 1.1)
    assert (found.kept, found.accuracy) == (0, None)
    assert "none is predicted" in str(found)
    assert found.to_json()["accuracy_interval"] == [0.0, 1.0]
