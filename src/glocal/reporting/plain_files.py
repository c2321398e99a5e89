"""CSV, JSON and YAML files as plain values. A file that is not there is None or empty; one that is not whole is a SearchError."""

import csv
import json
import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from glocal.design import Architecture
from glocal.errors import ArchitectureError, SearchError
from glocal.families import described
from glocal.files import parse_yaml

MAX_VALUES = 1_000_000  # in one file, with those that YAML repeats by reference
MAX_NUMBER = 1e18  # no cost, time or count is larger, and figures cannot show everything that a float can hold


def not_whole(path: Path, reason: object) -> SearchError:
    """The error of a file that is not as a search writes it."""
    return SearchError(f"{path} is not whole: {reason}")


def read_csv(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a table. SearchError where it lacks a column or a row is cut off."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            rows = list(table)
            names = table.fieldnames or ()
    except (OSError, ValueError, csv.Error) as error:
        raise not_whole(path, error) from None
    if missing := [name for name in columns if name not in names]:
        raise not_whole(path, f"it has no column {', '.join(missing)}")
    if any(None in row.values() or None in row for row in rows):
        raise not_whole(path, "a row has more or fewer cells than the heading")
    return rows


def number(cell: str, path: Path) -> float:
    """A cell of a table as a finite number."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= MAX_NUMBER:
        raise not_whole(path, f"{cell!r} is not a number")
    return value


def whole_number(cell: str, path: Path) -> int:
    """A cell of a table as a whole number that is not negative."""
    value = number(cell, path)
    if value < 0 or value != int(value):
        raise not_whole(path, f"{cell!r} is not a whole number")
    return int(value)


def fraction(cell: str, path: Path) -> float | None:
    """A cell of a table as an accuracy; None where it is empty."""
    if cell and not 0 <= number(cell, path) <= 1:
        raise not_whole(path, f"{cell} is not an accuracy, a fraction between 0 and 1")
    return float(cell) if cell else None


def read_yaml(path: Path) -> Any:
    """The values of a YAML file."""
    try:
        return _checked(parse_yaml(path.read_bytes())) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise not_whole(path, error) from None


def read_json(path: Path, *keys: str) -> dict[str, Any] | None:
    """The object of a JSON file; SearchError where it lacks one of the keys."""
    values = _json(path)
    return None if values is None and not path.is_file() else _object(values, keys, path)


def read_json_list(path: Path, *keys: str) -> list[dict[str, Any]]:
    """The objects of a list that a JSON file holds; SearchError where one lacks one of the keys."""
    values = _json(path)
    if values is None and not path.is_file():
        return []
    return objects(values, keys, path)


def objects(values: Any, keys: Collection[str], path: Path) -> list[dict[str, Any]]:
    """A list of objects within a file."""
    if not isinstance(values, list):
        raise not_whole(path, f"it must have a list of objects with {', '.join(keys)}")
    return [_object(value, keys, path) for value in values]


def _object(values: Any, keys: Collection[str], path: Path) -> dict[str, Any]:
    if not isinstance(values, dict) or not set(keys) <= values.keys():
        raise not_whole(path, f"it must have {', '.join(keys)}")
    return values


def _json(path: Path) -> Any:
    try:
        return _checked(json.loads(path.read_bytes())) if path.is_file() else None
    except RecursionError:
        raise not_whole(path, "its values are nested too deeply") from None
    except (OSError, ValueError) as error:
        raise not_whole(path, error) from None


def mapping(values: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """An object within a file, by its name; empty where there is none."""
    found = values.get(key)
    if not isinstance(found, dict | None):
        raise not_whole(path, f"its {key} must be names and values")
    return found or {}


def numbers(values: Mapping[str, Any], path: Path, names: Iterable[str]) -> dict[str, float]:
    """Those of the named values that are there and not None, which must be numbers."""
    found = {name: values[name] for name in names if values.get(name) is not None}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise not_whole(path, f"its {name} is {value!r}, which is not a number")
    return found


def read_text(path: Path) -> str:
    """The text of a file for people, empty where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def read_architecture(path: Path) -> Architecture | None:
    """An architecture or a space."""
    if (values := read_yaml(path)) is None:
        return None
    try:
        return described(values, str(path))
    except ArchitectureError as error:
        raise SearchError(f"{path} cannot be read: {error}") from None


def _checked(values: Any) -> Any:
    """The values of a file; ValueError where they cannot be shown: too many, in a circle, or numbers that are not finite."""
    left, seen = [(values, 0)], 0
    while left:
        value, depth = left.pop()
        seen += 1
        if seen > MAX_VALUES or depth > 100:
            raise ValueError("it has too many values")
        if isinstance(value, dict):
            left += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list | tuple | set):
            left += [(inner, depth + 1) for inner in value]
        elif isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:
            raise ValueError("it has a number that is too large or none")
    return values
