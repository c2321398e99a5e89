"""Image data sets that Hugging Face's `datasets` saved to disk, as a source: which columns, and bytes row by row.

The Arrow files are read with pyarrow alone; `datasets` itself is not needed.
"""

import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glocal.data.faults import Fault
from glocal.data.labels import class_order, labels_of
from glocal.data.layout import SPLIT_WORDS, Listed, Listing, SplitName
from glocal.data.pictures import Unreadable, load
from glocal.data.store import Stamp
from glocal.errors import DataError

_LISTS = ("Sequence", "List", "LargeList")
NEEDS_PYARROW = "needs pyarrow: pip install 'glocal[data]'"


@dataclass(frozen=True, eq=False)
class Rows:
    """Pictures in rows of Arrow files; a path is the folder of the split, if it has one, and the number of the row."""

    root: Path
    column: str
    files: Mapping[str, tuple[str, ...]] = field(repr=False)  # of each folder
    changed_ns: Mapping[str, int] = field(repr=False)  # when the files of each folder had changed last

    def read(self, path: str) -> bytes:
        """The bytes in the row, or in the file that the row names. Unreadable where there are none."""
        cell = self._cell(path)
        if cell["bytes"].is_valid:
            return bytes(cell["bytes"].as_buffer())
        if cell["path"].is_valid:
            return load(os.path.join(self.root, cell["path"].as_py()))
        raise Unreadable("unreadable", "its row holds no picture")

    def stamp(self, path: str) -> Stamp | None:
        """Size of the picture, and when a file of its split changed last; None where the row holds no picture."""
        try:
            cell = self._cell(path)["bytes"]
        except Unreadable:
            return None
        return (len(cell.as_buffer()), self.changed_ns[path.rpartition("/")[0]]) if cell.is_valid else None

    def _cell(self, path: str) -> Any:
        folder, _, row = path.rpartition("/")
        try:
            cell = _read(self.files[folder], self.column, self.changed_ns[folder])[0][int(row)]
        except (KeyError, ValueError, IndexError):
            raise Unreadable("unreadable", "there is no such row") from None
        if not cell.is_valid:
            raise Unreadable("unreadable", "its row holds no picture")
        return cell

    def __str__(self) -> str:
        return str(self.root)


def is_saved(root: Path) -> bool:
    """Whether a folder was written by `save_to_disk`, of a Dataset or a DatasetDict."""
    return (root / "dataset_dict.json").is_file() or (
        (root / "state.json").is_file() and (root / "dataset_info.json").is_file()
    )


def list_rows(root: Path) -> tuple[Rows, Listing]:
    """Reads the labels of a saved data set. DataError where it cannot be told which columns hold pictures and labels."""
    listing, folders = Listing(), [""]
    if (root / "dataset_dict.json").is_file():
        folders = _json(root / "dataset_dict.json").get("splits", [])
    split_of = _splits(folders, listing)
    if not split_of:
        raise DataError(f"{root} has the splits {', '.join(folders)}; it needs one called train")
    features = {folder: _json(root / folder / "dataset_info.json").get("features") or {} for folder in split_of}
    first = features[next(iter(split_of))]
    picture, label = _columns(root, first)
    for folder, theirs in features.items():
        if (theirs.get(picture), theirs.get(label)) != (first[picture], first[label]):
            raise DataError(
                f"{root}: the columns {picture} and {label} differ between {next(iter(split_of))} and {folder}"
            )
    unused = "".join(f", {name}" for name in first if name not in (picture, label))
    reason = f"pictures are the column {picture}, labels the column {label}" + (unused and f"; not used: {unused[2:]}")
    listing.faults.append(Fault("columns", "", reason, "note"))
    files = {folder: _files(root / folder) for folder in split_of}
    store = Rows(root, picture, files, {folder: _changed(names) for folder, names in files.items()})
    names, listing.multi_label = (
        tuple(_inner(first[label]).get("names") or ()),
        _inner(first[label]) is not first[label],
    )
    for folder, split in split_of.items():
        _list(store, folder, split, label, names, listing)
    listing.order = names or class_order(name for file in listing.files for name in file.classes)
    return store, listing


def _list(store: Rows, folder: str, split: SplitName, label: str, names: tuple[str, ...], listing: Listing) -> None:
    values, broken = _read(store.files[folder], label, store.changed_ns[folder])
    if broken:
        reason = f"{broken}; the {len(values):,} rows before that are whole"
        listing.faults.append(Fault("cut short", folder or ".", reason, "error"))
    for row, value in enumerate(values.to_pylist()):
        path = f"{folder}/{row:06d}".lstrip("/")
        try:
            labels = labels_of(_named(value, names))
        except (ValueError, IndexError) as error:
            listing.faults.append(Fault("class map", path, str(error), "error"))
            continue
        if labels or (listing.multi_label and value is not None):
            listing.files.append(Listed(path, split, labels, f"{row:06d}"))
        else:
            listing.faults.append(Fault("no label", path, "a row without a label", "error"))


def _named(value: Any, names: tuple[str, ...]) -> Any:
    """A label's name, or names, for its number; -1 is how `datasets` writes that there is none."""
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    if not names or value is None or value == -1:
        return None if names else value
    if not 0 <= value < len(names):
        raise IndexError(f"its label {value} has no name among the {len(names)} of the data set")
    return names[value]


def _splits(folders: list[str], listing: Listing) -> dict[str, SplitName]:
    """The folders that are splits; the others are noted. Without a folder of train there are none."""
    if folders == [""]:
        return {"": "train"}
    found = {folder: SPLIT_WORDS[folder.lower()] for folder in folders if folder.lower() in SPLIT_WORDS}
    for folder in (each for each in folders if each not in found):
        listing.faults.append(
            Fault("layout", folder, "a split that is none of train, validation, test: left out", "warning")
        )
    for split in sorted(set(found.values())):
        if len(same := [folder for folder in found if found[folder] == split]) > 1:
            listing.faults.append(Fault("layout", same[1], f"{' and '.join(same)} are both the {split} split", "error"))
    listing.given = frozenset(found.values())
    return found if "train" in listing.given else {}


def _columns(root: Path, features: Mapping[str, Any]) -> tuple[str, str]:
    """The columns of pictures and of labels: those called image and label, or the only ones of their kind."""
    pictures = [name for name, kind in features.items() if kind.get("_type") == "Image"]
    classes = [name for name, kind in features.items() if _inner(kind).get("_type") == "ClassLabel"]
    texts = [
        name for name in features if name in ("label", "labels") and _inner(features[name]).get("_type") == "Value"
    ]
    return _one(root, "image", "pictures", pictures), _one(root, "label", "labels", classes or texts)


def _one(root: Path, name: str, what: str, candidates: list[str]) -> str:
    if name in candidates:
        return name
    if len(candidates) == 1:
        return candidates[0]
    told = f"{len(candidates)} columns of {what}: {', '.join(candidates)}" if candidates else f"no column of {what}"
    mend = f"ds.rename_column({candidates[0] if candidates else 'NAME'!r}, {name!r}).save_to_disk(...) says which one is meant"
    raise DataError(f"{root} has {told}; {mend}")


def _inner(feature: Any) -> Mapping[str, Any]:
    """What a list is a list of; any other feature itself."""
    if isinstance(feature, list):
        return feature[0]
    return feature["feature"] if feature.get("_type") in _LISTS else feature


def _files(folder: Path) -> tuple[str, ...]:
    state = _json(folder / "state.json")
    if state.get("_indices_data_files"):
        raise DataError(
            f"{folder} holds a selection that is not written out; ds.flatten_indices().save_to_disk(...) writes it"
        )
    return tuple(str(folder / file["filename"]) for file in state.get("_data_files", []))


def _changed(files: Sequence[str]) -> int:
    """The last time of change, in ns; 0 where a file is not there."""
    try:
        return max(os.stat(file).st_mtime_ns for file in files)
    except (OSError, ValueError):
        return 0


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}; was the data set saved whole, with save_to_disk?") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is not what save_to_disk writes")
    return found


@functools.lru_cache(maxsize=64)  # a process opens each file once, and maps it: pages are read when a row is
def _read(files: tuple[str, ...], column: str, changed_ns: int) -> tuple[Any, str]:
    """A column of Arrow files, as far as they are whole, and what is wrong after that. DataError without pyarrow.

    changed_ns: tells files that were written anew under their old names.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise DataError(f"{files[0]} {NEEDS_PYARROW}") from None
    chunks: list[Any] = []
    kind = pa.null()
    try:
        for file in files:
            with pa.ipc.open_stream(pa.memory_map(file)) as stream:
                kind = stream.schema.field(column).type
                chunks += (batch.column(column) for batch in stream)
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        return pa.chunked_array(chunks, kind), f"{Path(file).name} cannot be read on: {error}"
    return pa.chunked_array(chunks, kind), ""
