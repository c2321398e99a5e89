"""What a search space spans: every part that stands at a path, and the range of its costs, without listing a sheet."""

from collections.abc import Iterable, Sequence
from typing import Any

from glocal.design.architecture import Architecture, Part, Stage, spelled
from glocal.design.cost import Cost, part_cost
from glocal.design.shapes import Shape
from glocal.design.space import OneOf, path_order, questions_by_name, questions_within
from glocal.errors import ArchitectureError

MOST_STATES = 20_000
Bounds = tuple[int, int, int, int]  # params: least, most; macs: least, most
# A shape, and the answers so far to questions of a name that is still to come: with the least and most that leads there.
States = dict[tuple[Shape, frozenset[tuple[str, int]]], Bounds]


def reach(space: Architecture) -> dict[str, tuple[Part, ...]]:
    """Every part that some architecture of the space has, by path, in forward order.

    Sets of shapes are followed, and no sheet is listed. Raises ShapeError where an answer leaves what the next part cannot
    read: every sheet of a space must make an architecture.
    """
    found = _Survey(space).parts
    return {path: tuple(found[path]) for path in sorted(found, key=path_order)}


def cost_range(space: Architecture) -> tuple[Cost, Cost]:
    """The least and the most that an architecture of the space costs, exactly, and for params and macs each on its own."""
    least_params, most_params, least_macs, most_macs = _Survey(space).bounds
    return Cost(least_params, least_macs), Cost(most_params, most_macs)


class _Survey:
    """One walk of a space that follows all answers at once."""

    def __init__(self, space: Architecture) -> None:
        self.name = space.name
        self.parts: dict[str, dict[Part, None]] = {}  # ordered sets
        questions_by_name(space)
        items = [("stem", space.stem), *((f"stages.{i}", stage) for i, stage in enumerate(space.stages))]
        start: States = {(space.image, frozenset()): (0, 0, 0, 0)}
        end = self.chain([*((path, x, 0, 1) for path, x in items), ("head", space.head, 0, 1)], start, frozenset())
        self.bounds = _within(*end.values())

    def chain(self, items: Sequence[tuple[str, Any, int, int]], states: States, later: frozenset[str]) -> States:
        """Follows (path, word or stage, width, stride) one after the other; `later` are names of questions after them."""
        ahead = [later]
        for path, x, _, _ in reversed(items):
            ahead.append(ahead[-1] | {q.name for _, q in questions_within(x, path) if q.name})
        for (path, x, width, stride), names in zip(items, reversed(ahead[:-1]), strict=True):
            after = self.follow(path, x, width, stride, states, names)
            states = _merged(((shape, frozenset(t for t in ties if t[0] in names)), b) for (shape, ties), b in after)
            if len(states) > MOST_STATES:
                raise ArchitectureError(
                    f"{self.name}, {path}: questions that are asked again later have more than {MOST_STATES:,} answers "
                    "together; give fewer of them the same name"
                )
        return states

    def follow(self, path: str, x: Any, width: int, stride: int, states: States, later: frozenset[str]) -> list[Any]:
        """The states after a word, a stage, or each option of a question."""
        if isinstance(x, OneOf):
            return [
                state
                for k, option in enumerate(x.options)
                for state in self.follow(path, option, width, stride, _answered(states, x.name, k), later)
            ]
        if isinstance(x, Stage):
            down = [(f"{path}.downsample", x.downsample)] if x.downsample is not None else []
            words = down + [(f"{path}.blocks.{j}", block) for j, block in enumerate(x.blocks)]
            items = [(at, word, x.width, 1 if i else x.stride) for i, (at, word) in enumerate(words)]
            return [*self.chain(items, states, later).items()]
        after = []
        for (shape, ties), bounds in states.items():
            part = spelled(x, shape, width, stride, where=f"{self.name}, {path}")
            self.parts.setdefault(path, {})[part] = None
            params, macs = part_cost(part)
            after.append(((part.left, ties), tuple(map(sum, zip(bounds, (params, params, macs, macs), strict=True)))))
        return after


def _answered(states: States, name: str, k: int) -> States:
    """The states in which the question of a name is answered k, or may be; all, where it has no name."""
    if not name:
        return states
    return _merged(
        ((shape, ties | {(name, k)}), bounds)
        for (shape, ties), bounds in states.items()
        if dict(ties).get(name, k) == k
    )


def _merged(states: Iterable[tuple[Any, Bounds]]) -> States:
    merged: States = {}
    for state, bounds in states:
        merged[state] = _within(merged.get(state, bounds), bounds)
    return merged


def _within(*bounds: Bounds) -> Bounds:
    """Bounds that hold for all."""
    columns = [*zip(*bounds, strict=True)]
    return min(columns[0]), max(columns[1]), min(columns[2]), max(columns[3])
