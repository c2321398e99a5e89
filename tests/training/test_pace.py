"""The time left counts what is still to come, and holds where things take what they took."""

import pytest

from glocal.training.pace import Pace, clock


def trained(pace, *, epochs, of, step_s, start_s=0.0, end_s=0.0, now=0.0):
    """Trains on a steady machine; yields (now, epoch, done) after each step."""
    for epoch in range(epochs):
        for done in range(1, of + 1):
            now += step_s(now) + (start_s if done == 1 else 0)
            pace.step(now, epoch=epoch, done=done, of=of, images=8, waited_s=step_s(now) / 4)
            yield now, epoch, done
        now += end_s
        pace.epoch(now)


def test_the_estimate_is_exact_on_a_steady_machine():
    epochs, of, step_s, start_s, end_s = 4, 10, 0.5, 0.3, 2.0
    total = epochs * (of * step_s + start_s + end_s)
    pace = Pace(0.0, epochs=epochs, val_size=10)
    for now, epoch, _ in trained(pace, epochs=epochs, of=of, step_s=lambda _: step_s, start_s=start_s, end_s=end_s):
        if epoch:
            assert pace.seconds_left(now) == pytest.approx(total - now)
    assert pace.seconds_left(total) == 0
    assert pace.step_s == pytest.approx(step_s)
    assert pace.images_per_s == pytest.approx(16)
    assert pace.waits == pytest.approx(1 / 4)


def test_before_the_first_validation_it_is_guessed_from_the_steps():
    pace = Pace(0.0, epochs=1, val_size=24)
    now = next(now for now, _, done in trained(pace, epochs=1, of=10, step_s=lambda _: 0.5) if done == 4)
    assert pace.seconds_left(now) == pytest.approx(6 * 0.5 + 24 * 0.5 / 8 / 3)


def test_while_validating_the_time_left_goes_down():
    pace = Pace(0.0, epochs=3, val_size=8)
    for now, epoch, done in trained(pace, epochs=3, of=10, step_s=lambda _: 0.5, end_s=4.0):
        if (epoch, done) == (1, 10):
            assert pace.seconds_left(now) - pace.seconds_left(now + 3.0) == pytest.approx(3.0)
            assert pace.seconds_left(now + 9.0) == pytest.approx(pace.seconds_left(now + 4.0))


def test_the_end_of_the_first_epoch_counts_only_as_far_as_others_will_have_it():
    pace = Pace(0.0, epochs=3, val_size=8)
    ends = {0: 9.0, 1: 2.5, 2: 2.5}  # loading libraries takes 6.5 s, once
    now = 0.0
    for epoch in range(3):
        for done in range(1, 11):
            now += 0.5
            pace.step(now, epoch=epoch, done=done, of=10, images=8, waited_s=0.0)
            if epoch:
                assert pace.seconds_left(now) == pytest.approx((10 - done) * 0.5 + 2.5 + (2 - epoch) * 7.5, abs=1.1)
        pace.validated(now + 2.0)
        now += ends[epoch]
        pace.epoch(now)


def test_a_machine_that_slows_down_moves_the_estimate():
    pace = Pace(0.0, epochs=1, val_size=0)
    steps = trained(pace, epochs=1, of=1000, step_s=lambda now: 0.1 if now < 20 else 0.4)
    now = next(now for now, _, done in steps if done == 400)
    assert pace.seconds_left(now) == pytest.approx(600 * 0.4, rel=0.02)


def test_the_first_step_of_an_epoch_is_no_measure_of_the_others():
    pace = Pace(0.0, epochs=2, val_size=0)
    assert pace.step(7.0, epoch=0, done=1, of=3, images=8, waited_s=6.0) is None
    assert pace.step_s == 7.0
    assert pace.step(8.0, epoch=0, done=2, of=3, images=8, waited_s=0.0) == 1.0
    assert (pace.step_s, pace.waits) == (1.0, 0.0)


def test_durations_read_like_a_clock():
    assert [clock(s) for s in (8.6, 754, 3723)] == ["0:09", "12:34", "1:02:03"]
