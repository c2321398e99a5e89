"""The time left counts what is still to come, and holds where steps and validations take what they took."""

import pytest

from glocal.training import log as module
from glocal.training.folder import RunFolder
from glocal.training.log import Log, clock
from glocal.training.scores import Scores

SCORES = Scores(10, 0.5, 0.9, 1.0, 0.9, (0.6, 0.98), {}, 0.5, None)


@pytest.fixture
def now(monkeypatch):
    time = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: time[0])
    return time


def test_the_estimate_is_exact_on_a_steady_machine(now, tmp_path):
    step_s, val_s, steps, epochs = 0.5, 2.0, 10, 4
    with Log(RunFolder(tmp_path), epochs=epochs, val_size=10, console=None) as log:
        for epoch in range(epochs):
            for done in range(1, steps + 1):
                now[0] += step_s
                log.step(epoch=epoch, done=done, of=steps, loss=1.0, lr=0.1, images=8)
                if epoch:
                    left = log.seconds_left(epoch=epoch, done=done, of=steps, images=8)
                    after = (epochs - epoch - 1) * (steps * step_s + val_s)
                    assert left == pytest.approx((steps - done) * step_s + val_s + after)
            now[0] += val_s
            log.validating(1, 1)
            now[0] += 0.7  # writing files is no part of a step
            log.epoch({"epoch": epoch, "train_loss": 1.0, "images_per_s": 16.0, "time_s": now[0]}, SCORES)


def test_a_machine_that_slows_down_moves_the_estimate(now, tmp_path):
    with Log(RunFolder(tmp_path), epochs=1, val_size=0, console=None) as log:
        for done in range(1, 61):
            now[0] += 0.1 if done < 20 else 0.4
            log.step(epoch=0, done=done, of=100, loss=1.0, lr=0.1, images=8)
        assert log.seconds_left(epoch=0, done=60, of=100, images=8) == pytest.approx(40 * 0.4, rel=0.15)


def test_durations_read_like_a_clock():
    assert [clock(s) for s in (8.6, 754, 3723)] == ["0:09", "12:34", "1:02:03"]
