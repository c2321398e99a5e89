"""The code of a Markdown page: its Python blocks, its commands and the files that it shows, in their order."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"(`{3,})\s*(\S*)\s*(.*)")
TITLE = re.compile(r'title="([^"]+)"')
NAMED = re.compile(r"# ([\w.-]+\.ya?ml)\n")
LIST_ITEM = re.compile(r"\s*([-*]|\d+\.)\s")
PROGRAMS = (
    "glocal",
    "python",
    "python3",
    "torchrun",
    "pip",
    "tensorboard",
    "mlflow",
    "pytest",
    "pre-commit",
    "ruff",
    "mypy",
)
"""A block without a language is one of commands where it begins with one of these, else it is output."""
SHELLS = ("sh", "bash", "shell", "console")


@dataclass(frozen=True)
class Block:
    """Code of a page: `kind` is "python", "command" (one command), or "file" (text that the page says to save as `title`)."""

    page: Path
    line: int
    kind: str
    text: str
    title: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}: {self.text.strip().splitlines()[0]}"


def blocks(page: Path) -> list[Block]:
    """Everything in a page that can be run, and the files that it shows under a title."""
    return [block for found in _raw(page) for block in _classified(page, *found)]


def _raw(page: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, language, info string and text of each fenced or indented block."""
    lines = page.read_text(encoding="utf-8").splitlines()
    i, in_list = 0, False
    while i < len(lines):
        if match := FENCE.match(lines[i].strip()):
            end = next(j for j in range(i + 1, len(lines)) if lines[j].strip() == match[1])
            margin = len(lines[i]) - len(lines[i].lstrip())
            yield i + 2, match[2], match[3], "\n".join(line[margin:] for line in lines[i + 1 : end]) + "\n"
            i = end + 1
        elif lines[i].startswith("    ") and not in_list and (i == 0 or not lines[i - 1].strip()):
            end = next(
                (j for j in range(i, len(lines)) if lines[j].strip() and not lines[j].startswith("    ")), len(lines)
            )
            yield i + 1, "", "", "\n".join(line[4:] for line in lines[i:end]).rstrip() + "\n"
            i = end
        else:
            if lines[i] and not lines[i].startswith(" "):
                in_list = bool(LIST_ITEM.match(lines[i]))
            i += 1


def _classified(page: Path, line: int, language: str, info: str, text: str) -> Iterator[Block]:
    title = TITLE.search(info) or (NAMED.match(text) if language == "yaml" else None)
    if title:
        yield Block(page, line, "file", text, title[1])
    elif language == "python" or (not language and text.startswith(("import ", "from "))):
        yield Block(page, line, "python", text)
    elif language in SHELLS or (not language and _program(text) in PROGRAMS):
        yield from _commands(page, line, text, prompts="\n$ " in "\n" + text)


def _program(text: str) -> str:
    """The first word of a block that is no assignment of a variable."""
    words = text.split(maxsplit=5)
    return next((word for word in words if not re.match(r"[A-Z_]+=", word)), "")


def _commands(page: Path, line: int, text: str, *, prompts: bool) -> Iterator[Block]:
    """The commands of a block, one a line; a backslash continues one, and where there are prompts all else is output."""
    waiting, start = "", line
    for number, shown in enumerate(text.splitlines(), line):
        if prompts and not waiting and not shown.startswith("$ "):
            continue
        if not waiting:
            start = number
        waiting += shown.removeprefix("$ ")
        if waiting.endswith("\\"):
            waiting = waiting[:-1]
        else:
            if waiting.strip() and not waiting.lstrip().startswith("#"):
                yield Block(page, start, "command", waiting.strip())
            waiting = ""


def words(command: str) -> list[str]:
    """The words of a command line, without its comment."""
    return shlex.split(command, comments=True)
