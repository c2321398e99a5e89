"""The shapes that ops are given and leave behind. They carry no batch axis."""

from typing import NamedTuple


class Grid(NamedTuple):
    """c channels at each of h x w positions."""

    c: int
    h: int
    w: int

    @property
    def n(self) -> int:
        """Number of positions."""
        return self.h * self.w

    def __str__(self) -> str:
        return f"{self.c}x{self.h}x{self.w}"


class Tokens(NamedTuple):
    """A sequence of vectors of c channels: `extra` class tokens, then the positions of an h x w grid row by row."""

    c: int
    h: int
    w: int
    extra: int = 0

    @property
    def n(self) -> int:
        """Number of tokens."""
        return self.h * self.w + self.extra

    def __str__(self) -> str:
        return f"{self.n} tokens of {self.c}"


class Vector(NamedTuple):
    """One vector of c channels for the whole picture."""

    c: int

    @property
    def n(self) -> int:
        """One, so that costs read alike for all shapes."""
        return 1

    def __str__(self) -> str:
        return f"a vector of {self.c}"


Shape = Grid | Tokens | Vector
