"""Reference pages of Python: every public name with its signature and its docstring, read from the modules."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from enum import Enum
from types import ModuleType
from typing import Any

from pydantic import BaseModel

import glocal
from docsite.markdown import cell, code, docstring, escaped, table
from docsite.settings import models
from docsite.types import short

ROOMS = ("design", "families", "net", "weights", "data", "recipes")
"""Rooms that are written for users of Python; the names of `glocal` itself gather the verbs of the others."""
WIDE = 100  # characters of a signature that fit in a line


def pages() -> dict[str, str]:
    """Every page about Python, by its path below the reference."""
    rooms = {f"python/{room}.md": room_page(f"glocal.{room}") for room in ROOMS}
    return {"python/index.md": names_page(), **rooms}


def names_page() -> str:
    """The names of `glocal` itself."""
    names = sorted(name for name in glocal.__all__ if not inspect.ismodule(getattr(glocal, name)))
    rows = [(f"[{name}](#glocal.{name})", cell(first_sentence(getattr(glocal, name)))) for name in names]
    entries = [entry(name, getattr(glocal, name), home="glocal") for name in names]
    errors = [entry(name, thing, home="glocal.errors") for name, thing in public(glocal.errors)]
    return "\n".join(
        [
            "# Python: the names of glocal\n",
            "`import glocal` imports no torch; each name loads what it needs when it is first used.\n",
            table(("Name", "What it is"), rows),
            *entries,
            "## Errors\n",
            docstring(glocal.errors.__doc__ or ""),
            *errors,
        ]
    )


def room_page(name: str) -> str:
    """A room of the package: each of its modules, and each public name in them."""
    room = importlib.import_module(name)
    parts = [f"# {name}\n", docstring(room.__doc__ or "")]
    exported = [n for n in getattr(room, "__all__", ()) if not inspect.ismodule(getattr(room, n))]
    if exported:
        parts.append(f"Importable from `{name}` itself: {', '.join(map(code, exported))}.\n")
    for module in modules(room):
        found = list(public(module))
        if found:
            parts += [f"## {module.__name__}\n", docstring(module.__doc__ or "")]
            parts += [entry(n, thing, home=module.__name__) for n, thing in found]
    return "\n".join(parts)


def modules(room: ModuleType) -> Iterator[ModuleType]:
    """A room and everything below it, in the order of their names."""
    yield room
    for info in sorted(pkgutil.walk_packages(room.__path__, room.__name__ + "."), key=lambda info: info.name):
        yield importlib.import_module(info.name)


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public classes and functions that a module defines, in the order of the file."""
    for name, thing in vars(module).items():
        defined_here = getattr(thing, "__module__", None) == module.__name__
        if not name.startswith("_") and defined_here and (inspect.isclass(thing) or inspect.isfunction(thing)):
            yield name, thing


def first_sentence(thing: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def entry(name: str, thing: Any, *, home: str) -> str:
    """A class or function: heading, signature, docstring, and a class's own methods. `home` makes its anchor: `home.name`."""
    parts = [
        f"### {name} {{ #{home}.{name} }}\n",
        f"```python\n{declaration(name, thing)}\n```\n",
        docstring(own_docstring(thing), names=names(thing)),
    ]
    if inspect.isclass(thing) and (members := [_member(thing, member) for member in methods(thing)]):
        parts.append("\n".join(members) + "\n")
    return "\n".join(parts)


def own_docstring(thing: Any) -> str:
    """A docstring that was written; the one that `dataclass` makes up repeats the signature."""
    text = thing.__doc__ or ""
    return "" if text.startswith(f"{thing.__name__}(") else text


def declaration(name: str, thing: Any) -> str:
    """A definition as it would be typed: `def train(...)`, `class Conv(...)`."""
    if inspect.isclass(thing) and issubclass(thing, BaseModel):
        return f"class {name}(*, ...)  # its fields: see Settings"
    if inspect.isclass(thing) and (issubclass(thing, Enum) or getattr(thing, "_is_protocol", False)):
        return f"class {name}"
    return f"{'class' if inspect.isclass(thing) else 'def'} {name}{signature(thing)}"


def signature(thing: Any) -> str:
    """Parameters and result, on one line or one a line; a class that takes what its parents take has none of its own."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return f"({thing.__base__.__name__})" if thing.__base__ else ""
    starred = _with_star([p for p in found.parameters.values() if p.name not in ("self", "cls")])
    result = found.return_annotation
    arrow = "" if inspect.isclass(thing) or result is inspect.Signature.empty else f" -> {_annotation(result)}"
    line = f"({', '.join(starred)}){arrow}"
    return line if len(line) <= WIDE else "(\n" + "".join(f"    {p},\n" for p in starred) + f"){arrow}"


def _annotation(annotation: Any) -> str:
    return short(annotation if isinstance(annotation, str) else inspect.formatannotation(annotation))


def _with_star(found: list[inspect.Parameter]) -> list[str]:
    """The parameters as they are written, with the bare `*` before those that go by name."""
    shown = [_parameter(p) for p in found]
    kinds = [p.kind for p in found]
    named = inspect.Parameter.KEYWORD_ONLY
    if named not in kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
        return shown
    first = kinds.index(named)
    return [*shown[:first], "*", *shown[first:]]


def _parameter(p: inspect.Parameter) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(p.kind.name, "")
    kind = "" if p.annotation is inspect.Parameter.empty else f": {_annotation(p.annotation)}"
    if p.default is inspect.Parameter.empty:
        return f"{stars}{p.name}{kind}"
    default = "..." if " at 0x" in repr(p.default) else repr(p.default)
    return f"{p.name}{kind}{' = ' if kind else '='}{default}"


def names(thing: Any) -> set[str]:
    """What the entries of a docstring may be about: parameters of a function, fields of a class, settings taken by name."""
    settings = {name for model in models() for name in model.model_fields}
    try:
        return {*inspect.signature(thing).parameters, *getattr(thing, "__dataclass_fields__", {})} | settings
    except (TypeError, ValueError):
        return set()


def methods(thing: type) -> Iterator[str]:
    """The documented public methods and properties that a class defines itself."""
    fields = {field.name for field in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
    for name, member in vars(thing).items():
        if name.startswith("_") or name in fields or isinstance(member, type):
            continue
        target = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        target = target.fget if isinstance(target, property) else target
        if inspect.isfunction(target) and target.__doc__:
            yield name


def _member(owner: type, name: str) -> str:
    """A method or property as one item of a list."""
    member = vars(owner)[name]
    if isinstance(member, property):
        target, shown = member.fget, name
    else:
        target = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        shown = name + " ".join(signature(target).split()).replace("( ", "(").replace(", )", ")")
    body = " ".join(escaped(target.__doc__ or "").split())
    return f"- `{shown}`: {body}"
