"""What was found on disk that a reader must know, and how errors are worded. Other modules find the faults."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from glocal.data.sources.labels import is_text
from glocal.errors import DataError

Severity = Literal["error", "dropped", "converted", "note", "warning"]

SKIPPABLE = frozenset(
    {
        "zero bytes",
        "truncated",
        "not a picture",
        "too large",
        "unreadable",
        "no label",
        "no picture",
        "cut short",
        "not a shard",
    }
)
"""Kinds that belong to one file, which `--skip-bad-files` leaves out; every other error needs a decision."""

_LISTED = 10  # errors spelled out in a message; the rest is counted


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing found, by path relative to the source ("" where it concerns the whole source).

    error: nothing is trained until it is mended. dropped: the file is left out, as the user asked. converted: the picture was
    changed by a stated rule. warning: used as it is, and the numbers may suffer. note: left out or done, as it should be.
    """

    kind: str
    path: str
    reason: str
    severity: Severity

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Fault":
        """The inverse of `to_json`."""
        fault = cls(**values)
        if not all(isinstance(value, str) and is_text(value) for value in values.values()):
            raise TypeError(f"no fault: {values}")
        if fault.severity not in get_args(Severity):
            raise DataError(f"a fault of severity {fault.severity!r}; known: {', '.join(get_args(Severity))}")
        return fault

    def __str__(self) -> str:
        return _one_line(f"{self.path or '.'}: {self.reason}")


def _one_line(text: str) -> str:
    """Text with what would break the line, colour it or turn it round spelt out; joiners belong to scripts and emoji."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else c.encode("unicode_escape").decode() for c in text)


def raise_errors(source: str, faults: Iterable[Fault]) -> None:
    """Raises DataError if any fault is an error, with the first ten, their number, and what mends them."""
    errors = [fault for fault in faults if fault.severity == "error"]
    if not errors:
        return
    lines = [f"{source}: {len(errors)} error{'s' if len(errors) > 1 else ''} in the data"]
    lines += [f"  {fault}" for fault in errors[:_LISTED]]
    if len(errors) > _LISTED:
        lines.append(f"  and {len(errors) - _LISTED} more")
    skippable = sum(fault.kind in SKIPPABLE for fault in errors)
    if skippable:
        lines.append(f"--skip-bad-files (skip_bad_files=True) leaves out {skippable} of them")
    raise DataError("\n".join(lines))
