"""Command lines that are printed to be copied: one function spells them, so that they work with any path."""

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import PurePath

from glocal.passwords import without_passwords


def command(
    verb: str, *arguments: str | PurePath, options: Iterable[tuple[str, str | PurePath] | tuple[str]] = ()
) -> str:
    """`glocal VERB ARGUMENTS OPTIONS` as a line for a shell (bash, zsh), whatever characters paths and values hold.

    options: (flag, value), or (flag,) where the flag takes no value.

    An argument that begins with a dash is written as `./-name`, which is the same path, because `-name` would be read as a flag.
    Characters that cannot be seen or would break the line, such as a newline, are written as `$'...'` with their bytes.
    """
    words = ["glocal", verb, *map(as_path, arguments)]
    for flag, *value in options:
        text = "".join(map(str, value))
        words += [f"{flag}={text}"] if text.startswith("-") else [flag, *map(str, value)]
    return " ".join(map(quoted, words))


def typed_command() -> str:
    """The command line of this process as a shell reads it, without passwords."""
    return shlex.join(map(without_passwords, sys.argv))


def quoted(word: str) -> str:
    """A word as a shell reads it, on one line."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def as_path(path: str | PurePath) -> str:
    """A path that no program takes for a flag: one that begins with a dash as `./-name`."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def _escaped(character: str) -> str:
    """A character between `$'` and `'`; what is not printable as the bytes that stand for it on disk."""
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
