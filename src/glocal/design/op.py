"""What an op is, the sentences that ops make, and the ops that are made of sentences.

An op answers three questions about the shape it is given, without a weight in memory: the shape it leaves behind (`out`),
the weights it learns (`params`) and the multiply-adds it does for one picture (`macs`). Where its answer is not the usual
one, it also says how far it looks (`window`), what memory it takes on the way (`memory` and `kept`) and whether its layer
fits other picture sizes (`sizes`). What is built from ops lives in `architecture`; the torch module that computes an op
lives in `glocal.net`.

`params` and `macs` are exact integers; one mac is one multiply and one add of a convolution,
matrix product or attention product. Norms, activations and pooling count none, as in PyTorch's own counter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin, get_type_hints

from glocal.design.shapes import Grid, Shape, Tokens, Vector
from glocal.errors import ArchitectureError, ShapeError

Sentence = tuple["Op", ...]
Sizes = Literal["any", "resized", "one"]


class Window(NamedTuple):
    """Rows and columns of positions that one position reads, counted in positions of what the op leaves."""

    rows: float = 1
    columns: float = 1


@dataclass(frozen=True)
class Op:
    """A layer that keeps its shape, learns nothing, multiplies nothing and looks at one position, unless it says otherwise.

    sizes: which pictures its layer reads once it is built. "any": whatever size `out` accepts. "resized": its table belongs
    to one grid and is interpolated for another. "one": the size that it is built for alone.
    """

    sizes: ClassVar[Sizes] = "any"

    def __post_init__(self) -> None:
        check_choices(self)
        for f in fields(self):
            name, value = f.name, getattr(self, f.name)
            if type(value) is int and value < (least := int(name != "padding")):
                raise ArchitectureError(f"{self}: {name} must be at least {least}")
            if name in ("rate", "dropout") and not 0 <= value < 1:
                raise ArchitectureError(f"{self}: {name} must be a rate in [0, 1)")

    def out(self, s: Shape) -> Shape:
        """The shape left behind; ShapeError where s cannot be read."""
        return s

    def params(self, s: Shape) -> int:
        """Learned weights; running statistics and fixed tables are not counted."""
        return sum(count_params(sentence, given) for _, sentence, given in self.inside(s))

    def macs(self, s: Shape) -> int:
        """Multiply-adds for one picture."""
        return sum(count_macs(sentence, given) for _, sentence, given in self.inside(s))

    def inside(self, s: Shape) -> tuple[tuple[str, Sentence, Shape], ...]:
        """The sentences a composite op is made of, each with its name and the shape it is given."""
        return ()

    def window(self, s: Shape) -> Window | None:
        """The positions that one position of the output reads; None for all of them.

        What only scales channels by a measure of the whole picture, as norms and squeeze-excite do, reads one position.
        """
        return Window()

    def memory(self, s: Shape) -> int:
        """The most numbers that are alive for one picture beside the input while the op runs, its output among them."""
        return numbers(self.out(s))

    def kept(self, s: Shape) -> int:
        """Numbers beside the weights that its layer keeps from one pass to the next."""
        return 0


def numbers(s: Shape) -> int:
    """How many numbers a shape holds."""
    return s.c * s.n


def check_choices(x: Any) -> None:
    """Raises ArchitectureError where a field of an op or word that is one of several names holds another."""
    for name, allowed in _allowed(type(x)).items():  # type: ignore[arg-type]
        if getattr(x, name) not in allowed:
            raise ArchitectureError(f"{x}: {name} is one of {', '.join(map(repr, allowed))}")


@cache
def _allowed(cls: Any) -> dict[str, tuple[str, ...]]:
    """The values of each field whose type is a Literal."""
    hints = get_type_hints(cls)
    return {f.name: get_args(hint) for f in fields(cls) if get_origin(hint := hints[f.name]) is Literal}


def grid_of(op: Op, s: Shape) -> Grid:
    """The shape given, if it is a grid; ShapeError otherwise."""
    if not isinstance(s, Grid):
        raise ShapeError(f"{op} reads a grid, not {s}; put it before Flatten(), or Unflatten() before it")
    return s


def tokens_of(op: Op, s: Shape) -> Tokens:
    """The shape given, if it is tokens; ShapeError otherwise."""
    if not isinstance(s, Tokens):
        raise ShapeError(f"{op} reads tokens, not {s}; put Flatten() before it")
    return s


def positions_of(op: Op, s: Shape) -> Grid | Tokens:
    """The shape given, if it has positions; ShapeError where the picture is already pooled."""
    if isinstance(s, Vector):
        raise ShapeError(f"{op} reads positions, and the picture is already pooled to {s}")
    return s


@dataclass(frozen=True)
class Residual(Op):
    """shortcut(x) + branch(x); the empty shortcut is x itself. Stochastic depth drops the branch."""

    branch: Sentence
    shortcut: Sentence = ()

    def out(self, s: Shape) -> Shape:
        branch, shortcut = read(self.branch, s), read(self.shortcut, s)
        if branch != shortcut:
            raise ShapeError(f"the branch of a Residual leaves {branch} but its shortcut leaves {shortcut}")
        return branch

    def inside(self, s: Shape) -> tuple[tuple[str, Sentence, Shape], ...]:
        return ("branch", self.branch, s), ("shortcut", self.shortcut, s)


@dataclass(frozen=True)
class Split(Op):
    """Deals the channels out: the first `first` go through one sentence, the others through another, side by side again."""

    first: int
    one: Sentence
    other: Sentence

    def out(self, s: Shape) -> Shape:
        if not self.first < s.c:
            raise ShapeError(f"Split gives {self.first} channels to its first sentence, and there are {s.c}")
        left = [read(sentence, given) for _, sentence, given in self.inside(s)]
        if left[0]._replace(c=0) != left[1]._replace(c=0):
            raise ShapeError(f"the sentences of a Split leave {left[0]} and {left[1]}, which do not lie side by side")
        return left[0]._replace(c=left[0].c + left[1].c)

    def inside(self, s: Shape) -> tuple[tuple[str, Sentence, Shape], ...]:
        return ("one", self.one, s._replace(c=self.first)), ("other", self.other, s._replace(c=s.c - self.first))


def read(sentence: Sentence, s: Shape) -> Shape:
    """The shape a sentence leaves behind."""
    for op in sentence:
        s = op.out(s)
    return s


def count_params(sentence: Sentence, s: Shape) -> int:
    """Learned weights of a sentence."""
    return sum(op.params(given) for _, op, given in steps(sentence, s))


def count_macs(sentence: Sentence, s: Shape) -> int:
    """Multiply-adds of a sentence."""
    return sum(op.macs(given) for _, op, given in steps(sentence, s))


def steps(sentence: Sentence, s: Shape) -> Iterator[tuple[str, Op, Shape]]:
    """Each op of a sentence with its name and the shape it is given.

    The name is the kind with its ordinal (norm1, linear1, class_token1): the key of the op's weights in a checkpoint.
    """
    seen: dict[str, int] = {}
    for op in sentence:
        kind = _snake(type(op).__name__)
        seen[kind] = seen.get(kind, 0) + 1
        yield f"{kind}{seen[kind]}", op, s
        s = op.out(s)


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


def leaves(sentence: Sentence, s: Shape, path: str = "") -> Iterator[tuple[str, Op, Shape]]:
    """Like `steps`, with composite ops opened: their own sentences' ops under dotted names, and not themselves."""
    for name, op, given in steps(sentence, s):
        inside = op.inside(given)
        if not inside:
            yield path + name, op, given
        for part, inner, at in inside:
            yield from leaves(inner, at, f"{path}{name}.{part}.")
