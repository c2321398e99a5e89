"""The verb show."""

import json
import re
from typing import Annotated

import typer

from glocal.cli.networks import spaces, timm_models
from glocal.cli.networks.models import summary
from glocal.cli.options import JSON, size_of
from glocal.design import Architecture, adapt, decide, dump, python, questions, spell
from glocal.design import show as page
from glocal.design.text import words
from glocal.errors import RecipeError
from glocal.families.spaces import model_or_space


def show(
    model: Annotated[
        str, typer.Argument(help="A name of a model or a search space, an architecture.yaml, or timm:NAME.")
    ],
    ops: Annotated[bool, typer.Option("--ops", help="Spell every op with its shapes.")] = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="The description that an architecture.yaml holds.")] = False,
    as_python: Annotated[bool, typer.Option("--python", help="The Python expression that makes it.")] = False,
    img_size: Annotated[str | None, typer.Option(help="Pixels: 224, or 192x256 (height x width).")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes.")] = None,
    answers: Annotated[str | None, typer.Option(help="One network of a space, by its answers: 3-0-1.")] = None,
    as_json: JSON = False,
) -> None:
    """Show one architecture: its words, their costs, the shapes between them. Or a space: its size, costs and questions."""
    if ops + yaml + as_python + as_json > 1:
        raise RecipeError("--ops, --yaml, --python and --json each choose the form; give one")
    if model.startswith("timm:") and not (ops or yaml or as_python or img_size or classes is not None or answers):
        timm_models.show_timm(model, as_json=as_json)
        return
    arch = adapt(model_or_space(model), size=size_of(img_size), classes=classes)
    if answers is not None:
        if not questions(arch):
            raise RecipeError(f"--answers chooses a network of a space, and {arch.name} is one network")
        arch = decide(arch, _sheet(answers))
    is_space = bool(questions(arch))
    if ops and is_space:
        raise RecipeError(f"--ops spells one network, and {arch.name} is a space of many; give --answers, as in 3-0-1")
    if as_json:
        print(json.dumps(spaces.summary(arch) if is_space else {**summary(arch), "architecture": dump(arch)}))
    elif yaml:
        from yaml import safe_dump

        print(safe_dump(dump(arch), sort_keys=False, width=120), end="")
    elif as_python:
        print("\n".join(_imports(arch)), python(arch), sep="\n\n")
    elif is_space:
        spaces.page(arch)
    else:
        print(spell(arch) if ops else page(arch))


def _sheet(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(-\d+)*", text):
        raise RecipeError(f"--answers {text!r}: give one number a question, in forward order, as in 3-0-1")
    return tuple(map(int, text.split("-")))


def _imports(arch: Architecture) -> list[str]:
    """The import lines that an expression of the architecture needs."""
    homes: dict[str, list[str]] = {}
    for cls in words(arch):
        home = "glocal.design" if cls.__module__.startswith("glocal.design") else cls.__module__
        homes.setdefault(home, []).append(cls.__name__)
    return [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]
