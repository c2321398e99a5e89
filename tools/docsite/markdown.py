"""Text as Markdown: cells of tables, docstrings, and what Markdown would otherwise read as markup."""

import inspect
import re
from collections.abc import Collection, Iterable, Sequence

CODE = re.compile(r"(`[^`]*`)")
MARKUP = re.compile(r"([*\[\]]|(?<!\w)_|_(?!\w))")
"""Outside code these are markup; an underscore within a word is not."""


def escaped(text: str) -> str:
    """Text that Markdown shows as it is; what stands between backticks stays code."""
    parts = CODE.split(text)
    plain = (MARKUP.sub(r"\\\1", part).replace("<", "&lt;") for part in parts[::2])
    return "".join(a + b for a, b in zip(plain, (*parts[1::2], ""), strict=True))


def cell(text: str) -> str:
    """Text in one cell of a table."""
    parts = CODE.split(escaped(" ".join(text.split())))
    return "".join(part.replace("|", "\\|") for part in parts)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def code(text: object) -> str:
    """Text as code in a line; nothing for nothing."""
    shown = " ".join(str(text).split())
    return f"`{shown}`" if shown else ""


def docstring(text: str, *, names: Collection[str] = ()) -> str:
    """A docstring as Markdown: its paragraphs, its indented examples as code, and lines `NAME: meaning` as a list.

    names: what such lines may begin with, the parameters or fields of what the docstring belongs to.
    """
    paragraphs: list[str] = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines):
            paragraphs.append(paragraph)
        elif _entry(lines[0], names):
            paragraphs.append(_entries(lines, names))
        else:
            paragraphs.append(escaped(" ".join(line.strip() for line in lines)))
    return "\n\n".join(paragraphs) + "\n"


def _entry(line: str, names: Collection[str]) -> re.Match[str] | None:
    """A line `NAME: meaning`, or `ONE, OTHER: meaning`."""
    match = re.match(r"(\w+(?:, \w+)*): (\S.*)", line)
    return match if match and set(match[1].split(", ")) <= {*names} else None


def _entries(lines: Sequence[str], names: Collection[str]) -> str:
    """`NAME: meaning` lines, of which each may go on in lines that follow it."""
    items: list[str] = []
    for line in lines:
        if entry := _entry(line, names):
            items.append(f"- `{entry[1]}`: {escaped(entry[2])}")
        else:
            items[-1] += " " + escaped(line.strip())
    return "\n".join(items)
