"""How calls are timed side by side."""

import itertools

import pytest
import torch

from glocal.net.timing.latency import Timing, measure_calls


@pytest.mark.parametrize(("least_s", "rounds"), [(0.0, 6), (1000.0, 177)])
def test_each_call_is_timed_for_as_many_rounds_and_seconds_as_asked(least_s, rounds):
    """The clock goes on by a second with each look: 17 in a turn of twice four calls, of which three each count."""
    seconds, called = itertools.count(), []
    taken = measure_calls(
        {name: lambda name=name: called.append(name) for name in "ab"},
        device=torch.device("cpu"),
        rounds=5,
        least_s=least_s,
        warmup=2,
        bf16=False,
        clock=lambda: float(next(seconds)),
    )
    assert taken == {"a": [1000.0] * rounds, "b": [1000.0] * rounds}
    assert called[:4] == ["a", "b", "a", "b"], "the warm-up"
    assert called[4:20] == ["a"] * 4 + ["b"] * 4 + ["b"] * 4 + ["a"] * 4, "in turns"


def test_a_timing_has_the_quartile_between_the_median_and_the_95th_percentile():
    timing = Timing.of([float(ms) for ms in range(1, 101)], batch_size=2)
    assert (timing.p50_ms, timing.p75_ms) == (50.5, 75.75)
    assert timing.p50_ms < timing.p75_ms < timing.p95_ms
    assert timing.images_per_s == pytest.approx(2000 / 50.5)
