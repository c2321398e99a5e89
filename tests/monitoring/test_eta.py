"""The time left counts what is still to come, and holds where things take what they took."""

import pytest

from glocal.monitoring.eta import Eta, clock


def trained(eta, *, epochs, of, step_s, start_s=0.0, end_s=0.0, now=0.0):
    """Trains on a steady machine; yields (now, epoch, done) after each step."""
    for epoch in range(epochs):
        for done in range(1, of + 1):
            now += step_s(now) + (start_s if done == 1 else 0)
            eta.step(now, epoch=epoch, done=done, of=of, images=8, waited_s=step_s(now) / 4)
            yield now, epoch, done
        now += end_s
        eta.epoch(now)


def test_the_estimate_is_exact_on_a_steady_machine():
    epochs, of, step_s, start_s, end_s = 4, 10, 0.5, 0.3, 2.0
    total = epochs * (of * step_s + start_s + end_s)
    eta = Eta(0.0, epochs=epochs, val_size=10)
    for now, epoch, _ in trained(eta, epochs=epochs, of=of, step_s=lambda _: step_s, start_s=start_s, end_s=end_s):
        if epoch:
            assert eta.seconds_left(now) == pytest.approx(total - now)
    assert eta.seconds_left(total) == 0
    assert eta.step_s == pytest.approx(step_s)
    assert eta.images_per_s == pytest.approx(16)
    assert eta.data_wait == pytest.approx(1 / 4)


def test_before_the_first_validation_it_is_guessed_from_the_steps():
    eta = Eta(0.0, epochs=1, val_size=24)
    now = next(now for now, _, done in trained(eta, epochs=1, of=10, step_s=lambda _: 0.5) if done == 4)
    assert eta.seconds_left(now) == pytest.approx(6 * 0.5 + 24 * 0.5 / 8 / 3)


def test_while_validating_the_time_left_goes_down():
    eta = Eta(0.0, epochs=3, val_size=8)
    for now, epoch, done in trained(eta, epochs=3, of=10, step_s=lambda _: 0.5, end_s=4.0):
        if (epoch, done) == (1, 10):
            assert eta.seconds_left(now) - eta.seconds_left(now + 3.0) == pytest.approx(3.0)
            assert eta.seconds_left(now + 9.0) == pytest.approx(eta.seconds_left(now + 4.0))


def test_the_end_of_the_first_epoch_counts_only_as_far_as_others_will_have_it():
    eta = Eta(0.0, epochs=3, val_size=8)
    ends = {0: 9.0, 1: 2.5, 2: 2.5}  # loading libraries takes 6.5 s, once
    now = 0.0
    for epoch in range(3):
        for done in range(1, 11):
            now += 0.5
            eta.step(now, epoch=epoch, done=done, of=10, images=8, waited_s=0.0)
            if epoch:
                assert eta.seconds_left(now) == pytest.approx((10 - done) * 0.5 + 2.5 + (2 - epoch) * 7.5, abs=1.1)
        eta.validated(now + 2.0)
        now += ends[epoch]
        eta.epoch(now)


def test_a_machine_that_slows_down_moves_the_estimate():
    eta = Eta(0.0, epochs=1, val_size=0)
    steps = trained(eta, epochs=1, of=1000, step_s=lambda now: 0.1 if now < 20 else 0.4)
    now = next(now for now, _, done in steps if done == 400)
    assert eta.seconds_left(now) == pytest.approx(600 * 0.4, rel=0.02)


def test_the_first_step_of_an_epoch_is_no_measure_of_the_others():
    eta = Eta(0.0, epochs=2, val_size=0)
    assert eta.step(7.0, epoch=0, done=1, of=3, images=8, waited_s=6.0) is None
    assert eta.step_s == 7.0
    assert eta.step(8.0, epoch=0, done=2, of=3, images=8, waited_s=0.0) == 1.0
    assert (eta.step_s, eta.data_wait) == (1.0, 0.0)


def test_durations_read_like_a_clock():
    assert [clock(s) for s in (8.6, 754, 3723)] == ["0:09", "12:34", "1:02:03"]
