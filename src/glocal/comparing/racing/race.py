"""A whole race: rung after rung, until the finals. How arms are measured is the caller's: by training them, or from a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from glocal.comparing.racing.decision import Measured, Rung, Standing, decide
from glocal.comparing.racing.rules import Entrant, Rules
from glocal.errors import ComparisonError


class Heat(NamedTuple):
    """What is to be measured: an arm after so many epochs, and the rung that it is for."""

    arm: str
    epochs: int
    rung: int


class TimeOverError(Exception):
    """The budget ended before any heat of a rung was measured."""


Measure = Callable[[Sequence[Heat]], Measured]
"""Called once a rung. Gives what has been measured so far, the heats that it is called with included; an arm that is not in it
withdraws, such as one whose training failed. A TimeOverError ends the race with the rungs that it has."""


@dataclass(frozen=True)
class Race:
    """The rungs of a race, in their order."""

    rungs: tuple[Rung, ...]

    @property
    def finalists(self) -> tuple[str, ...]:
        """The arms that are left, by rank."""
        return self.rungs[-1].survivors

    def last_standing(self, arm: str) -> Standing | None:
        """Where an arm stood at the last rung that it took part in; None where it withdrew before the first decision."""
        return next((s for rung in reversed(self.rungs) for s in rung.standings if s.arm == arm), None)


def race(
    entrants: Sequence[Entrant],
    measure: Measure,
    *,
    rules: Rules,
    allowance_s: Callable[[int], float] = lambda rung: inf,
    on_rung: Callable[[Rung], None] = lambda rung: None,
) -> Race:
    """Runs a race from the first rung to the finalists.

    allowance_s: what the rung of a number may take; it is asked before each rung but the first, after what came before is spent.
    on_rung: called with each rung when it is decided. Where all that went on withdraw, the next of the rung before takes their
    place. ComparisonError for entrants of one name, or none, and where all withdraw; TimeOverError where the time ends before
    the first decision.
    """
    names = [each.name for each in entrants]
    if not names or len(set(names)) < len(names):
        raise ComparisonError(
            f"{len(names)} entrants, {len(set(names))} names: a race needs one or more, by different names"
        )
    racing, rungs = tuple(names), list[Rung]()
    for number in range(len(rules.rungs)):
        heats = [Heat(name, epochs, number) for name, epochs in rules.epochs(entrants, number).items()]
        left = [each.arm for each in rungs[-1].standings if each.exit] if rungs else []
        try:
            racing, measured = _measured(racing, heats, measure, left=left)
        except TimeOverError:
            if not rungs:
                raise
            break
        if not racing:
            raise ComparisonError(f"no arm could be measured after {rules.rungs[number]} epochs")
        last = number + 1 == len(rules.rungs)
        allowance = inf if last else allowance_s(number + 1)
        rungs.append(decide(entrants, racing, measured, rules=rules, rung=number, allowance_s=allowance))
        on_rung(rungs[-1])
        racing = rungs[-1].survivors
    return Race(tuple(rungs))


def _measured(
    racing: Sequence[str], heats: Sequence[Heat], measure: Measure, *, left: Sequence[str]
) -> tuple[tuple[str, ...], Measured]:
    """The arms that a rung has, with what has been measured: those that race or, where all withdraw, the first that `left`."""
    by_name = {heat.arm: heat for heat in heats}
    for names in (racing, *((name,) for name in left)):
        measured = measure([by_name[name] for name in names])
        if found := tuple(name for name in names if name in measured):
            return found, measured
    return (), measured
