"""What a label says, in whichever form it is written: text, and an order. Counting and splitting are elsewhere."""

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any


def labels_of(value: Any) -> tuple[str, ...]:
    """The labels in a cell or field: words without spaces around them, NFC, and whole numbers as text; () where it is empty.

    A list holds several, each once. ValueError for what is no label, such as 0.5.
    """
    return tuple(dict.fromkeys(text for written in spellings(value) if (text := _normal(written))))


def spellings(value: Any) -> tuple[str, ...]:
    """The labels in a cell or field as they are written there. ValueError for what is no label, such as 0.5."""
    if isinstance(value, (list, tuple)):
        return tuple(label for each in value for label in spellings(each))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if isinstance(value, float) and value.is_integer():  # whole numbers beside missing ones are stored as floats
        value = int(value)
    if not isinstance(value, (str, int)) or not is_text(str(value)):
        raise ValueError(f"{value!r} is no label: a word, a whole number or a list of them")
    return (str(value),)


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: JSON and file names may hold halves of characters, which nothing can print."""
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def plain(name: str) -> str:
    """A name as the eye sees it: NFC, without characters that show nothing, and every run of white space as one space."""
    shown = "".join(c for c in unicodedata.normalize("NFC", name) if c.isspace() or not is_invisible(c))
    return " ".join(shown.split())


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing by itself: zero-width spaces, joiners, marks of direction, soft hyphens, controls.

    White space that takes room, such as the no-break space, does not count, nor do characters that no standard assigns.
    """
    return unicodedata.category(character) in ("Cf", "Cc") or character in _BLANKS


_BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))
"""Fillers, the empty Braille pattern and variation selectors, which Unicode counts among letters, symbols and marks."""


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """The order of classes that have none of their own: as numbers where all are whole numbers, as text otherwise."""
    each = set(names)
    numbers = all(
        re.fullmatch(r"-?[0-9]{1,4000}", name) for name in each
    )  # Python reads no number of more than 4,300 digits
    return tuple(sorted(each, key=lambda name: (int(name), name)) if numbers else sorted(each))
