"""Which file is in which split under which label, as a value that a run keeps. Making a split is `partition`'s."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from glocal.data.faults import Fault
from glocal.data.layout import SPLITS, SplitName
from glocal.errors import DataError


class Row(NamedTuple):
    """One picture of a split, and what tells whether its file is still the same."""

    path: str
    label: int
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
            "split_rule": self.split_rule,
            "rows": {split: [list(row) for row in rows] for split, rows in self.rows.items()},
            "faults": [fault.to_json() for fault in self.faults],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Manifest":
        """The inverse of `to_json`. DataError where the values are no manifest."""
        try:
            rows = {
                split: tuple(Row(*row) for row in values["rows"][split]) for split in SPLITS if split in values["rows"]
            }
            classes = tuple(values["classes"])
            labels = {row.label for of_split in rows.values() for row in of_split}
            if not {"train", "val"} <= rows.keys() or not labels <= set(range(len(classes))):
                raise DataError("not a manifest: it needs train and val, and labels that count its classes")
            faults = tuple(Fault.from_json(fault) for fault in values["faults"])
            return cls(values["source"], values["seed"], classes, values["split_rule"], rows, faults)
        except (KeyError, TypeError) as error:
            raise DataError(f"not a manifest, as Manifest.to_json() writes it: {error!r}") from None
