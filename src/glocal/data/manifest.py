"""Which file is in which split under which label, as a value that a run saves."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glocal.data.faults import Fault
from glocal.data.sources.labels import is_text
from glocal.data.sources.split_names import SPLITS, SplitName
from glocal.errors import DataError


class Row(NamedTuple):
    """One picture of a split, and what tells whether its file is still the same."""

    path: str
    label: int | tuple[int, ...]  # several, in rising order, exactly where the manifest is multi-label
    size_bytes: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """A split that can be opened again, exactly: see `check(..., manifest=)`."""

    source: str
    seed: int
    classes: tuple[str, ...]
    split_rule: str
    rows: Mapping[SplitName, tuple[Row, ...]]  # "test" only where there is one
    faults: tuple[Fault, ...]
    multi_label: bool = False
    val_is_own: bool = True  # the default where a manifest does not state it, since val is then not learnt from
    columns: Mapping[str, str] = field(default_factory=dict)  # of a saved data set: the column of each purpose

    def names_of(self, row: Row) -> tuple[str, ...]:
        """The classes of a row."""
        return tuple(self.classes[label] for label in labels_of(row))

    def fingerprint(self) -> str:
        """Names the pictures, their labels and their splits; the same wherever the files lie. 32 hexadecimal digits."""
        content = json.dumps([self.classes, {split: self.rows[split] for split in SPLITS if split in self.rows}])
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain data; the rows are lists of path, label, size in bytes and digest."""
        return {
            "source": self.source,
            "seed": self.seed,
            "classes": list(self.classes),
            "multi_label": self.multi_label,
            "val_is_own": self.val_is_own,
            "split_rule": self.split_rule,
            "columns": dict(self.columns),
            "rows": {split: [list(row) for row in rows] for split, rows in self.rows.items()},
            "faults": [fault.to_json() for fault in self.faults],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Manifest":
        """The inverse of `to_json`. DataError where the values are no manifest."""
        try:
            several = bool(values.get("multi_label", False))
            rows = {
                split: tuple(_row(row, several=several) for row in values["rows"][split])
                for split in SPLITS
                if split in values["rows"]
            }
            classes = tuple(_text(name) for name in values["classes"])
            labels = {label for of_split in rows.values() for row in of_split for label in labels_of(row)}
            if not (rows.get("train") and rows.get("val")) or not labels <= set(range(len(classes))):
                raise DataError(
                    "not a manifest: it needs pictures in train and in val, and labels that count its classes"
                )
            faults = tuple(Fault.from_json(fault) for fault in values["faults"])
            about = _text(values["source"]), int(values["seed"]), classes, _text(values["split_rule"])
            columns = {_text(what): _text(column) for what, column in values.get("columns", {}).items()}
            return cls(*about, rows, faults, several, bool(values.get("val_is_own", True)), columns)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise DataError(f"not a manifest, as Manifest.to_json() writes it: {str(error)[:200]!r}") from None


def _row(values: Sequence[Any], *, several: bool) -> Row:
    path, label, size_bytes, digest = values
    labels = tuple(label) if several else (label,)
    whole = _text(path) and _text(digest) and type(size_bytes) is int
    if not whole or {*map(type, labels)} - {int}:
        raise TypeError(f"no row: {values}")
    return Row(path, labels if several else label, size_bytes, digest)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not is_text(value):
        raise TypeError(f"{value!r} is no text")
    return value


def labels_of(row: Row) -> tuple[int, ...]:
    """The labels of a row, one or several."""
    return row.label if isinstance(row.label, tuple) else (row.label,)
