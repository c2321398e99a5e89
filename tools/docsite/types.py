"""Types and default values as a reader of the reference sees them."""

import re
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

NAMES = {int: "integer", float: "number", str: "text", bool: "yes or no", Path: "path"}


def type_name(annotation: Any) -> str:
    """A type in words: `integer`, `a, b` for a choice, `pair of numbers` for a tuple of two."""
    arguments = get_args(annotation)
    match get_origin(annotation):
        case None:
            return _plain(annotation)
        case origin if origin is Annotated:
            return type_name(arguments[0])
        case origin if origin is Literal:
            return ", ".join(map(str, arguments))
        case origin if origin is list:
            return f"{type_name(arguments[0])}, repeatable"
        case origin if origin is tuple:
            return _tuple(arguments)
        case _:  # a union
            return " or ".join(dict.fromkeys(type_name(part) for part in arguments if part is not NoneType))


def _plain(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(str(member.value) for member in annotation)
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _tuple(arguments: tuple[Any, ...]) -> str:
    names = [type_name(part) for part in arguments if part is not Ellipsis]
    if Ellipsis in arguments:
        return f"{names[0]}, one or more"
    return f"pair of {names[0]}s" if len(names) == 2 and names[0] == names[1] else ", ".join(names)


def value(default: Any) -> str:
    """A default value; nothing where there is none."""
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, list | tuple):
        return ", ".join(value(part) for part in default)
    if isinstance(default, float):
        return f"{default:.6g}"
    if default is None or default is False:
        return ""
    return "yes" if default is True else str(default)


def bounds(metadata: Any) -> str:
    """The limits that a field of settings has: `above 0, at most 1`."""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    found = [
        f"{word} {getattr(part, name):g}"
        for part in metadata
        for name, word in words.items()
        if getattr(part, name, None) is not None
    ]
    return ", ".join(dict.fromkeys(found))


def short(annotation: str) -> str:
    """An annotation as it is written in code, without the modules of its names."""
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", annotation).replace("NoneType", "None")
