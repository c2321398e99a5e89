"""Labels that say that there is none, such as NaN or None, where other rows have words: nobody makes them a class unasked."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from glocal.data.faults import Fault
from glocal.data.sources.labels import plain
from glocal.data.sources.listing import Listed, Listing

Policy = Literal["ask", "class", "drop"]

_WORDS = frozenset(
    (
        "nan -nan none null nil na nat n/a n.a. n.a #n/a #na #null! <na> <nan> <none> <null> (null) "
        "1.#qnan -1.#qnan 1.#ind -1.#ind"
    ).split()
)
"""What programs write for a value that is missing (pandas reads most of these so)."""

_MARKS = frozenset(["-", "--", "---", "–", "—", "?", ".", "_", "/"])
"""What people write for it; in a set of single characters these are characters like the others."""


def settle_missing_labels(listing: Listing, policy: Policy) -> None:
    """Applies a policy to a listing whose labels are text.

    "ask": an error for each such label, which names its first picture. "drop": its pictures are left out, and so are rows without
    any label. "class": it is a class like the others.
    """
    suspects = _suspects({name for file in listing.files for name in file.classes})
    found = [file for file in listing.files if suspects.intersection(file.classes)]
    if policy == "drop":
        listing.faults = [_dropped(fault) for fault in listing.faults]
        listing.faults += (_left_out(file, suspects) for file in found)
        listing.files = [file for file in listing.files if not suspects.intersection(file.classes)]
        listing.order = tuple(name for name in listing.order if name not in suspects)
    else:
        listing.faults += _faults(found, suspects, policy=policy)


def says_nothing(label: str, *, among: set[str]) -> bool:
    """Whether a label says that there is none, among all labels of its source."""
    text = plain(label).casefold()
    if text in _MARKS:
        return any(len(plain(other)) > 1 for other in among if plain(other) not in _MARKS)
    return text in _WORDS


def _suspects(labels: set[str]) -> set[str]:
    return {label for label in labels if says_nothing(label, among=labels)}


def _faults(files: list[Listed], suspects: set[str], *, policy: str) -> Iterator[Fault]:
    for label in sorted(suspects):
        its = [file for file in files if label in file.classes]
        count = f"{len(its):,} pictures have the label {label!r}" if len(its) > 1 else f"its label is {label!r}"
        if policy == "ask":
            reason = (
                f"{count}, which often says that there is no label; --missing-labels drop leaves such pictures out, "
                "--missing-labels class makes it a class"
            )
            yield Fault("missing label", its[0].path, reason, "error")
        else:
            yield Fault("missing label", its[0].path, f"{count}, which is a class, as was asked for", "note")


def _left_out(file: Listed, suspects: set[str]) -> Fault:
    label = next(label for label in file.classes if label in suspects)
    return Fault("no label", file.path, f"its label {label!r} says that there is none", "dropped")


def _dropped(fault: Fault) -> Fault:
    return replace(fault, severity="dropped") if (fault.kind, fault.severity) == ("no label", "error") else fault
