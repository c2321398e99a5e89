"""What a strategy can ask for, and what that costs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from glocal.comparing.racing.decision import Measured
from glocal.comparing.racing.race import Heat
from glocal.searching.strategies.asha import Asha


class Workbench(Protocol):
    """Networks of a space by name, and three ways to learn something of them. All of them cost time, which is added up."""

    @property
    def networks(self) -> Sequence[str]:
        """The candidates, in a random order that depends on the seed only; corners may come first."""
        ...

    @property
    def spent_s(self) -> float:
        """The seconds that were spent so far."""
        ...

    def left_s(self, budget_s: float, *, rung: int) -> float:
        """What is left of a budget when a rung begins: what was not spent, or less where the clock leaves less."""
        ...

    def epoch_s(self, network: str) -> float:
        """Seconds of one epoch of training and validation."""
        ...

    def guide(self, name: str, *, budget_s: float) -> Mapping[str, float]:
        """The scores that a guide gives to the candidates, higher for better ones: a proxy, or a supernet that is trained as long
        as the budget allows. It is empty where nothing fits into the budget."""
        ...

    def train(self, heats: Sequence[Heat], *, continued: bool) -> Measured:
        """Trains networks to the epochs of their heats; gives what has been measured of all so far.

        continued: each heat continues the network's training of the rung before; otherwise it is a training of its own.
        TimeOverError where the time ends before any of them has its epochs.
        """
        ...

    def climb(self, asha: Asha) -> Measured:
        """Trains the jobs that follow, each as soon as a worker is free, until none follows or the time ends; gives what has
        been measured."""
        ...
