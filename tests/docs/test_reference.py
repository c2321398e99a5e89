"""The generated reference holds every command, flag, setting and public name, with its meaning."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

import glocal
from glocal.cli.app import VERBS, app

sys.path.append(str(Path(__file__).parents[2] / "tools"))

from docsite import api, examples, markdown, schemas, settings, types, verbs


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_has_every_flag_of_the_help_and_says_what_it_means(verb):
    shown = CliRunner(env={"COLUMNS": "250", "NO_COLOR": "1"}).invoke(app, [verb, "--help"]).output
    flags = set(re.findall(r"(?<![\w`-])--[a-z][\w-]+", re.sub(r"`[^`]*`", "", shown))) - {"--help"}
    documented = {name for p in verbs.parameters(verb) for name in p.names if name.startswith("--")}
    assert flags <= documented | set(re.findall(r"--[a-z][\w-]+", verbs.page(verb)))
    assert all(p.help for p in verbs.parameters(verb))
    assert verbs.usage(verb, verbs.parameters(verb)) in verbs.page(verb)


def test_every_setting_has_a_row():
    page = settings.page()
    for model in settings.models():
        assert all(f"| `{name}` |" in page for name in model.model_fields)


def test_the_classes_of_settings_are_found_by_their_fields():
    assert [model.__name__ for model in settings.models()][:3] == ["Recipe", "Place", "DataOptions"]
    assert {"SearchSettings", "StudySettings"} <= {model.__name__ for model in settings.models()}


def test_every_public_name_has_an_entry_with_a_docstring():
    pages = api.pages()
    for name in glocal.__all__:
        if name not in ("errors", "families"):
            assert f"{{ #glocal.{name} }}" in pages["python/index.md"]
    bare = [
        entry
        for page in pages.values()
        for entry in re.findall(r"^### (\S+) .*\n\n```python\n[^`]*```\n\n\n", page, re.M)
    ]
    assert not bare, "these have no docstring"


def test_every_command_that_prints_json_has_an_example():
    with_json = {verb for verb in VERBS if any("--json" in p.names for p in verbs.parameters(verb))}
    assert with_json == {command.partition(" ")[0] for command in examples.COMMANDS}, (
        "add one to tools/docsite/examples.py"
    )


def test_docstrings_become_lists_code_and_paragraphs():
    text = """First * line
    goes on.

    a: what it is,
        and more. b: not a list item.
    c: another

        code()
    """
    assert markdown.docstring(text, names={"a", "c"}) == (
        "First \\* line goes on.\n\n- `a`: what it is, and more. b: not a list item.\n- `c`: another\n\n    code()\n"
    )


def test_types_and_bounds_in_words():
    assert types.type_name(int | None) == "integer"
    assert types.type_name(tuple[float, float] | Literal["a", "b"]) == "pair of numbers or a, b"
    assert types.type_name(list[str]) == "text, repeatable"
    assert [types.value(v) for v in (None, False, True, 0, 0.05, (1, 2.5))] == ["", "", "yes", "0", "0.05", "1, 2.5"]


@dataclass(frozen=True)
class Point:
    """Two numbers."""

    x: int
    y: int = 0

    def norm(self, *, squared: bool = False) -> float:
        """The length."""
        return 0.0


def test_signatures_are_those_of_the_code():
    entry = api.entry("Point", Point, home="here")
    assert "### Point { #here.Point }" in entry
    assert "class Point(x: int, y: int = 0)" in entry
    assert "- `norm(*, squared: bool = False) -> float`: The length." in entry


def test_a_schema_fits_its_samples_and_tells_maps_from_records():
    a = {"n": 1, "recall": {"cat": 0.5, "dog": 1.0}, "wrong": None}
    b = {"n": 2.5, "recall": {"7": 0.0}, "wrong": {"path": "x"}, "extra": [1]}
    found = schemas.schema([a, b])
    assert found["required"] == ["n", "recall", "wrong"]
    assert found["properties"]["n"] == {"type": "number"}
    assert found["properties"]["recall"] == {"type": "object", "additionalProperties": {"type": "number"}}
    assert found["properties"]["wrong"]["type"] == ["object", "null"]
    assert found["properties"]["extra"] == {"type": "array", "items": {"type": "integer"}}
    assert schemas.map_names([a, b]) == {"recall"}
    assert [row[0] for row in schemas.keys(found)] == ["n", "recall", "recall.*", "wrong", "wrong.path", "extra"]
