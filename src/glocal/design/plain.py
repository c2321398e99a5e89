"""Plain data from outside (YAML, JSON): what is refused before anything is made of it, so that no file can exhaust a machine."""

import re
from itertools import accumulate
from typing import Any

from glocal.errors import ArchitectureError

DEEPEST, MOST = 64, 200_000
LARGEST = 10**9  # of a number


def check_plain(x: Any, where: str) -> None:
    """ArchitectureError for what is no string, number, list or mapping, or nests too deep, holds itself or spells
    out to too much. What is mentioned several times (an alias of YAML, `12 x`) counts as often."""
    _size(x, where, depth=0, known={})


def nests_too_deep(text: str) -> bool:
    """Whether brackets stand so deep in each other that reading them would take a parser minutes, or all of its stack."""
    steps = ((c in "[{") - (c in "]}") for c in text if c in "[]{}")
    return any(depth > 10 * DEEPEST for depth in accumulate(steps))


def repeats(key: Any) -> int | None:
    """The n of a key `n x`, which stands for n equal items; None for any other key."""
    found = re.fullmatch(r"([0-9]{1,6}) x", key) if isinstance(key, str) else None
    return int(found[1]) if found else None


def _size(x: Any, where: str, *, depth: int, known: dict[int, int]) -> int:
    """The items that x spells out to. known: of the lists and mappings met so far, by identity; 0 while one is being read."""
    if depth > DEEPEST:
        raise ArchitectureError(f"{where} nests more than {DEEPEST} deep, which no architecture does")
    if isinstance(x, list | dict):
        if id(x) not in known:
            known[id(x)] = 0
            known[id(x)] = _size_within(x, where, depth=depth, known=known)
        elif not known[id(x)]:
            raise ArchitectureError(f"{where} holds itself, which no architecture does")
        return known[id(x)]
    if isinstance(x, int | float) and abs(x) > LARGEST:
        raise ArchitectureError(f"{where} holds a number above {LARGEST:,}, which no architecture does")
    if not isinstance(x, str | int | float | None):
        raise ArchitectureError(f"{where} holds a {type(x).__name__}; possible are text, numbers, lists and mappings")
    return 1


def _size_within(x: list[Any] | dict[Any, Any], where: str, *, depth: int, known: dict[int, int]) -> int:
    total = 1
    for item in x.items() if isinstance(x, dict) else ((None, value) for value in x):
        if isinstance(x, dict) and not isinstance(item[0], str):
            raise ArchitectureError(f"{where} has {item[0]!r} for a name, which is no text")
        times = repeats(item[0])
        total += _size(item[1], where, depth=depth + 1, known=known) * (1 if times is None else times)
        if total > MOST:
            raise ArchitectureError(f"{where} spells out to more than {MOST:,} items, which no architecture does")
    return total
