import random

import pytest

from glocal.errors import SearchError
from glocal.searching.candidates.candidate import Candidate
from glocal.searching.candidates.front import crowded, front


def candidate(accuracy: float, macs: float, *answers: int) -> Candidate:
    return Candidate(answers, 0, 0, "random", (), {"macs": macs, "params": 1.0}, accuracy, 10)


def beats(a: Candidate, b: Candidate) -> bool:
    x, y = (a.accuracy, -a.costs["macs"]), (b.accuracy, -b.costs["macs"])
    return x != y and x[0] >= y[0] and x[1] >= y[1]


def drawn(n: int, seed: int) -> list[Candidate]:
    rng = random.Random(seed)
    return [candidate(rng.randrange(20) / 20, rng.randrange(20), i) for i in range(n)]


@pytest.mark.parametrize("seed", range(10))
def test_the_front_is_what_nothing_beats(seed):
    done = drawn(60, seed)
    on_it = front(done, "macs")
    best = {(c.accuracy, c.costs["macs"]) for c in done if not any(beats(other, c) for other in done)}
    assert {(c.accuracy, c.costs["macs"]) for c in on_it} == best
    assert len(on_it) == len(best), "one for those that are equal in both"
    assert on_it == sorted(on_it, key=lambda c: c.costs["macs"])


@pytest.mark.parametrize("seed", range(10))
def test_no_candidate_comes_before_one_that_beats_it(seed):
    ordered = crowded(drawn(60, seed), "macs")
    assert len(ordered) == 60
    assert not any(beats(later, earlier) for i, earlier in enumerate(ordered) for later in ordered[i + 1 :])


def test_within_a_front_the_ends_come_first_and_then_the_lonely():
    ends, lonely, crowd = [candidate(0.0, 0, 1), candidate(1.0, 10, 2)], candidate(0.5, 5, 0), candidate(0.9, 9, 3)
    near = candidate(0.95, 9.5, 4)
    assert crowded([near, crowd, lonely, *ends], "macs") == [*ends, lonely, crowd, near]


def test_a_front_is_the_same_in_any_order():
    done = drawn(40, 3)
    assert front(done[::-1], "macs") == front(done, "macs")
    assert crowded(done[::-1], "macs") == crowded(done, "macs")


def test_a_front_of_few_and_of_none():
    one = candidate(0.5, 1, 0)
    assert front([], "macs") == crowded([], "macs") == []
    assert front([one], "macs") == crowded([one], "macs") == [one]


def test_a_cost_that_was_not_counted_makes_no_front():
    with pytest.raises(SearchError, match="needs latency_ms of every candidate; given: macs, params"):
        front([candidate(0.5, 1, 0)], "latency_ms")
