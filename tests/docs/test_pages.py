"""The pages as they are written: in the navigation, with links that lead somewhere, and pictures that are current."""

import importlib
import itertools
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
sys.path.append(str(ROOT / "tools"))

import house  # noqa: E402
from docsite import navigation  # noqa: E402

from glocal.comparing.tables import list_studies  # noqa: E402

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ON_THE_SITE = {"notebook.md", "contributing.md", "changes.md", "security.md"}
"""Pages that the build makes from a notebook, or from a file at the root of the repository."""


def test_every_page_is_in_the_navigation():
    nav = navigation.expanded(navigation.read(DOCS / "zensical.toml")["project"]["nav"], DOCS)
    problems = [line for line in navigation.problems(nav, DOCS) if not re.search(r" names (reference/|\S*\.md)", line)]
    named = {page for page in navigation.pages(nav) if not page.startswith("reference/")} - ON_THE_SITE
    assert not problems
    assert not [page for page in named if not (DOCS / page).is_file()], (
        "docs/zensical.toml names these; they do not exist"
    )


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link} names a heading that is not there"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lists_have_an_empty_line_before_them(page):
    """GitHub shows such a list, the site shows a paragraph with dashes."""
    lines = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL).splitlines()
    item = re.compile(r"([-*]|1\.) ")
    for before, line in itertools.pairwise(lines):
        assert not item.match(line) or not before.strip() or item.match(before) or before.startswith(" "), (
            f"{page.name}: put an empty line before {line[:40]!r}"
        )


def test_the_picture_of_the_house_is_that_of_the_test_of_rooms():
    assert house.drawing() == house.PICTURE.read_text(encoding="utf-8"), "draw it anew: python tools/house.py"


def test_a_term_is_explained_once():
    rows = re.findall(r"^\| (?!term|---)([^|]+) \|", (DOCS / "terms.md").read_text(encoding="utf-8"), re.MULTILINE)
    terms = [term.strip().lower() for row in rows for term in re.split(r", ", row)]
    assert not {term for term in terms if terms.count(term) > 1}


IN_CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:src|tests|tools|benchmarks|docs)/[\w./-]+")
NAME = re.compile(r"glocal(?:\.[a-z_A-Z]\w*)+")
TO_BE_WRITTEN = {"tests/families/test_fasternet.py"}
"""Files that a page tells its reader to write."""
OF_ITS_DAY = {"log.md", "0004-rooms-are-nouns.md", "0017-rooms-second-edition.md"}
"""Pages that name what was there, or could have been, when they were written."""


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in OF_ITS_DAY], ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_names_of_python_that_a_page_mentions_exist(page):
    for code in IN_CODE.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        if FILE.fullmatch(code) and "NAME" not in code and code not in TO_BE_WRITTEN:
            assert (ROOT / code).exists(), f"{page.name} mentions {code}, which does not exist"
        name = NAME.match(code)
        if name and code not in list_studies():
            assert resolves(name[0]), f"{page.name} mentions {name[0]}, which does not exist"


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        return all((thing := getattr(thing, part, None)) is not None for part in parts[n:])
    return False
