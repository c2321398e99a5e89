"""Trade-offs of accuracy and one cost: the Pareto front of the candidates, and the order of NSGA-II.

Which candidates breed is decided in `methods`.
"""

import math
from collections.abc import Iterable, Sequence

from glocal.errors import SearchError
from glocal.searching.candidates.candidate import Candidate


def front(done: Iterable[Candidate], cost: str) -> list[Candidate]:
    """The candidates that no other dominates: none is at least as accurate for at most the cost, and better in one of them.
    The cheapest comes first.

    Of candidates that are equal in both, only the lexicographically first is in the front.
    """
    return _divide(_by_cost(done, cost))[0]


def crowded(done: Iterable[Candidate], cost: str) -> list[Candidate]:
    """All candidates in the order of NSGA-II (Deb et al. 2002): front after front; within a front, by crowding distance."""
    rest, ordered = _by_cost(done, cost), []
    while rest:
        first, rest = _divide(rest)
        distances = _crowding_distances(first, cost)
        ordered += [first[i] for i in sorted(range(len(first)), key=lambda i: (-distances[i], first[i].answers))]
    return ordered


def _by_cost(done: Iterable[Candidate], cost: str) -> list[Candidate]:
    evaluated = [c for c in done if c.accuracy is not None]
    if lacking := [c for c in evaluated if cost not in c.costs]:
        raise SearchError(
            f"a front of accuracy and {cost} needs {cost} of every candidate; given: {', '.join(lacking[0].costs)}"
        )
    return sorted(evaluated, key=lambda c: (c.costs[cost], -_accuracy(c), c.answers))


def _divide(ordered: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """The front of candidates that are in the order of `_by_cost`, and the rest in the same order."""
    first: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in ordered:
        better = not first or _accuracy(candidate) > _accuracy(first[-1])
        (first if better else rest).append(candidate)
    return first, rest


def _crowding_distances(front: Sequence[Candidate], cost: str) -> list[float]:
    """For each member of a front, in its order: the gap between its neighbours in cost and in accuracy, as parts of the
    front's span; infinite at both ends."""
    ends = front[0], front[-1]
    cost_span = (ends[1].costs[cost] - ends[0].costs[cost]) or 1.0
    accuracy_span = (_accuracy(ends[1]) - _accuracy(ends[0])) or 1.0
    inner = (
        (b.costs[cost] - a.costs[cost]) / cost_span + (_accuracy(b) - _accuracy(a)) / accuracy_span
        for a, b in zip(front, front[2:], strict=False)
    )
    return [math.inf, *inner, math.inf][: len(front)]


def _accuracy(candidate: Candidate) -> float:
    assert candidate.accuracy is not None
    return candidate.accuracy
