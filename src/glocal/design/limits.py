"""What a candidate may cost: a least and a most for each cost, and whether a space has anything within them.

What costs are, and how they are counted, is the business of the pricer that is passed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from glocal.design.architecture import Architecture
from glocal.design.span import cost_range
from glocal.errors import RecipeError, SearchError

Costs = Mapping[str, float]
"""Costs of a candidate by their names in COSTS; macs and params are always there, the others where they were asked for."""

COSTS = ("macs", "params", "latency_ms", "memory_bytes")

Pricer = Callable[[Architecture], dict[str, float]]

_UNITS = {
    "macs": (1e6, "M multiply-adds"),
    "params": (1e6, "M parameters"),
    "latency_ms": (1, "ms"),
    "memory_bytes": (2**20, "MiB"),
}


@dataclass(frozen=True)
class Limits:
    """The least and the most that a candidate may cost; None is open. Both ends are allowed."""

    min_macs: float | None = None
    max_macs: float | None = None
    min_params: float | None = None
    max_params: float | None = None
    min_latency_ms: float | None = None
    max_latency_ms: float | None = None
    min_memory_bytes: float | None = None
    max_memory_bytes: float | None = None

    def __post_init__(self) -> None:
        for name in COSTS:
            least, most = self.of(name)
            if least is not None and most is not None and least > most:
                raise RecipeError(
                    f"limits: at least {_amount(name, least)} and at most {_amount(name, most)} leave nothing between"
                )

    def of(self, name: str) -> tuple[float | None, float | None]:
        """Least and most of one cost."""
        return getattr(self, f"min_{name}"), getattr(self, f"max_{name}")

    def limited(self) -> tuple[str, ...]:
        """The costs that have a limit: those that a pricer must give."""
        return tuple(name for name in COSTS if self.of(name) != (None, None))

    def allows(self, costs: Costs) -> bool:
        """Whether every limited cost is within its limits; SearchError for one that was not counted."""
        for name in self.limited():
            if name not in costs:
                raise SearchError(f"{name} is limited, and the pricer gives only {', '.join(costs)}")
            least, most = self.of(name)
            if (least is not None and costs[name] < least) or (most is not None and costs[name] > most):
                return False
        return True

    def named(self) -> str:
        """For people: "at most 1,300 M multiply-adds"."""
        return " and ".join(within(name, *self.of(name)) for name in self.limited()) or "no limits"

    def check_feasible(self, space: Architecture) -> None:
        """SearchError where no architecture of the space can meet a limit of multiply-adds or parameters.

        Each limit is compared with the exact range of its cost, as `cost` counts it, so it takes no draws. What passes may
        still have few candidates: two limits may exclude each other, and a range has gaps.
        """
        least_cost, most_cost = cost_range(space)
        for name in ("macs", "params"):
            least, most = self.of(name)
            low, high = getattr(least_cost, name), getattr(most_cost, name)
            if (most is not None and most < low) or (least is not None and least > high):
                raise SearchError(
                    f"{space.name}: no candidate has {within(name, least, most)}; "
                    f"those of this space have {within(name, low, high)}"
                )


def _amount(name: str, value: float, unit: bool = True) -> str:
    scale, words = _UNITS[name]
    return f"{value / scale:,.6g}{f' {words}' if unit else ''}"


def within(name: str, least: float | None, most: float | None) -> str:
    """A range of a cost for people; None is open, and not both are."""
    if least is None:
        return f"at most {_amount(name, most or 0)}"
    return (
        f"at least {_amount(name, least)}"
        if most is None
        else f"{_amount(name, least, False)} to {_amount(name, most)}"
    )
