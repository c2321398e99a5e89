"""What is out of the ordinary is told once, with the number and what is usual; what is ordinary is not."""

import math

import numpy as np

from glocal.monitoring.alerts import Alerts


def found_in(losses, *, took_s=0.1, norms=None, waited_s=None):
    alerts, took = Alerts(), took_s if callable(took_s) else lambda _: took_s
    return [
        (i, kind, text)
        for i, loss in enumerate(losses)
        for kind, text in alerts.step(
            loss=loss, took_s=took(i), waited_s=waited_s, grad_norm=norms[i] if norms is not None else None
        )
    ]


def test_a_spike_of_the_loss_is_told_once_with_what_is_usual():
    losses = [2.0] * 60
    losses[30] = losses[31] = losses[40] = 9.0
    assert found_in(losses) == [(30, "loss", "the loss is 9, 4.5 times its running median (2)")]


def test_losses_as_they_are_cause_no_alarm():
    rng = np.random.default_rng(0)
    falling = 2.3 * np.exp(-np.arange(2000) / 300)
    assert not found_in(falling * rng.lognormal(0, 0.3, 2000))  # near 0 many a batch has three times the median
    assert not found_in([1.0, *[5.0] * 5, *[1.0] * 5])  # too few to say what is usual


def test_a_gradient_ten_times_as_long_is_told_where_gradients_are_known():
    norms = [1.0] * 40
    norms[25] = 40.0
    assert found_in([1.0] * 40, norms=norms) == [
        (25, "gradient", "the gradient norm is 40, 40 times its running median (1)")
    ]
    norms[25] = math.inf
    assert [kind for _, kind, _ in found_in([1.0] * 40, norms=norms)] == ["gradient"]


def test_half_the_speed_is_told_with_the_share_that_waited_for_pictures():
    found = found_in([1.0] * 200, took_s=lambda i: 0.1 if i < 100 else 0.25, waited_s=0.2)
    assert [(kind, i > 100) for i, kind, _ in found] == [("speed", True)]
    assert (
        "2.5 times its running median (0.1 s); 80% of the last one was spent waiting for pictures: try more --workers"
        in found[0][2]
    )
    assert not found_in([1.0] * 200, took_s=lambda i: 0.4 if i % 9 == 0 else 0.1), "one slow step in nine"


def test_a_validation_loss_that_stays_a_tenth_above_its_lowest_is_told_once():
    alerts = Alerts([0.5])
    found = [alerts.epoch(loss) for loss in (0.54, 0.53, 0.54, 0.56, 0.6, 0.4, 0.41, 0.5, 0.43, 0.45)]
    assert [i for i, text in enumerate(found) if text] == [3, 9]
    assert found[3] == "the validation loss is 0.560; it was 0.500 4 epochs ago"
