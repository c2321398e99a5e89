"""Successive halving without barriers (ASHA, Li et al. 2020, arXiv:1810.05934): what a worker that is free should train next."""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glocal.errors import SearchError


@dataclass
class Asha:
    """Networks that climb the rungs of a race as workers become free.

    rungs: the epochs after which networks are compared. A network is promoted as soon as it is among the best 1/eta of those that
    have finished its rung; where none can be, a new network is started.
    """

    networks: Sequence[str]
    rungs: Sequence[int]
    eta: int = 3
    _started: int = 0
    _ranked: list[list[tuple[float, str]]] = field(default_factory=list)  # (-accuracy, network) by rung, the best first
    _promoted: list[set[str]] = field(default_factory=list)  # from each rung

    def __post_init__(self) -> None:
        """SearchError for rungs that do not rise."""
        if not self.rungs or any(a >= b for a, b in zip(self.rungs, self.rungs[1:], strict=False)) or self.eta < 2:
            raise SearchError(
                f"rungs {tuple(self.rungs)}, eta {self.eta}: give rungs that rise, and an eta of 2 or more"
            )
        self._ranked = [[] for _ in self.rungs]
        self._promoted = [set() for _ in self.rungs]

    def next(self) -> tuple[str, int] | None:
        """The network to train and the number of its rung; None where nothing can be started before something else ends."""
        for rung in reversed(range(len(self.rungs) - 1)):
            ranked = self._ranked[rung]
            for _, name in ranked[: len(ranked) // self.eta]:
                if name not in self._promoted[rung]:
                    self._promoted[rung].add(name)
                    return name, rung + 1
        if self._started < len(self.networks):
            self._started += 1
            return self.networks[self._started - 1], 0
        return None

    def finish(self, name: str, rung: int, accuracy: float) -> None:
        """Notes what a network reached at a rung."""
        insort(self._ranked[rung], (-accuracy, name))

    @property
    def finished(self) -> Mapping[str, float]:
        """The accuracies of the networks that were trained in full."""
        return {name: -minus for minus, name in self._ranked[-1]}
