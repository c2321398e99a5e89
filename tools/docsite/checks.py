"""What is checked in a built site beyond the builder's own checks: every local link and picture, and Markdown left unrendered."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

REMNANTS = {
    "a list without an empty line before it": re.compile(r"\n[-*] |\n1\. "),
    "a table that is not one": re.compile(r"\|\s*:?-{3,}"),
    "bold text that is not": re.compile(r"(?<!\w)\*\*\w"),
    "a fence that was not closed": re.compile(r"```"),
}


class Page(HTMLParser):
    """The links, the anchors and the plain text of the article of one HTML page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.paragraphs: list[str] = []
        self._code = 0
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes links, pictures and anchors, and where paragraphs and code begin."""
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag in ("a", "img") and (link := values.get("href", values.get("src", ""))):
            self.links.append(link)
        if tag in ("pre", "code"):
            self._code += 1
        if tag in ("p", "li"):
            self._inside = True
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        """Notes where paragraphs and code end."""
        if tag in ("pre", "code"):
            self._code -= 1
        if tag in ("p", "li"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        """Keeps the text of paragraphs, without code."""
        if self._inside and not self._code:
            self.paragraphs[-1] += data


def problems(site: Path) -> list[str]:
    """A line for each thing that is wrong in a site."""
    pages = {path: _parsed(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    return [
        line for path, page in pages.items() for line in (*_links(path, page, site, pages), *_text(path, page, site))
    ]


def _parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _links(path: Path, page: Page, site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path not in ("", ".") else path.parent.resolve()
        target = path if not parts.path else target / "index.html" if target.is_dir() else target
        if not target.is_relative_to(site.resolve()) or not target.is_file():
            yield f"{path.relative_to(site)}: {link} leads nowhere"
        elif parts.fragment and target in pages and parts.fragment not in pages[target].anchors:
            yield f"{path.relative_to(site)}: {link} names an anchor that is not there"


def _text(path: Path, page: Page, site: Path) -> Iterator[str]:
    for paragraph in page.paragraphs:
        for fault, pattern in REMNANTS.items():
            if pattern.search(paragraph):
                yield f"{path.relative_to(site)}: {fault}: {' '.join(paragraph.split())[:80]}"
