"""The navigation of the site: which pages there are, under which heading, and what is missing from it."""

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Nav = list[dict[str, Any]]


def expanded(nav: Sequence[dict[str, Any]], docs: Path) -> Nav:
    """A navigation in which each folder ("reference/commands/") has become the pages in it, its index first."""
    return [{title: _expand(value, docs) for title, value in item.items()} for item in nav]


def _expand(value: Any, docs: Path) -> Any:
    if isinstance(value, str):
        return _folder(value, docs) if value.endswith("/") else value
    return [
        _expand(item, docs) if isinstance(item, str) else {k: _expand(v, docs) for k, v in item.items()}
        for item in value
    ]


def _folder(folder: str, docs: Path) -> list[str]:
    found = sorted(path.relative_to(docs).as_posix() for path in (docs / folder).glob("*.md"))
    return sorted(found, key=lambda page: not page.endswith(("/index.md", "/README.md")))


def pages(nav: Any) -> Iterator[str]:
    """Every page that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from pages(value)
    else:
        for item in nav:
            yield from pages(item)


def read(config: Path) -> dict[str, Any]:
    """A zensical.toml."""
    return tomllib.loads(config.read_text(encoding="utf-8"))


def problems(nav: Nav, docs: Path) -> list[str]:
    """Pages that the navigation does not name, and pages that it names and that do not exist."""
    named = list(pages(nav))
    there = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    return [
        *(
            f"{page} is in no section of the navigation; add it to docs/zensical.toml"
            for page in sorted(there - {*named})
        ),
        *(f"docs/zensical.toml names {page}, which does not exist" for page in named if page not in there),
        *(
            f"docs/zensical.toml names {page} {named.count(page)} times"
            for page in sorted({*named})
            if named.count(page) > 1
        ),
    ]


def with_nav(config: str, nav: Nav) -> str:
    """The text of a zensical.toml with another navigation. JSON's arrays and texts are TOML's; its objects are not."""
    before, _, rest = config.partition("\nnav = [")
    _, _, after = rest.partition("\n]\n")
    return f"{before}\nnav = {toml(nav)}\n{after}"


def toml(value: Any) -> str:
    """Texts, lists and tables of them in one line of TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)
