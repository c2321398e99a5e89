"""The whole site builds without a warning, and the checks of the build find what is wrong."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

from docsite import checks, navigation  # noqa: E402

needs_zensical = pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="needs pip install '.[docs]'")


@needs_zensical
@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    import build_docs as tool

    (tmp_path / "work").mkdir()
    assert tool.build(tmp_path / "work", tmp_path / "site") == []
    for page in ("index", "tutorial/index", "reference/commands/train/index", "reference/json/index", "notebook/index"):
        assert (tmp_path / "site" / f"{page}.html").is_file()
    assert "fonts.googleapis" not in (tmp_path / "site" / "index.html").read_text()


def test_links_anchors_pictures_and_unrendered_markdown_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text('<h1 id="top">A</h1><p>x</p>')
    (tmp_path / "index.html").write_text(
        '<a href="a/">a</a> <a href="a/#top">t</a> <a href="a/#gone">g</a> <a href="b/">b</a> <img src="c.svg">'
        '<a href="https://example.com/">e</a> <a href="../outside">o</a>'
        "<p>text\n- item</p><pre><code>\n- not an item</code></pre><p>2**64</p>"
    )
    assert checks.problems(tmp_path) == [
        "index.html: a/#gone names an anchor that is not there",
        "index.html: b/ leads nowhere",
        "index.html: c.svg leads nowhere",
        "index.html: ../outside leads nowhere",
        "index.html: a list without an empty line before it: text - item",
    ]


def test_the_navigation_names_every_page_once(tmp_path):
    for name in ("a.md", "b.md", "f/index.md", "f/z.md", "f/c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    nav = navigation.expanded([{"A": "a.md"}, {"F": ["f/"]}, {"G": [{"H": "gone.md"}, "a.md"]}], tmp_path)
    assert nav[1] == {"F": [["f/index.md", "f/c.md", "f/z.md"]]}
    assert navigation.problems(nav, tmp_path) == [
        "b.md is in no section of the navigation; add it to docs/zensical.toml",
        "docs/zensical.toml names gone.md, which does not exist",
        "docs/zensical.toml names a.md 2 times",
    ]


def test_the_navigation_is_written_as_toml():
    config = 'before = 1\nnav = [\n  "x.md",\n]\nafter = 2\n'
    assert navigation.with_nav(config, [{"A b": "a.md"}, {"C": ["c.md", {"D": "d.md"}]}]) == (
        'before = 1\nnav = [{ "A b" = "a.md" }, { "C" = ["c.md", { "D" = "d.md" }] }]\nafter = 2\n'
    )
