"""Image data sets that Hugging Face's `datasets` saved to disk, as a source: its splits, its columns and its labels."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from glocal.command_line import quoted
from glocal.data.faults import Fault
from glocal.data.options import DEFAULTS, DataOptions
from glocal.data.pictures import Unreadable, load
from glocal.data.sources.arrow_files import Rows, read_column
from glocal.data.sources.labels import class_order, labels_of
from glocal.data.sources.listing import Listed, Listing
from glocal.data.sources.missing import settle_missing_labels
from glocal.data.sources.split_names import SplitName, split_named
from glocal.errors import DataError

_LISTS = ("Sequence", "List", "LargeList")
Feature = Mapping[str, Any]  # of `datasets`, as its JSON has it


class _Splits(BaseModel):
    """dataset_dict.json."""

    splits: list[str] = []


class _Info(BaseModel):
    """dataset_info.json."""

    features: dict[str, Any] | None = None


class _DataFile(BaseModel):
    filename: str


class _State(BaseModel):
    """state.json."""

    data_files: list[_DataFile] = Field([], alias="_data_files")
    indices_data_files: list[Any] | None = Field(None, alias="_indices_data_files")


M = TypeVar("M", bound=BaseModel)


def is_saved(root: Path) -> bool:
    """Whether a folder was written by `save_to_disk`, of a Dataset or a DatasetDict."""
    return (root / "dataset_dict.json").is_file() or (
        (root / "state.json").is_file() and (root / "dataset_info.json").is_file()
    )


def list_rows(root: Path, options: DataOptions = DEFAULTS) -> tuple[Rows, Listing]:
    """Reads the labels of a saved data set. DataError where it is not clear which columns hold pictures and labels."""
    if "split" in options.columns:
        raise DataError(f"{root} is a data set whose splits are folders, so --split-column has no effect; leave it out")
    listing = Listing()
    split_of = _splits(_folders(root), listing)
    if not split_of:
        raise DataError(f"{root} has the splits {', '.join(_folders(root))}; it needs one called train")
    features = {folder: _features(root / folder) for folder in split_of}
    first = features[next(iter(split_of))]
    columns = _columns(root, first, options)
    for folder, theirs in features.items():
        if any(theirs.get(column) != first[column] for column in columns.values()):
            differing = " and ".join(columns.values())
            raise DataError(f"{root}: the columns {differing} differ between {next(iter(split_of))} and {folder}")
    listing.faults.append(Fault("columns", "", _used(columns, first), "note"))
    listing.columns, listing.grouped = columns, "group" in columns
    store = _store(root, split_of, columns["path"])
    label = first[columns["label"]]
    names = _class_names(root, label)
    listing.multi_label = _inner(label) is not label
    for folder, split in split_of.items():
        _list(store, folder, split, names, listing)
    listing.order = names or class_order(name for file in listing.files for name in file.classes)
    if not names:
        settle_missing_labels(listing, options.missing_labels)
    return store, listing


def saved_rows(root: Path, column: str | None) -> Rows:
    """The pictures of a saved data set whose labels are known; `column` holds them, or the one that `list_rows` would take."""
    split_of = _splits(_folders(root), Listing())
    if not split_of:
        raise DataError(f"{root} has no split train any more")
    if column is None:
        column = _picture_column(root, _features(root / next(iter(split_of))))
    return _store(root, split_of, column)


def _store(root: Path, folders: Iterable[str], column: str) -> Rows:
    files = {folder: _files(root / folder) for folder in folders}
    return Rows(root, column, files, {folder: _changed(names) for folder, names in files.items()})


def _used(columns: Mapping[str, str], features: Mapping[str, Feature]) -> str:
    unused = [name for name in features if name not in columns.values()]
    groups = f", groups the column {columns['group']}" if "group" in columns else ""
    reason = f"pictures are the column {columns['path']}, labels the column {columns['label']}{groups}"
    return f"{reason}; not used: {', '.join(unused)}" if unused else reason


def _list(store: Rows, folder: str, split: SplitName, names: tuple[str, ...], listing: Listing) -> None:
    """Adds the rows of a split to the listing."""
    columns, files, changed_ns = listing.columns, store.files[folder], store.changed_ns[folder]
    values, broken = read_column(files, columns["label"], changed_ns)
    groups = read_column(files, columns["group"], changed_ns)[0] if "group" in columns else None
    pictures, without_pictures = read_column(files, store.column, changed_ns)
    if broken or without_pictures:
        whole = min(len(values), len(pictures))
        reason = f"{broken or without_pictures}; the {whole:,} rows before that are whole"
        listing.faults.append(Fault("cut short", folder or ".", reason, "error"))
    for row, value in enumerate(values.to_pylist()):
        path = f"{folder}/{row:06d}".lstrip("/")
        try:
            labels = listing.labels(_named(value, names))
            group = "|".join(labels_of(groups[row].as_py())) or None if groups is not None else None
        except (ValueError, IndexError) as error:
            listing.faults.append(Fault("class map", path, str(error), "error"))
            continue
        if labels or (listing.multi_label and value is not None):
            listing.files.append(Listed(path, split, labels, f"{row:06d}", group))
        else:
            listing.faults.append(Fault("no label", path, "a row without a label", "error"))


def _named(value: Any, names: tuple[str, ...]) -> Any:
    """A label's name, or names, for its number; -1 is how `datasets` writes that there is none."""
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    if not names or value is None or value == -1:
        return None if names else value
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise IndexError(f"its label {value} has no name among the {len(names)} of the data set")
    return names[value]


def _folders(root: Path) -> list[str]:
    """The folders of the splits; [""] where the data set is not divided."""
    return _json(root / "dataset_dict.json", _Splits).splits if (root / "dataset_dict.json").is_file() else [""]


def _splits(folders: list[str], listing: Listing) -> dict[str, SplitName]:
    """The folders that are splits; the others are noted. Without a folder of train there are none."""
    if folders == [""]:
        return {"": "train"}
    found = {folder: split for folder in folders if (split := split_named(folder))}
    for folder in (each for each in folders if each not in found):
        reason = "a split that is none of train, validation, test: left out"
        listing.faults.append(Fault("layout", folder, reason, "warning"))
    for split in sorted(set(found.values())):
        if len(same := [folder for folder in found if found[folder] == split]) > 1:
            listing.faults.append(Fault("layout", same[1], f"{' and '.join(same)} are both the {split} split", "error"))
    listing.name_splits(found)
    return found if "train" in listing.given else {}


def _features(folder: Path) -> dict[str, Feature]:
    """The columns of a data set, by name."""
    found = _json(folder / "dataset_info.json", _Info).features or {}
    return {name: _feature(value) for name, value in found.items()}


def _feature(value: Any) -> Feature:
    """A feature as an object; one in square brackets is an older way to write a list."""
    if isinstance(value, Mapping):
        return value
    return {"_type": "List", "feature": value[0]} if isinstance(value, list) and value else {}


def _columns(root: Path, features: Mapping[str, Feature], options: DataOptions) -> dict[str, str]:
    """The column of each purpose: those that were named; else those called image and label, or the only ones of their kind."""
    named = options.columns
    for what, name in named.items():
        if name not in features:
            raise DataError(f"{root} has no column `{name}`, which --{what}-column names; it has {', '.join(features)}")
    classes = [name for name, kind in features.items() if _inner(kind).get("_type") == "ClassLabel"]
    texts = [
        name for name in features if name in ("label", "labels") and _inner(features[name]).get("_type") == "Value"
    ]
    return {
        "path": named.get("path") or _picture_column(root, features),
        "label": named.get("label") or _only(root, "label", classes or texts),
        **({"group": named["group"]} if "group" in named else {}),
    }


def _picture_column(root: Path, features: Mapping[str, Feature]) -> str:
    return _only(root, "path", [name for name, kind in features.items() if kind.get("_type") == "Image"])


def _only(root: Path, what: str, candidates: list[str]) -> str:
    """The candidate called image or label, or the only one. DataError for none and for several."""
    usual, meaning = {"path": ("image", "pictures"), "label": ("label", "labels")}[what]
    if usual in candidates:
        return usual
    if len(candidates) == 1:
        return candidates[0]
    has = (
        f"{len(candidates)} columns of {meaning}: {', '.join(candidates)}" if candidates else f"no column of {meaning}"
    )
    name = candidates[0] if candidates else "NAME"
    raise DataError(
        f"{root} has {has}; ds.rename_column({name!r}, {usual!r}).save_to_disk(...) or --{what}-column {quoted(name)} "
        "says which one is meant"
    )


def _class_names(root: Path, label: Feature) -> tuple[str, ...]:
    """The names of the classes in the order of their numbers; () where labels are text. DataError where two are read as one."""
    written = _inner(label).get("names") or ()
    names = tuple(name for each in written for name in labels_of(each) or ("",)) if isinstance(written, list) else ()
    if twice := sorted({name for name in names if names.count(name) > 1}):
        ways = ", ".join(ascii(each) for each in written if (labels_of(each) or ("",))[0] == twice[0])
        raise DataError(f"{root} has classes that are read as one: {ways}; give them other names")
    if "" in names:
        raise DataError(f"{root} has a class without a name")
    return names


def _inner(feature: Feature) -> Feature:
    """What a list is a list of; any other feature itself."""
    if feature.get("_type") not in _LISTS:
        return feature
    inner = feature.get("feature")
    return inner if isinstance(inner, Mapping) else {}


def _files(folder: Path) -> tuple[str, ...]:
    state = _json(folder / "state.json", _State)
    if state.indices_data_files:
        raise DataError(
            f"{folder} holds a selection that is not written out; ds.flatten_indices().save_to_disk(...) writes it"
        )
    for file in state.data_files:
        if Path(file.filename).name != file.filename:
            raise DataError(f"{folder / 'state.json'} names {file.filename!r}, which is no file of its folder")
    return tuple(str(folder / file.filename) for file in state.data_files)


def _changed(files: Sequence[str]) -> int:
    """The last time of change, in ns; 0 where a file is not there."""
    try:
        return max(os.stat(file).st_mtime_ns for file in files)
    except (OSError, ValueError):
        return 0


def _json(path: Path, model: type[M]) -> M:
    """What a file of a saved data set says. DataError where it is not what `save_to_disk` writes."""
    try:
        return model.model_validate_json(load(path))
    except Unreadable as error:
        raise DataError(f"{path} cannot be read: {error}; was the data set saved whole, with save_to_disk?") from None
    except ValueError as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read: {why}; was the data set saved whole, with save_to_disk?") from None
