"""How long many runs take: measured before they start, quoted, and limited by a budget. What was decided and spent is saved.

A budget is divided among the phases that are still to come, whenever one of them starts, by what a unit of each was measured to
take, and by how much longer the phases before it took than that. So the time that one phase took too long is taken from all
others in proportion, and the end comes on time.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path

from glocal.errors import TrialError
from glocal.files import whole_file
from glocal.monitoring.eta import clock

UnitSeconds = Callable[[str], float]
"""What one unit of a phase takes, measured when it is called with the phase's name."""


@dataclass(frozen=True)
class Phase:
    """A part of the work that is done by the unit.

    name: such as "details/supernet".
    unit: what it is counted in, as a plural: "epochs".
    share: of the budget, in parts; only its ratio to the other phases' shares counts.
    wanted: how many units; None for as many as fit into the budget, and at least `least`.
    """

    name: str
    unit: str
    share: float
    wanted: int | None = None
    least: int = 1


@dataclass
class Plan:
    """How many units each phase has, what else was decided by the time, and the time that each phase took.

    ends_at: of `time.time`, when phases of a budget must end; a session that goes on with one moves its end.
    end_s: of the budget, for what comes after the last phase.
    """

    path: Path  # plan.json
    phases: Sequence[Phase]
    budget_s: float | None
    decided: dict[str, int] = field(default_factory=dict)
    spent_s: dict[str, float] = field(default_factory=dict)
    ends_at: dict[str, float] = field(default_factory=dict)
    end_s: float = 0.0
    _counted: float = 0.0  # of time.monotonic, up to which the phase that goes on is in spent_s

    @classmethod
    def read(cls, path: Path, phases: Sequence[Phase], *, budget_s: float | None, end_s: float = 0.0) -> "Plan":
        """The plan as far as `path` has it. TrialError where that file is not whole."""
        if budget_s is None and (open_ended := [p.name for p in phases if p.wanted is None]):
            raise TrialError(f"without a budget, {', '.join(open_ended)} needs a number of units")
        decided, spent_s, ends_at = _read(path) if path.exists() else ({}, {}, {})
        return cls(path, phases, budget_s, decided, spent_s, ends_at, end_s)

    def decide(self, name: str, unit_seconds: UnitSeconds) -> int:
        """How many units a phase has: as decided before, as wanted, or as many as fit."""

        def fitting() -> int:
            pace = self._pace(name.rpartition("/")[0], unit_seconds)
            return self._units(self._phase(name), lambda phase: pace * unit_seconds(phase), spent=self.spent_s)

        return self.once(name, fitting)

    def _pace(self, part: str, unit_seconds: UnitSeconds) -> float:
        """How much longer the phases of a part, such as "details", took so far than they were measured to take; 1 before any."""
        ended = [name for name in self.decided if name in self.spent_s and name.rpartition("/")[0] == part]
        quoted = sum(self.decided[name] * unit_seconds(name) for name in ended)
        return sum(self.spent_s[name] for name in ended) / quoted if quoted else 1.0

    def once(self, name: str, number: Callable[[], int]) -> int:
        """A number above 0 that depends on the time: as an earlier session decided, or as it is now."""
        if name not in self.decided:
            self.decided[name] = number()
            self.save()
        return self.decided[name]

    def left_s(self, name: str) -> float:
        """What the phase that goes on has left of the budget; infinite without one."""
        if self.budget_s is None:
            return inf
        self._count(name)
        return self.seconds_for(name, self.spent_s) - self.spent_s[name]

    def _phase(self, name: str) -> Phase:
        return next(phase for phase in self.phases if phase.name == name)

    def _units(self, phase: Phase, unit_seconds: UnitSeconds, *, spent: Mapping[str, float]) -> int:
        if phase.wanted is not None:
            return phase.wanted
        return max(phase.least, int(self.seconds_for(phase.name, spent) / unit_seconds(phase.name)))

    def seconds_for(self, name: str, spent: Mapping[str, float]) -> float:
        """The part that a phase has of what is left of the budget, with it and all phases after it still to come."""
        assert self.budget_s is not None
        names = [phase.name for phase in self.phases]
        ahead = self.phases[names.index(name) :]
        left = (
            self.budget_s
            - self.end_s
            - sum(s for other, s in spent.items() if other not in {phase.name for phase in ahead})
        )
        return max(0.0, left) * ahead[0].share / sum(phase.share for phase in ahead)

    def quote(self, unit_seconds: UnitSeconds) -> "Quote":
        """What all phases will take."""
        spent: dict[str, float] = {}
        rows = []
        for phase in self.phases:
            n = self._units(phase, unit_seconds, spent=spent)
            spent[phase.name] = n * unit_seconds(phase.name)
            rows.append(Row(phase, n, spent[phase.name]))
        return Quote(tuple(rows))

    def check_budget(self, quote: "Quote", *, remedy: str) -> None:
        """TrialError where a quote exceeds the budget by more than a tenth. remedy: what the user can change, beside the time."""
        if self.budget_s is not None and quote.seconds > 1.1 * self.budget_s:
            least = "; ".join(
                f"{row.phase.name}: {row.n:,} {row.phase.unit}, {clock(row.seconds)}" for row in quote.rows
            )
            raise TrialError(
                f"--budget {clock(self.budget_s)} is too short: the least would take {clock(quote.seconds)} ({least}). Give more "
                f"time, {remedy}"
            )

    @contextmanager
    def spending(self, name: str, *, since: float | None = None) -> Iterator[None]:
        """Adds the time that passes inside to a phase, from `since` (of time.monotonic) on, to what it took before a stop."""
        self._counted = since or time.monotonic()
        if self.budget_s is not None and any(phase.name == name for phase in self.phases):
            self.ends_at[name] = time.time() + self.left_s(name)
            self.save()
        try:
            yield
        finally:
            self._count(name)
            self.save()

    def _count(self, name: str) -> None:
        now = time.monotonic()
        self.spent_s[name] = self.spent_s.get(name, 0.0) + now - self._counted
        self._counted = now

    def save(self) -> None:
        """Writes plan.json. A kill loses the time after this."""
        with whole_file(self.path) as file:
            names = ("budget_s", "decided", "spent_s", "ends_at")
            file.write(json.dumps({name: getattr(self, name) for name in names}, indent=1).encode())


@dataclass(frozen=True)
class Row:
    """A phase with its units and the seconds of all of them."""

    phase: Phase
    n: int
    seconds: float


@dataclass(frozen=True)
class Quote:
    """What every phase will take."""

    rows: tuple[Row, ...]

    @property
    def seconds(self) -> float:
        """Of all phases."""
        return sum(row.seconds for row in self.rows)

    def __str__(self) -> str:
        lines = [f"{r.phase.name:<24}{r.n:>7,} {r.phase.unit:<12}{clock(r.seconds):>9}" for r in self.rows]
        return "\n".join([*lines, f"{'all':<44}{clock(self.seconds):>9}"])


def _read(path: Path) -> tuple[dict[str, int], dict[str, float], dict[str, float]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        decided = {str(name): int(n) for name, n in found["decided"].items()}
        spent_s, ends_at = (
            {str(name): float(s) for name, s in times.items()} for times in (found["spent_s"], found.get("ends_at", {}))
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise _not_whole(path, f"{type(error).__name__}: {error}") from None
    seconds = [*spent_s.values(), *ends_at.values()]
    if not all(n > 0 for n in decided.values()) or not all(s >= 0 and isfinite(s) for s in seconds):
        raise _not_whole(path, "numbers of units must be above 0, and seconds finite and not negative")
    return decided, spent_s, ends_at


def _not_whole(path: Path, reason: str) -> TrialError:
    return TrialError(f"{path} is not whole ({reason}); delete it, and its phases are planned anew")
