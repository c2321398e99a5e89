"""Typed settings: a frozen class for each purpose. Flags, help, errors and run.yaml are made from its fields.

A setting is declared once, as a field. `Flag` in its annotation gives it a flag of its own on the command line.
"""

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from types import NoneType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from glocal.errors import RecipeError

STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
"""For every class of settings: values cannot be changed in place, unknown names and infinite numbers are errors."""

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Flag:
    """The command-line flag of a field: its help text, the panel of --help, and its name where that is not the field's."""

    help: str
    panel: str | None = None
    name: str | None = None
    env: str | None = None  # environment variable that sets it


@dataclass(frozen=True)
class Help:
    """What a field without a flag of its own is for; `--set NAME=VALUE` reaches it."""

    help: str


def help_text(model: type[BaseModel], name: str) -> str:
    """What a field is for, in a sentence."""
    return next(m.help for m in model.model_fields[name].metadata if isinstance(m, Flag | Help))


def flags(model: type[BaseModel]) -> dict[str, Flag]:
    """The fields of a class of settings that have a flag, in their order."""
    found = {}
    for name, field in model.model_fields.items():
        for flag in field.metadata:
            if isinstance(flag, Flag):
                found[name] = flag
    return found


def flag_name(model: type[BaseModel], name: str) -> str:
    """What a person types for a field: its flag, "--batch-size", or "--set eps" for a field without one."""
    flag = flags(model).get(name)
    if flag is None:
        return f"--set {name}"
    return flag.name or "--" + name.replace("_", "-")


def merge(settings: S, changes: Mapping[str, Any]) -> S:
    """The settings with other values, given as Python values or as text. RecipeError says what is unknown or wrong."""
    model = type(settings)
    for name in changes:
        if name not in model.model_fields:
            raise RecipeError(unknown_setting(name, model))
    try:
        values = {name: (_text if _holds_text(model, name) else _parsed)(value) for name, value in changes.items()}
        return model.model_validate({**settings.model_dump(), **values})
    except ValidationError as error:
        raise RecipeError(explanation(error, model)) from None


def divide(changes: Mapping[str, Any], *models: type[BaseModel]) -> tuple[dict[str, Any], ...]:
    """For each class, the settings that are fields of it; one that several classes have goes to each. RecipeError where no
    class has it."""
    for name in changes:
        if not any(name in model.model_fields for model in models):
            raise RecipeError(unknown_setting(name, *models))
    return tuple({k: v for k, v in changes.items() if k in model.model_fields} for model in models)


def unknown_setting(name: str, *models: type[BaseModel]) -> str:
    """The error message for a setting that none of the classes has."""
    known = [field for model in models for field in model.model_fields]
    return f"there is no setting {name!r}; {_suggestion(name, known)}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _holds_text(model: type[BaseModel], name: str) -> bool:
    """Whether a field takes text as it is, such as a regular expression or a path, and nothing else but None."""
    annotation = model.model_fields[name].annotation
    return set(get_args(annotation) or (annotation,)) <= {str, NoneType}


def _text(value: Any) -> Any:
    """Text as it is, but for null and ~, which mean None; paths as text."""
    value = str(value) if isinstance(value, PurePath) else value
    return None if value in ("null", "~") else value


def _parsed(value: Any) -> Any:
    """Text as YAML reads lists and null, so that (1, 2), [1, 2] and null are values; a path as text."""
    if isinstance(value, PurePath):
        return str(value)
    if not isinstance(value, str):
        return value
    listed = "[" + value.strip("()") + "]" if value.startswith("(") else value
    try:
        # Scalars stay text, which pydantic reads by the type of the field: YAML would read 010 as 8, 1:30 as 90, yes as true.
        parsed = yaml.load(listed, Loader=yaml.BaseLoader) if listed else listed
    except (yaml.YAMLError, RecursionError):
        return value
    if isinstance(parsed, list):
        return [_parsed(item) for item in parsed]
    if isinstance(parsed, dict):  # a path or address with ": " in it, or names and values, which a field reads itself
        return value
    return None if parsed in ("null", "~") else parsed


def explanation(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with the settings, in a sentence for each: as it would be typed, the value, and why."""
    # A field that may be one of several types has an error for each of them: the first one is enough.
    first = {str(problem["loc"][:1]): problem for problem in reversed(error.errors())}
    return "; ".join(_sentence(problem, model) for problem in reversed(first.values()))


def _sentence(problem: ErrorDetails, model: type[BaseModel]) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # a check of several fields together
        return message
    flag, value = flag_name(model, str(problem["loc"][0])), problem["input"]
    shown = value if isinstance(value, str) and len(value) < 200 else reprlib.repr(value)
    return f"{flag}{'=' if flag.startswith('--set ') else ' '}{shown}: {message[:1].lower()}{message[1:]}"
