"""Names of classes that a reader cannot tell apart, or takes for one another."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping

from glocal.data.faults import Fault, Severity
from glocal.data.sources.labels import is_invisible, plain

_LIKE = {
    "-": "‐‑‒–—―−﹘－⁃˗",
    "'": "’‘‛′ʼʹ＇`´",
    '"': "“”„‟″＂",
    ".": "․",
    "a": "аɑ",
    "c": "сϲ",
    "d": "ԁ",
    "e": "е",
    "h": "һ",
    "i": "іı",
    "j": "јϳ",
    "l": "ⅼ",
    "o": "оοօ",
    "p": "рρ",
    "s": "ѕ",
    "v": "ѵν",
    "w": "ԝ",
    "x": "х",
    "y": "уү",
    "A": "АΑ",
    "B": "ВΒ",
    "C": "СϹ",
    "E": "ЕΕ",
    "H": "НΗ",
    "I": "ІΙӀ",
    "J": "Ј",
    "K": "КΚ",
    "M": "МΜ",
    "N": "Ν",
    "O": "ОΟ",
    "P": "РΡ",
    "S": "Ѕ",
    "T": "ТΤ",
    "X": "ХΧ",
    "Y": "ҮΥ",
    "Z": "Ζ",
}
"""Dashes, quotation marks, and letters of other alphabets that are drawn like a Latin one (from Unicode's confusables)."""

_ALIKE = str.maketrans({other: latin for latin, others in _LIKE.items() for other in others})


def _visible(name: str) -> str:
    return "".join(c for c in name if not is_invisible(c))


def _number(name: str) -> str:
    return str(int(name)) if name.isdecimal() and len(name) < 4000 else name


_FORMS: tuple[tuple[Callable[[str], str], str, Severity], ...] = (
    (lambda name: unicodedata.normalize("NFC", name), "the Unicode form of its characters", "error"),
    (str.strip, "spaces at its ends", "error"),
    (lambda name: " ".join(name.split()), "the number or the kind of its spaces", "error"),
    (_visible, "characters that cannot be seen", "error"),
    (plain, "spaces and characters that cannot be seen", "error"),
    (lambda name: name.translate(_ALIKE), "characters that look alike", "warning"),
    (lambda name: unicodedata.normalize("NFKC", name), "the compatibility form of its characters", "warning"),
    (str.casefold, "case", "warning"),
    (_number, "zeros before it", "warning"),
)
"""What is taken away from two names, step by step, until they are equal: the step that made them so is the difference.

An error where no eye sees the difference, so that nobody can have meant two classes; a warning where a careful one does.
"""


def appearance(name: str) -> str:
    """A key that names share which a reader would mix up."""
    for form, _, _ in _FORMS:
        name = form(name)
    return name


def difference(name: str, other: str) -> tuple[str, Severity]:
    """What two names of one appearance differ in, and how severe that is."""
    for form, what, severity in _FORMS:
        name, other = form(name), form(other)
        if name == other:
            return what, severity
    raise AssertionError(f"{name!r} and {other!r} look different")


def shown(name: str) -> str:
    """A name in a message: in quotation marks, with what cannot be seen spelt out, where it is not as plain as it looks."""
    return name if name.isprintable() and name == plain(name) and name else ascii(name)


def similar_names(names: Iterable[str]) -> Iterator[Fault]:
    """Classes whose names a reader would mix up, and those whose names show nothing."""
    seen: dict[str, str] = {}
    for name in names:
        if not plain(name):
            yield Fault("class map", name, f"a class whose name {name!a} shows nothing; give it another", "warning")
        other = seen.setdefault(appearance(name), name)
        if other != name:
            what, severity = difference(name, other)
            reason = f"differs from the class {shown(other)} only in {what}"
            if severity == "error":
                reason = f"the class {shown(name)} {reason}; make them one, or give one another name"
            yield Fault("class map", name, reason, severity)


def spelling_faults(spellings: Mapping[str, Iterable[str]]) -> Iterator[Fault]:
    """Classes whose labels the source writes in several ways that are read as one: by spaces around it, by Unicode form."""
    for name, written in sorted(spellings.items()):
        first, *others = sorted(written)
        if others:
            what = " and ".join(sorted({difference(first, other)[0] for other in others}))
            ways = ", ".join(ascii(each) for each in (first, *others))
            yield Fault(
                "class map", name, f"written as {ways}, which differ only in {what}: read as one class", "warning"
            )
