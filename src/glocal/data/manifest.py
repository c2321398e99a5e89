"""Which file is in which split under which label, as a value that a run keeps. Making a split is `partition`'s."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from glocal.data.faults import Fault
from glocal.data.layout import SPLITS, SplitName
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
    val_is_own: bool = True  # also where a manifest does not say it: taken for the source's, val is not learnt from

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
            classes = tuple(values["classes"])
            labels = {label for of_split in rows.values() for row in of_split for label in labels_of(row)}
            if not {"train", "val"} <= rows.keys() or not labels <= set(range(len(classes))):
                raise DataError("not a manifest: it needs train and val, and labels that count its classes")
            faults = tuple(Fault.from_json(fault) for fault in values["faults"])
            about = values["source"], values["seed"], classes, values["split_rule"]
            return cls(*about, rows, faults, several, bool(values.get("val_is_own", True)))
        except (KeyError, TypeError) as error:
            raise DataError(f"not a manifest, as Manifest.to_json() writes it: {error!r}") from None


def _row(values: Sequence[Any], *, several: bool) -> Row:
    path, label, size_bytes, digest = values
    return Row(path, tuple(label) if several else label, size_bytes, digest)


def labels_of(row: Row) -> tuple[int, ...]:
    """The labels of a row, one or several."""
    return row.label if isinstance(row.label, tuple) else (row.label,)
