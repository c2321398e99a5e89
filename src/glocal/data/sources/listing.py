"""What every form of source says of its pictures before any of them is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glocal.data.faults import Fault
from glocal.data.sources.labels import labels_of, plain, spellings
from glocal.data.sources.split_names import CERTAIN, SplitName


class Listed(NamedTuple):
    """One picture that a source names."""

    path: str  # as the source's store knows it; in a folder relative to the root, with forward slashes
    split: SplitName  # "train" for all where the source names no split
    classes: tuple[str, ...]  # exactly one, unless the source is multi-label
    stem: str  # what `group_by` is applied to: in a folder the path below the class folder, without the suffix
    group: str | None = None  # where the source has a column for it


@dataclass
class Listing:
    """The pictures of a source, and what was found on the way to them."""

    files: list[Listed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    given: frozenset[SplitName] = frozenset()  # the splits that the source itself names
    order: tuple[str, ...] = ()  # the source's own order of its classes; () where they are sorted by name
    multi_label: bool = False
    grouped: bool = False  # whether the source says which pictures belong together
    renamed: dict[str, SplitName] = field(default_factory=dict)  # splits under names that need a word, as `dev` for val
    columns: dict[str, str] = field(default_factory=dict)  # of a saved data set: the column of each purpose
    written: dict[str, set[str]] = field(default_factory=dict)
    """How the source writes each class, before spaces around a label are taken off and its Unicode form is made NFC."""

    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)  # labels of texts that were met before

    def labels(self, value: Any) -> tuple[str, ...]:
        """`labels_of` a cell or a field, whose spelling is remembered. ValueError for what is no label."""
        if isinstance(value, str) and value in self._known:
            return self._known[value]
        labels = labels_of(value)
        for text in spellings(value):
            for name in labels_of(text):
                self.written.setdefault(name, set()).add(text)
        if isinstance(value, str):
            self._known[value] = labels
        return labels

    def name_splits(self, splits: Mapping[str, SplitName]) -> None:
        """Takes the splits that a source names, by their names there."""
        self.given |= set(splits.values())
        self.renamed |= {name: split for name, split in splits.items() if plain(name).lower() not in CERTAIN}

    @property
    def has_errors(self) -> bool:
        """Whether anything found so far must be mended first."""
        return any(fault.severity == "error" for fault in self.faults)


def class_names(files: Iterable[Listed]) -> set[str]:
    """The classes that some pictures have."""
    return {name for file in files for name in file.classes}
