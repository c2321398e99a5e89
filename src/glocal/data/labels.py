"""What a label says, whichever form it is written in: text, in one order. Counting and splitting are elsewhere."""

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any


def labels_of(value: Any) -> tuple[str, ...]:
    """The labels in a cell or field: words without blanks around them, NFC, and whole numbers as text; () where it is empty.

    A list holds several, each once. ValueError for what is no label, such as 0.5.
    """
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(label for each in value for label in labels_of(each)))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if isinstance(value, float) and value.is_integer():  # whole numbers beside missing ones are stored as floats
        value = int(value)
    if not isinstance(value, (str, int)):
        raise ValueError(f"{value!r} is no label: a word, a whole number or a list of them")
    text = unicodedata.normalize("NFC", str(value)).strip()
    return (text,) if text else ()


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """The order of classes that have none of their own: as numbers where all are whole numbers, as text otherwise."""
    each = set(names)
    numbers = all(re.fullmatch(r"-?[0-9]+", name) for name in each)
    return tuple(sorted(each, key=lambda name: (int(name), name)) if numbers else sorted(each))
