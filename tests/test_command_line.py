"""A command line that is printed reaches the program with the words that were meant, whatever they hold."""

import os
import subprocess
from pathlib import Path

import pytest

from glocal.command_line import command

NAMES = [
    "pictures",
    "my pictures",
    "-pics",
    "--help",
    "-",
    "it's",
    'a "quote"',
    "new\nline",
    "tab\tand\x1b[31mred",
    "back\\slash",
    "back\\\nslash'",
    "$HOME `id` !! *?[a]{b,c}",
    "~",
    "#comment",
    "a;b|c&d>e",
    "zero\u200bwidth",
    "no\u00a0break",
    "\u202etfel",
    "猫 🐈",
    os.fsdecode(b"caf\xe9 a"),
    " leading and trailing ",
    "",
]


def words_of(line: str) -> list[str]:
    """What bash gives a program as its arguments."""
    shown = subprocess.run(
        ["bash", "-c", f'glocal() {{ for word in "$@"; do printf "%s\\0" "$word"; done; }}; {line}'],
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return [os.fsdecode(word) for word in shown.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_shell_reads_back_the_words_that_were_meant(name: str):
    line = command("train", name, "B", options=[("--group-by", name), ("--skip-bad-files",)])
    assert line.isprintable()
    verb, first, second, *options = words_of(line)
    assert (verb, second) == ("train", "B")
    assert os.path.normpath(first or ".") == os.path.normpath(name or ".")
    assert not first.startswith("-")
    assert options in (["--group-by", name, "--skip-bad-files"], [f"--group-by={name}", "--skip-bad-files"])
    assert not (len(options) == 3 and name.startswith("-"))


def test_plain_words_stay_plain():
    assert command("val", Path("runs/train/a"), options=[("--split", "test")]) == "glocal val runs/train/a --split test"
