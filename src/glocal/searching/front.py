"""Trade-offs of accuracy and one cost: which candidates nothing beats in both, and how a crowd of them is ordered.

No torch. Which candidates breed is the business of `evolution`.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from glocal.errors import SearchError

if TYPE_CHECKING:
    from glocal.searching.evolution import Candidate


def front(done: Iterable["Candidate"], cost: str) -> list["Candidate"]:
    """The candidates that no other beats: none is at least as accurate for at most the cost, and better in one. Cheapest first.

    Of candidates equal in both, the lexicographically first stands for all.
    """
    return _peel(_by_cost(done, cost), cost)[0]


def crowded(done: Iterable["Candidate"], cost: str) -> list["Candidate"]:
    """All candidates in the order of NSGA-II (Deb et al. 2002): front after front, within a front the lonely ones first."""
    rest, ordered = _by_cost(done, cost), []
    while rest:
        peeled, rest = _peel(rest, cost)
        lonely = _distances(peeled, cost)
        ordered += [peeled[i] for i in sorted(range(len(peeled)), key=lambda i: (-lonely[i], peeled[i].answers))]
    return ordered


def _by_cost(done: Iterable["Candidate"], cost: str) -> list["Candidate"]:
    known = [c for c in done if c.accuracy is not None]
    if lacking := [c for c in known if cost not in c.costs]:
        raise SearchError(
            f"a front of accuracy and {cost} needs {cost} of every candidate; given: {', '.join(lacking[0].costs)}"
        )
    return sorted(known, key=lambda c: (c.costs[cost], -_accuracy(c), c.answers))


def _peel(ordered: Sequence["Candidate"], cost: str) -> tuple[list["Candidate"], list["Candidate"]]:
    """The front of candidates in the order of `_by_cost`, and the rest in the same order."""
    peeled: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in ordered:
        better = not peeled or _accuracy(candidate) > _accuracy(peeled[-1])
        (peeled if better else rest).append(candidate)
    return peeled, rest


def _distances(peeled: Sequence["Candidate"], cost: str) -> list[float]:
    """Crowding distance of each member of a front in its order: both neighbours' gap in cost and accuracy, as parts of the
    front's span; infinite at its two ends."""
    ends = peeled[0], peeled[-1]
    wide = (ends[1].costs[cost] - ends[0].costs[cost]) or 1.0
    high = (_accuracy(ends[1]) - _accuracy(ends[0])) or 1.0
    inner = (
        (b.costs[cost] - a.costs[cost]) / wide + (_accuracy(b) - _accuracy(a)) / high
        for a, b in zip(peeled, peeled[2:], strict=False)
    )
    return [math.inf, *inner, math.inf][: len(peeled)]


def _accuracy(candidate: "Candidate") -> float:
    assert candidate.accuracy is not None
    return candidate.accuracy
