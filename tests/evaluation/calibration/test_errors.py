"""Calibration errors are what their names say: scikit-learn's where it has them, and counted plainly where not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from glocal.evaluation.calibration.errors import BINS, Calibration, calibration, ece_by_chance, rms_debiased


def drawn(n, k, seed, *, scale=2.0):
    rng = np.random.default_rng(seed)
    return torch.tensor(scale * rng.standard_normal((n, k))), torch.tensor(rng.integers(k, size=n))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 80), st.integers(3, 6), st.integers(0, 2**32 - 1))
def test_likelihood_and_brier_score_are_scikit_learns(n, k, seed):
    logits, labels = drawn(n, k, seed)
    found, p = calibration(logits, labels), logits.softmax(1).numpy()
    assert found.nll == pytest.approx(log_loss(labels, p, labels=range(k)), abs=1e-12)
    brier = brier_score_loss(labels, p, labels=range(k), scale_by_half=False)
    assert found.brier == pytest.approx(brier, abs=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 80), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_expected_calibration_error_is_a_plain_count(n, k, seed):
    logits, labels = drawn(n, k, seed)
    confidence, predicted = logits.softmax(1).max(1)
    total = 0.0
    for i in range(BINS):
        inside = [j for j, c in enumerate(confidence.tolist()) if i / BINS < c <= (i + 1) / BINS]
        if inside:
            accuracy = np.mean([predicted[j] == labels[j] for j in inside])
            total += len(inside) / n * abs(accuracy - np.mean([float(confidence[j]) for j in inside]))
    assert calibration(logits, labels).ece == pytest.approx(total, abs=1e-12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_of_several_labels_every_label_counts(n, k, seed):
    rng = np.random.default_rng(seed)
    logits, hot = rng.standard_normal((n, k)), (rng.random((n, k)) < 0.4).astype(np.float32)
    found, p = calibration(torch.tensor(logits), torch.tensor(hot)), 1 / (1 + np.exp(-logits))
    assert found.n == n * k
    assert found.nll == pytest.approx(log_loss(hot.ravel(), p.ravel(), labels=[0, 1]), abs=1e-12)
    assert found.brier == pytest.approx(np.mean((hot - p) ** 2), abs=1e-12)
    number = np.minimum((p * BINS).astype(int), BINS - 1).ravel()
    gaps = np.bincount(number, weights=(p - hot).ravel(), minlength=BINS)
    assert found.ece == pytest.approx(np.abs(gaps).sum() / (n * k), abs=1e-12)


def test_certain_and_right_is_no_error_and_certain_and_wrong_is_all_error():
    logits = 1000 * torch.eye(3)
    right, wrong = calibration(logits, torch.tensor([0, 1, 2])), calibration(logits, torch.tensor([1, 2, 0]))
    assert (right.ece, right.brier, right.nll, right.ece_by_chance) == (0, 0, 0, 0)
    assert (wrong.ece, wrong.brier) == (1, 2)
    assert [each.n for each in right.bins] == [3]


def test_outcomes_drawn_with_the_predicted_probabilities_show_the_error_of_chance():
    rng, errors = np.random.default_rng(1), []
    confidence = rng.uniform(0.3, 1, 300)
    expected = ece_by_chance(confidence)
    for _ in range(200):
        outcome = rng.random(300) < confidence
        number = np.ceil(confidence * BINS).astype(int) - 1
        errors.append(np.abs(np.bincount(number, weights=outcome - confidence)).sum() / 300)
    assert np.mean(errors) == pytest.approx(expected, rel=0.05)
    assert expected > 0.04, "which is why a small sample cannot show a small error"


def test_the_debiased_error_is_right_on_average_where_the_plain_one_is_too_high():
    rng, squared, plain = np.random.default_rng(0), [], []
    confidence = np.repeat((np.arange(15) + 1.5) / 18, 20)  # equal within each bin of equal n
    truth = confidence - 0.06
    for _ in range(400):
        outcome = rng.random(300) < truth
        parts = outcome.reshape(15, 20)
        shares = parts.mean(1)
        squared.append(np.mean((shares - confidence[::20]) ** 2 - shares * (1 - shares) / 19))
        plain.append(np.mean((shares - confidence[::20]) ** 2))
        assert rms_debiased(confidence, outcome) == pytest.approx(np.sqrt(max(0, squared[-1])), abs=1e-12)
    assert np.mean(squared) == pytest.approx(0.06**2, rel=0.1)
    assert np.mean(plain) > 3 * 0.06**2
    assert rms_debiased(confidence[:3], outcome[:3]) is None


def test_json_holds_every_number():
    found = calibration(*drawn(40, 3, 0))
    assert Calibration.from_json(found.to_json()) == found
