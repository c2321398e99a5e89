"""Successive halving without barriers (ASHA, Li et al. 2020, arXiv:1810.05934): what a worker that is free should train next."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from glocal.errors import SearchError

Job = tuple[str, int]
"""A network, and the number of the rung to which it is to be trained."""


@dataclass
class Asha:
    """Networks that climb the rungs of a race as workers become free.

    rungs: the epochs after which networks are compared. A network is promoted as soon as it is among the best 1/eta of those that
    have finished its rung; where none can be, a new network is started.
    budget_s: of all jobs; None where there is no limit. A job is begun only if what is left could train its network to the end.
    Where neither a promotion nor a new network is left, the budget's rest promotes the best of those that wait.
    epoch_s: what one epoch of a network takes.

    What comes next is a function of the jobs that were begun and of the accuracies of those that are finished, in any order.
    """

    networks: Sequence[str]
    rungs: Sequence[int]
    eta: int = 3
    budget_s: float | None = None
    epoch_s: Callable[[str], float] = lambda network: 1.0
    _spent_s: float = 0.0
    _first: int = 0  # of the networks, that may not have been started
    _begun: list[set[str]] = field(default_factory=list)  # by rung
    _ranked: list[list[tuple[float, str]]] = field(default_factory=list)  # (-accuracy, network) by rung, the best first
    _failed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """SearchError for rungs that do not rise."""
        if not self.rungs or any(a >= b for a, b in zip(self.rungs, self.rungs[1:], strict=False)) or self.eta < 2:
            raise SearchError(
                f"rungs {tuple(self.rungs)}, eta {self.eta}: give rungs that rise, and an eta of 2 or more"
            )
        self._begun = [set() for _ in self.rungs]
        self._ranked = [[] for _ in self.rungs]

    def next(self) -> Job | None:
        """The job that is begun next; None where nothing can be before something else ends, or ever."""
        job = (
            next(self._promotable(one_in=self.eta), None)
            or self._new()
            or (next(self._promotable(one_in=1), None) if self._has_rest else None)
        )
        if job:
            self.begin(*job)
        return job

    def _promotable(self, *, one_in: int) -> Iterator[Job]:
        """The promotions of the best of each rung, one in so many of those that finished it, from the highest rung down."""
        for rung in reversed(range(len(self.rungs) - 1)):
            ranked = self._ranked[rung]
            for _, name in ranked[: len(ranked) // one_in]:
                if name not in self._begun[rung + 1] and self._can_end(name, done=self.rungs[rung]):
                    yield name, rung + 1

    def _new(self) -> Job | None:
        while self._first < len(self.networks) and self.networks[self._first] in self._begun[0]:
            self._first += 1
        if self._first < len(self.networks) and self._can_end(self.networks[self._first], done=0):
            return self.networks[self._first], 0
        return None

    @property
    def _has_rest(self) -> bool:
        """Whether there is a budget, and no accuracy is still to come that could change who deserves what is left of it."""
        return self.budget_s is not None and all(rung == len(self.rungs) - 1 for _, rung in self._running())

    def _running(self) -> Iterator[Job]:
        for rung, (begun, ranked) in enumerate(zip(self._begun, self._ranked, strict=True)):
            yield from ((name, rung) for name in begun - self._failed - {name for _, name in ranked})

    def _can_end(self, name: str, *, done: int) -> bool:
        return self.budget_s is None or self.budget_s - self._spent_s >= (self.rungs[-1] - done) * self.epoch_s(name)

    def begin(self, name: str, rung: int) -> None:
        """Notes that a job was begun. Noting it twice changes nothing."""
        if name not in self._begun[rung]:
            self._begun[rung].add(name)
            self._spent_s += self._cost(name, rung)

    def _cost(self, name: str, rung: int) -> float:
        return (self.rungs[rung] - (self.rungs[rung - 1] if rung else 0)) * self.epoch_s(name)

    def finish(self, name: str, rung: int, accuracy: float) -> None:
        """Notes what a network reached at a rung. Noting it twice changes nothing."""
        ranked, entry = self._ranked[rung], (-accuracy, name)
        at = bisect_left(ranked, entry)
        if ranked[at : at + 1] != [entry]:
            ranked.insert(at, entry)

    def fail(self, name: str) -> None:
        """Notes that a network's training failed, or was ended: it is promoted no more. Noting it twice changes nothing."""
        self._failed.add(name)

    def shorten(self, planned_s: float, *, elapsed_s: float, left_s: float) -> None:
        """Makes the budget what was planned or, where the clock leaves less, what it leaves at the pace so far. Jobs that run
        count as half done."""
        done = self._spent_s - sum(self._cost(name, rung) for name, rung in self._running()) / 2
        self.budget_s = min(planned_s, done + left_s * done / elapsed_s) if done else planned_s

    def begun(self, rung: int) -> Collection[str]:
        """The networks that were started, or promoted to a rung."""
        return self._begun[rung]

    def place(self, name: str, rung: int) -> tuple[int, int]:
        """The rank of a network among those that have finished a rung, 1 for the best, and how many these are."""
        names = [each for _, each in self._ranked[rung]]
        return names.index(name) + 1, len(names)

    @property
    def finished(self) -> Mapping[str, float]:
        """The accuracies of the networks that were trained in full."""
        return {name: -minus for minus, name in self._ranked[-1]}
