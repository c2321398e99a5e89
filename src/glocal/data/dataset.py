"""Checked pictures in their splits, as the rest of glocal sees them. How they get here is in `opening`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from glocal.data.checks.scan import digest
from glocal.data.faults import Fault
from glocal.data.manifest import Manifest, Row
from glocal.data.pictures import Unreadable, read
from glocal.data.sources.split_names import SplitName
from glocal.data.store import Store
from glocal.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures and labels, in a fixed order."""

    name: SplitName
    labels: np.ndarray  # int64 (n,); of multi-label data float32 (n, classes), 1 for each class that is there
    rows: tuple[Row, ...] = field(repr=False)
    store: Store | None = field(repr=False)  # None where the pictures lie nowhere but in `pixels`
    pixels: tuple[np.ndarray, ...] | None = field(repr=False)  # None where they do not fit into memory
    groups: np.ndarray | None = field(default=None, repr=False)
    """int64 (n,): pictures of one number are the same or belong together; None where a manifest was reopened, which does not
    say it."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where each picture lies, relative to the source."""
        return tuple(row.path for row in self.rows)

    def spread(self, most: int) -> "Split":
        """So many of the pictures at most, evenly spaced, so that all classes of a sorted split are among them."""
        n = len(self)
        return self if n <= most else self.taken(np.linspace(0, n - 1, most).astype(np.int64))

    def taken(self, index: np.ndarray) -> "Split":
        """Some of the pictures, in the order of their indices: int64 (m,)."""
        pixels = None if self.pixels is None else tuple(self.pixels[i] for i in index)
        groups = None if self.groups is None else self.groups[index]
        rows = tuple(self.rows[i] for i in index)
        return replace(self, labels=self.labels[index], rows=rows, pixels=pixels, groups=groups)

    def picture(self, i: int) -> np.ndarray:
        """The pixels of picture i: uint8 (h, w, c), not to be written to. DataError if its file has gone or changed since."""
        if self.pixels is not None:
            return self.pixels[i]
        assert self.store is not None
        path = self.rows[i].path
        try:
            data = self.store.read(path)
            if len(data) != self.rows[i].size_bytes or digest(data) != self.rows[i].digest:
                raise Unreadable("changed", "has changed since it was checked")
            return read(data).pixels
        except Unreadable as error:
            raise DataError(f"{self.store}: {path}: {error}") from None


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
    multi_label: bool = False  # pictures may be of several classes, or of none
    val_is_own: bool = True  # val is the source's, and was not split off its train
    columns: Mapping[str, str] = field(default_factory=dict)  # of a saved data set: the column of each purpose

    def manifest(self) -> Manifest:
        """What reopens exactly these splits."""
        rows = {split.name: split.rows for split in (self.train, self.val, self.test) if split is not None}
        return Manifest(
            self.source,
            self.seed,
            self.classes,
            self.split_rule,
            rows,
            self.faults,
            self.multi_label,
            self.val_is_own,
            self.columns,
        )

    def fingerprint(self) -> str:
        """Names the pictures, their labels and their splits; the same wherever the files lie."""
        return self.manifest().fingerprint()
