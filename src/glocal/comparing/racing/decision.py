"""One rung of a race: the arms are compared with their leader, picture by picture, and each goes on or goes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocal.comparing.racing.rules import Entrant, Rules
from glocal.comparing.statistics.paired import Interval, paired_difference
from glocal.errors import ComparisonError

Right = NDArray[Any]
"""Whether each picture was classified correctly: (seeds, pictures), booleans or fractions."""

Measured = Mapping[str, Mapping[int, Right]]
"""By arm and by epochs. All arrays are of the same pictures; row s of all is the same seed."""


class Exit(StrEnum):
    """Why an arm goes."""

    BEHIND = "behind"  # its interval to the leader is below minus the margin
    TIME = "no time"  # arms that rank above it take the time that is left
    PLACES = "no place"  # arms that rank above it take the places of the finals, or those that ASHA has at a rung


@dataclass(frozen=True)
class Standing:
    """Where an arm stands at a rung. Numbers are fractions: 0.01 is a point of accuracy.

    epochs: of its training so far; `accuracy` is after them. compared_at: the epochs after which it is compared with the leader,
    which are fewer than the leader has where a costly arm got fewer. difference, interval: to the leader, 0 for itself.
    seconds: what the next rung would take. exit: None where the arm goes on.
    """

    arm: str
    epochs: int
    accuracy: float
    compared_at: int
    difference: float
    interval: Interval
    seconds: float
    exit: Exit | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "arm": self.arm,
            "epochs": self.epochs,
            "accuracy": self.accuracy,
            "compared_at": self.compared_at,
            "difference": self.difference,
            "interval": list(self.interval),
            "exit": self.exit.value if self.exit else None,
        }


@dataclass(frozen=True)
class Rung:
    """What was decided after a rung: the arms by rank, the best first."""

    number: int
    leader: str
    standings: tuple[Standing, ...]

    @property
    def survivors(self) -> tuple[str, ...]:
        """The arms that go on, by rank."""
        return tuple(each.arm for each in self.standings if each.exit is None)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"leader": self.leader, "standings": [each.to_json() for each in self.standings]}


def decide(
    entrants: Sequence[Entrant],
    racing: Collection[str],
    measured: Measured,
    *,
    rules: Rules,
    rung: int,
    allowance_s: float = inf,
) -> Rung:
    """Decides which of the arms that are `racing` go on after a rung.

    entrants: all that started. measured: at least the epochs that `rules` give each arm at this rung. allowance_s: what the next
    rung may take; the leader goes on whatever it takes. After the last rung, the number of places alone limits who is left.

    The leader is the arm with the highest accuracy. An arm goes if the interval of its paired difference to the leader, after the
    same epochs, is below -margin. If those that are left would take longer than the allowance, arms go from the lowest rank up;
    arms of the same rank stay if they are cheaper, then by name. The order of the arguments does not matter.
    """
    cost = {each.name: each.epoch_s for each in entrants}
    names = sorted(racing, key=lambda name: (cost[name], name))
    epochs = rules.epochs(entrants, rung)
    accuracy = {name: float(np.mean(_measured(measured, name, epochs[name]))) for name in names}
    leader = max(names, key=lambda name: accuracy[name])  # the first of equals, which is the cheapest
    last = rung + 1 == len(rules.rungs)
    seconds = {e.name: 0.0 for e in entrants} if last else rules.seconds(entrants, rung + 1)
    standings = []
    for name in names:
        at = min(epochs[name], epochs[leader])
        difference, interval = _compared(measured, name, leader, at=at, level=rules.level)
        gone = Exit.BEHIND if interval.high < -rules.margin else None
        standings.append(Standing(name, epochs[name], accuracy[name], at, difference, interval, seconds[name], gone))
    ranked = sorted(standings, key=lambda each: (-each.difference, each.arm != leader))
    places = rules.places if last else len(ranked)
    return Rung(rung, leader, _limited(ranked, leader=leader, places=places, allowance_s=allowance_s))


def _measured(measured: Measured, name: str, epochs: int) -> Right:
    try:
        return measured[name][epochs]
    except KeyError:
        there = ", ".join(map(str, sorted(measured.get(name, {})))) or "none"
        raise ComparisonError(
            f"{name} has not been measured after {epochs} epochs, where it is compared; measured: {there}"
        ) from None


def _compared(measured: Measured, name: str, leader: str, *, at: int, level: float) -> tuple[float, Interval]:
    if name == leader:
        return 0.0, Interval(0.0, 0.0)
    right, best = _measured(measured, name, at), _measured(measured, leader, at)
    found = paired_difference(right, best, arm=name, baseline=leader)
    return found.mean, found.interval(level)


def _limited(ranked: Sequence[Standing], *, leader: str, places: int, allowance_s: float) -> tuple[Standing, ...]:
    """The standings with those marked that the places or the time do not suffice for. The leader has the first of both."""
    left_s = allowance_s - next(each.seconds for each in ranked if each.arm == leader)
    taken, marked = 1, []
    for each in ranked:
        gone = each.exit
        if gone is None and each.arm != leader:
            gone = Exit.PLACES if taken >= places else Exit.TIME if each.seconds > left_s else None
            if gone is None:
                taken, left_s = taken + 1, left_s - each.seconds
        marked.append(replace(each, exit=gone))
    return tuple(marked)
