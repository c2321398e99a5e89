"""Checked pictures in their splits, as the rest of glocal sees them. How they get here is in `opening`."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glocal.data.faults import Fault
from glocal.data.layout import SplitName
from glocal.data.manifest import Manifest, Row
from glocal.data.pictures import decode


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures and labels, in a fixed order."""

    name: SplitName
    labels: np.ndarray  # int64 (n,)
    rows: tuple[Row, ...] = field(repr=False)
    root: Path | None = field(repr=False)  # None where the pictures lie in no files
    pixels: tuple[np.ndarray, ...] | None = field(repr=False)  # None where they do not fit into memory

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where each picture lies, relative to the source."""
        return tuple(row.path for row in self.rows)

    def picture(self, i: int) -> np.ndarray:
        """The pixels of picture i: uint8 (h, w, c), not to be written to. DataError if its file has gone since the check."""
        if self.pixels is not None:
            return self.pixels[i]
        assert self.root is not None
        return decode(self.root / self.rows[i].path)


@dataclass(frozen=True, eq=False)
class Data:
    """A source that passed its check. `test` is for the one number at the end: nothing else may look at it."""

    source: str
    classes: tuple[str, ...]  # class of label i, made from train
    train: Split
    val: Split
    test: Split | None
    faults: tuple[Fault, ...]
    split_rule: str  # how train and val came about, as a sentence
    channels: int
    typical_size: tuple[int, int]  # median (h, w) of train, pixels
    seed: int

    def manifest(self) -> Manifest:
        """What reopens exactly these splits."""
        rows = {split.name: split.rows for split in (self.train, self.val, self.test) if split is not None}
        return Manifest(self.source, self.seed, self.classes, self.split_rule, rows, self.faults)

    def fingerprint(self) -> str:
        """Names the pictures, their labels and their splits; the same wherever the files lie."""
        return self.manifest().fingerprint()
