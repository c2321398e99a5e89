"""The reference page of the folders of runs, searches and studies: the files that examples really wrote, and what is in them.

What each file is for is read from the docstring of the module that lays the folder out.
"""

import csv
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from docsite.examples import Examples
from docsite.markdown import cell, code, table

LAYOUTS = {
    "run": ("glocal.artifacts.run_folder", "runs/train/example"),
    "search": ("glocal.searching.search", "runs/search/example"),
    "study": ("glocal.comparing.run_study", "runs/study/example"),
}
"""For each kind of folder, the module that says what lies in it, and the example."""


def described(module: str) -> dict[str, str]:
    """The files of a folder and what they are for, as the table in a module's docstring says."""
    found: dict[str, str] = {}
    for line in (importlib.import_module(module).__doc__ or "").splitlines():
        if match := re.fullmatch(r"(\S+)\s{2,}(\S.*)", line):
            name, text = match.groups()
            found[name.partition("/")[0]] = text
    return found


def page(examples: Examples) -> str:
    """Every kind of folder."""
    parts = [
        "# Folders\n",
        "A run, a search or a study has a folder of its own, which is never overwritten: where the name is taken, `-2`, `-3`, "
        "... are tried. The files below are those that the commands of [the JSON page](json.md) wrote for this page.\n",
    ]
    for kind, (module, example) in LAYOUTS.items():
        folder = examples.folder / example
        rows = [(code(name), cell(text)) for name, text in described(module).items()]
        parts += [f"## The folder of a {kind}\n", table(("File or folder", "What it holds"), rows)]
        parts += ["### Columns and keys\n", table(("File", "Columns, or keys at the top"), list(_insides(folder)))]
    return "\n".join(parts)


def undescribed(examples: Examples) -> list[str]:
    """Files of the examples that no docstring describes."""
    return [
        f"{module} does not say what {path.name} in {example} is"
        for module, example in LAYOUTS.values()
        for path in sorted((examples.folder / example).iterdir())
        if not _known(path, {*described(module)})
    ]


def _known(path: Path, names: set[str]) -> bool:
    """Whether a file or folder is described; a folder that a search makes for a level is LEVEL."""
    return path.name in names or ("LEVEL" in names and (path / "space.yaml").is_file())


def _insides(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (names := _names_in(path)) and not re.search(r"(finalists|rank|supernet|trials)/", name):
            yield code(name), ", ".join(code(n) for n in names)


def _names_in(path: Path) -> list[str]:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return next(csv.reader(file))
    content: Any = None
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".yaml":
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return list(content) if isinstance(content, dict) else []
