"""Readers of the values in a study's text: each takes a value and where it stands, and says in one line what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any, TypeVar

from glocal.errors import ComparisonError
from glocal.recipes.schema import Recipe

T = TypeVar("T")
Read = Callable[[Any, str], T]
"""From a value and where it stands ("mine.yaml, arm cct, share") to what it means; ComparisonError if it means nothing."""

_NOT_SET = {
    "model": "an arm's network is its `model`",
    "seed": "a study trains each arm with several seeds",
}


def checked(data: Any, where: str, *, required: tuple[str, ...], optional: Mapping[str, Any]) -> None:
    """ComparisonError unless the data are a mapping of known fields, with those that are required."""
    known = [*required, *(key for key in optional if key not in required)]
    if not isinstance(data, dict):
        raise ComparisonError(f"{where}: {short(data)} is no mapping; its fields are {', '.join(known)}")
    for key in data:
        if key not in known:
            raise ComparisonError(f"{where}: there is no field {short(key)}; {near(key, known)}")
    for key in required:
        if key not in data:
            raise ComparisonError(f"{where}: the field {key!r} is missing")


def near(name: Any, known: Iterable[Any]) -> str:
    """Which of the known names may have been meant."""
    names = [*map(str, known)]
    found = get_close_matches(str(name), names, n=1)
    return f"did you mean {found[0]!r}?" if found else f"possible are {', '.join(names)}"


def short(value: Any) -> str:
    """A value as it can stand in a message of one line."""
    shown = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def text(value: Any, where: str) -> str:
    """A line of text."""
    if not isinstance(value, str):
        raise ComparisonError(f"{where}: {short(value)} is no text; put it in quotes")
    if not value.strip():
        raise ComparisonError(f"{where}: the text is empty")
    return value


def anything(value: Any, where: str) -> str:
    """Text, empty or not."""
    return "" if value == "" else text(value, where)


def number(low: float, high: float) -> Read[float]:
    """Reads a number from `low` to `high`."""

    def read(value: Any, where: str) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not isfinite(value)
            or not low <= value <= high
        ):
            raise ComparisonError(f"{where}: {short(value)} is no number from {low:g} to {high:g}")
        return float(value)

    return read


def count(low: int, high: int = 10**9) -> Read[int]:
    """Reads a whole number of at least `low`."""

    def read(value: Any, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ComparisonError(f"{where}: {short(value)} is no whole number from {low} to {high:,}")
        return value

    return read


def one_of(*values: Any) -> Read[Any]:
    """Reads one of several values."""

    def read(value: Any, where: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int) or value not in values:
            raise ComparisonError(f"{where}: {short(value)} is not possible; {near(value, values)}")
        return value

    return read


def optional(read: Read[T]) -> Read[T | None]:
    """Reads null as None."""
    return lambda value, where: None if value is None else read(value, where)


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Names with values."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ComparisonError(f"{where}: {short(value)} is no mapping of names to values")
    return value


def settings(value: Any, where: str) -> dict[str, Any]:
    """Fields of a recipe, with numbers, text, true, false, null, or lists of them."""
    for name, setting in mapping(value, where).items():
        if name in _NOT_SET:
            raise ComparisonError(f"{where}: {name} cannot be set; {_NOT_SET[name]}")
        if name not in Recipe.model_fields:
            raise ComparisonError(f"{where}: there is no setting {short(name)}; {near(name, Recipe.model_fields)}")
        for item in setting if isinstance(setting, list) else [setting]:
            if not isinstance(item, str | int | float | None):
                raise ComparisonError(f"{where}, {name}: {short(item)} is no number and no text")
    return {name: tuple(setting) if isinstance(setting, list) else setting for name, setting in value.items()}
