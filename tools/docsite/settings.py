"""The reference page of every typed setting: help, type, bounds, default and flag, read from the fields."""

from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel

from docsite.markdown import cell, code, docstring, table
from docsite.types import bounds, type_name, value
from docsite.verbs import function
from glocal.cli.app import VERBS
from glocal.settings import Flag, Help, flag_name, flags, help_text

FIRST = ("Recipe", "Place", "DataOptions")

INTRODUCTION = """# Settings

A setting is one field of one of the classes below. Set it by its flag, by `--set NAME=VALUE` on the command line, by name in
Python (`glocal.train("pictures/", epochs=20)`), or in the `settings:` of a `run.yaml`. A setting that is unknown, out of range
or without effect is an error. "None" in the column of types means that the setting may be left empty (`null`).
"""


@cache
def models() -> tuple[type[BaseModel], ...]:
    """Every class of settings of glocal: those whose fields say what they are for. The frequent ones come first."""
    for verb in VERBS:
        function(verb)  # imports the settings that it takes
    found = {model.__name__: model for model in _below(BaseModel) if _is_settings(model)}
    rest = sorted(found.keys() - {*FIRST})
    return tuple(found[name] for name in (*FIRST, *rest))


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in model.__subclasses__():
        yield child
        yield from _below(child)


def _is_settings(model: type[BaseModel]) -> bool:
    documented = (part for field in model.model_fields.values() for part in field.metadata)
    return model.__module__.startswith("glocal.") and any(isinstance(part, Flag | Help) for part in documented)


def page() -> str:
    """Every setting, one table a class."""
    parts = [INTRODUCTION]
    for model in models():
        rows = [_row(model, field) for field in model.model_fields]
        parts += [
            f"## {model.__name__} {{ #{model.__name__.lower()} }}\n",
            docstring(model.__doc__ or ""),
            table(("Setting", "Type", "Default", "Flag", "Meaning"), rows),
        ]
    return "\n".join(parts)


def _row(model: type[BaseModel], name: str) -> tuple[str, ...]:
    field = model.model_fields[name]
    optional = NoneType in get_args(field.annotation)
    kind = type_name(field.annotation) + (" or None" if optional else "")
    limits = bounds(_metadata(field.annotation, field.metadata))
    default = field.get_default(call_default_factory=True)
    shown = "no" if default is False else "None" if default is None else '""' if default == "" else value(default)
    flag = code(flag_name(model, name)) if name in flags(model) else ""
    return code(name), cell(kind + (f"; {limits}" if limits else "")), code(shown), flag, cell(help_text(model, name))


def _metadata(annotation: Any, own: list[Any]) -> list[Any]:
    """The bounds of a field, which pydantic keeps with the field or within its type."""
    inner = [part for argument in get_args(annotation) for part in getattr(argument, "__metadata__", ())]
    nested = [part for info in (*own, *inner) for part in getattr(info, "metadata", ())]
    return [*own, *inner, *nested]
