"""The temperature is the one with the highest likelihood, scales with the logits, and is used only where it helps."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.evaluation.calibration.errors import calibration
from glocal.evaluation.calibration.temperature import (
    CalibrationReport,
    choose_temperature,
    cross_fitted,
    describe,
    fit_temperature,
    report_calibration,
)


def drawn(n, k, seed, *, temperature=1.0):
    """Logits whose probabilities, after the temperature, are those that the labels are drawn with."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((n, k))
    p = torch.tensor(logits).softmax(1).numpy()
    labels = np.array([rng.choice(k, p=row) for row in p])
    return torch.tensor(logits * temperature), torch.tensor(labels)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(20, 200), st.integers(2, 6), st.floats(0.2, 5), st.integers(0, 2**32 - 1))
def test_no_other_temperature_has_a_higher_likelihood_and_it_scales_with_the_logits(n, k, scale, seed):
    logits, labels = drawn(n, k, seed)
    if (fitted := fit_temperature(logits, labels)) is None:
        return
    best = calibration(logits / fitted, labels).nll
    for other in (0.5, 0.9, 0.999, 1.001, 1.1, 2):
        assert best < calibration(logits / (fitted * other), labels).nll
    if 0.05 < fitted * scale < 20:
        assert fit_temperature(logits * scale, labels) == pytest.approx(fitted * scale, rel=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_it_is_the_temperature_that_the_labels_were_drawn_with(temperature):
    logits, labels = drawn(5000, 5, 0, temperature=temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)
    if temperature != 1:
        assert choose_temperature(logits, labels) == fit_temperature(logits, labels)


def test_several_labels_have_one_temperature_for_all():
    rng = np.random.default_rng(0)
    logits = torch.tensor(2 * rng.standard_normal((2000, 4)))
    hot = torch.tensor(rng.random((2000, 4))) < logits.sigmoid()
    assert fit_temperature(2 * logits, hot.float()) == pytest.approx(2, rel=0.05)


def test_where_every_picture_is_right_or_the_logits_know_nothing_there_is_none():
    logits, labels = torch.eye(4).double() * 3, torch.arange(4)
    assert fit_temperature(logits, labels) is None
    assert choose_temperature(logits, labels) == 1
    assert fit_temperature(-logits, labels) is None
    assert fit_temperature(torch.zeros(4, 4), labels) is None
    assert choose_temperature(logits[:1], labels[:1]) == 1


def test_a_temperature_that_does_not_help_unseen_pictures_is_not_used():
    """Of 12 pictures that are calibrated already, the fit follows chance."""
    used = 0
    for seed in range(60):
        logits, labels = drawn(12, 3, seed)
        if choose_temperature(logits, labels) != 1:
            used += 1
            assert cross_fitted(logits, labels).nll < calibration(logits, labels).nll
    assert used < 30


def test_each_half_is_measured_with_the_temperature_of_the_other():
    logits, labels = drawn(300, 4, 3, temperature=2.5)
    of_even, of_odd = (fit_temperature(logits[i::2], labels[i::2]) for i in (0, 1))
    scaled = logits.clone()
    scaled[0::2] /= of_odd
    scaled[1::2] /= of_even
    assert cross_fitted(logits, labels) == calibration(scaled, labels)


def test_a_report_is_honest_about_pictures_that_the_temperature_was_fitted_on():
    logits, labels = drawn(400, 4, 5, temperature=3)
    fitted = choose_temperature(logits, labels)
    here = report_calibration(logits, labels, temperature=fitted, fitted_here=True)
    elsewhere = report_calibration(logits, labels, temperature=fitted, fitted_here=False)
    assert here.honest == here.cross_fitted == cross_fitted(logits, labels)
    assert elsewhere.honest == elsewhere.after == calibration(logits / fitted, labels)
    assert here.honest.ece < here.before.ece
    assert "cross-fitted" in describe(here)
    assert "cross-fitted" not in describe(elsewhere)
    assert CalibrationReport.from_json(here.to_json()) == here
    assert CalibrationReport.from_json(elsewhere.to_json()) == elsewhere
    plain = report_calibration(logits, labels, temperature=1.0, fitted_here=True)
    assert (plain.cross_fitted, plain.before) == (None, plain.after)
    assert math.isclose(plain.before.nll, here.before.nll)
