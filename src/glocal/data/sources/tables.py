"""Tables of pictures, CSV or Parquet, as a source: path, label, and if wanted split and group. The pictures lie elsewhere."""

import csv
import difflib
import io
import os
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from glocal.command_line import quoted
from glocal.data.faults import Fault
from glocal.data.options import DEFAULTS, DataOptions
from glocal.data.pictures import Unreadable, load
from glocal.data.sources.arrow_files import NEEDS_PYARROW
from glocal.data.sources.labels import class_order, labels_of
from glocal.data.sources.listing import Listed, Listing
from glocal.data.sources.missing import settle_missing_labels
from glocal.data.sources.remote import is_url, read_url
from glocal.data.sources.split_names import SplitName, split_named
from glocal.data.store import Folder, Stamp, Store
from glocal.errors import DataError

SUFFIXES = (".csv", ".tsv", ".parquet")
COLUMNS = ("path", "label", "split", "group")
SEPARATOR = "|"  # between the labels of a picture that has several

_MEANT = {
    "path": (
        "image",
        "img",
        "file",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "image_path",
        "picture",
        "image_id",
    ),
    "label": ("class", "classname", "class_name", "category", "target", "y", "tag", "tags"),
}  # what the field also calls them; named in an error, never taken
_CLOSE = 0.75  # of difflib: `splits` and `lable`, but not `subset` or `labeller`


@dataclass(frozen=True)
class Links:
    """Files and URLs; a path that is neither a URL nor absolute lies below `base`, which may itself be a URL."""

    base: str

    def read(self, path: str) -> bytes:
        """The bytes behind a path. Unreadable says why there are none."""
        place = self._place(path)
        return read_url(place) if is_url(place) else load(place)

    def stamp(self, path: str) -> Stamp | None:
        """From the file system; None for what is no file here."""
        place = self._place(path)
        return None if is_url(place) else Folder(Path()).stamp(place)

    def _place(self, path: str) -> str:
        return path if is_url(path) else posixpath.join(self.base, path)

    def __str__(self) -> str:
        return self.base


def names_table(source: str) -> bool:
    """Whether a source is a table, by its suffix."""
    return source.lower().endswith(SUFFIXES)


def table_store(source: str, paths: Sequence[str]) -> Store:
    """Where the pictures of a table lie: below its folder, unless they say otherwise."""
    base = source.rpartition("/")[0] if is_url(source) else Path(source).parent
    return Links(str(base)) if is_url(str(base)) or any(map(is_url, paths)) else Folder(Path(base))


def list_table(source: str, options: DataOptions = DEFAULTS) -> Listing:
    """Reads a table. DataError where it is no table or lacks a column; what is wrong with a row is among the faults."""
    try:
        data = read_url(source) if is_url(source) else load(source)
    except Unreadable as error:
        raise DataError(f"{source}: {error}") from None
    names = {what: options.columns.get(what, what) for what in COLUMNS}
    table = (_parquet if source.lower().endswith(".parquet") else _csv)(source, data, names)
    unused = _check_columns(source, table.columns, names, requested=options.columns.keys())
    listing = Listing(faults=table.notes, grouped=names["group"] in table.columns)
    if unused:
        listing.faults.append(Fault("columns", "", f"not used: {', '.join(unused)}", "note"))
    _list(table, names, listing)
    listing.order = class_order(label for file in listing.files for label in file.classes)
    settle_missing_labels(listing, options.missing_labels)
    errors = listing.has_errors
    if names["split"] in table.columns and "train" not in listing.given and not errors:
        listing.faults.append(Fault("layout", "", "no row has the split train", "error"))
    if not listing.files and not errors:
        listing.faults.append(Fault("layout", "", "the table has no rows", "error"))
    return listing


class _Table(NamedTuple):
    """The columns of a table, and its rows with their places."""

    columns: list[str]
    rows: Iterator[tuple[str, Sequence[Any]]]
    notes: list[Fault]  # what had to be done to read it


def _csv(source: str, data: bytes, names: Mapping[str, str]) -> _Table:
    """Rows with the numbers of their lines. `names`: of the columns that are sought, by what they hold."""
    notes, encoding = [], "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
        notes.append(Fault("columns", "", "read as UTF-16", "note"))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{source}, line {line}: not UTF-8 ({error.reason}); save the table as UTF-8") from None
    separator = "\t" if source.lower().endswith(".tsv") else ","
    header = text.partition("\n")[0].strip()
    for other in (separator, ";", "\t"):
        if names["path"] in [column.strip(' "') for column in header.split(other)]:
            if other != separator:
                notes.append(Fault("columns", "", f"columns are taken to be separated by {other!r}", "note"))
            separator = other
            break
    rows = _csv_rows(source, text, separator)
    columns = [column.strip() for column in next(rows, ("", []))[1]]
    return _Table(columns, rows, notes)


def _csv_rows(source: str, text: str, separator: str) -> Iterator[tuple[str, Sequence[str]]]:
    # strict: a quote that is never closed would otherwise swallow the rest of the table
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{source}, line {line}: {error}; is a quote not closed?") from None
        yield f"line {line}", cells


def _parquet(source: str, data: bytes, names: Mapping[str, str]) -> _Table:
    """Rows with their numbers, from 1; columns that are not used are not read."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{source} {NEEDS_PYARROW}") from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        columns = file.schema_arrow.names
        used = [column for column in columns if column in names.values()]
        read = file.read(columns=used).to_pydict()
    except Exception as error:  # broken files make pyarrow raise ArrowInvalid, OSError, ValueError, KeyError, ...
        raise DataError(f"{source} is not a whole Parquet file: {_one_line(error)}") from None
    cells = [read.get(column, [None] * file.metadata.num_rows) for column in columns]
    return _Table(columns, ((f"row {i}", row) for i, row in enumerate(zip(*cells, strict=True), start=1)), [])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _check_columns(
    source: str, columns: list[str], names: Mapping[str, str], *, requested: Collection[str]
) -> list[str]:
    """The columns that are not used. DataError for one that is missing, there twice, or nearly named like one of ours.

    names: of the columns that are sought, by what they hold; requested: those of them that the user named.
    """
    sought = names.values()
    if twice := sorted({column for column in columns if columns.count(column) > 1 and column in sought}):
        raise DataError(f"{source} has two columns `{twice[0]}`; remove one")
    unused = [column for column in columns if column not in sought]
    has = ", ".join(columns[:8]) or "nothing"
    for what, name in names.items():
        if name in columns:
            continue
        if what in requested:
            raise DataError(f"{source} has no column `{name}`, which --{what}-column names; it has {has}")
        named = {column.lower(): column for column in unused}
        near = difflib.get_close_matches(what, named, n=1, cutoff=_CLOSE)
        if near := near or [also for also in _MEANT.get(what, ()) if also in named]:
            column = named[near[0]]
            raise DataError(
                f"{source} has a column `{column}`; did you mean `{what}`? give --{what}-column {quoted(column)}, or rename it"
            )
        if what in ("path", "label"):
            raise DataError(
                f"{source} has no column `{what}`: it needs path, label[, split][, group], and has {has}; "
                f"--{what}-column names another"
            )
    return unused


def _list(table: _Table, names: Mapping[str, str], listing: Listing) -> None:
    """Adds every row that names a picture and a label to the listing, and what is wrong with the others to its faults."""
    columns = table.columns
    where = {what: columns.index(name) for what, name in names.items() if name in columns}
    seen: dict[str, tuple[str, Listed]] = {}
    splits: dict[str, SplitName] = {}
    slashes = 0
    for place, cells in table.rows:
        if all(cell is None or cell == "" for cell in cells):
            listing.faults.append(Fault("row", place, "empty, left out", "note"))
            continue
        row = {what: cells[i] if i < len(cells) else None for what, i in where.items()}
        if split := split_named(_split_word(row)):  # a row that has something else wrong names its split all the same
            splits[_split_word(row)] = split
        try:
            if any(cells[len(columns) :]):
                reason = f"has {len(cells)} fields, the first line {len(columns)}; quote a text that holds a comma"
                raise Unreadable("row", reason)
            file, several = _file(row, listing)
        except Unreadable as error:
            listing.faults.append(Fault(error.kind, *_at(row["path"], place, str(error)), "error"))
            continue
        slashes += "\\" in str(row["path"])
        listing.multi_label |= several
        at, other = seen.setdefault(file.path, (place, file))
        if other is file:
            listing.files.append(file)
        else:
            listing.faults.append(_twice(file, place, other, at))
    listing.name_splits(splits)
    if slashes:
        listing.faults.append(
            Fault("row", "", f"{slashes:,} paths are written with backslashes, read as slashes", "note")
        )


def _at(path: Any, place: str, reason: str) -> tuple[str, str]:
    """Path and reason of a fault in a row, which is named by its picture where it has one."""
    return (str(path), f"{place}: {reason}") if path else (place, reason)


def _file(row: Mapping[str, Any], listing: Listing) -> tuple[Listed, bool]:
    """The picture that a row names, and whether its label is written as several. Unreadable says what is wrong with the row."""
    path = str(row["path"] or "").strip()
    if not path or "\0" in path:
        raise Unreadable("row", "has no path" if not path else "its path holds a zero byte")
    if not is_url(path):
        path = posixpath.normpath(path.replace("\\", "/"))
    word = _split_word(row)
    split = split_named(word) if "split" in row else "train"
    if split is None:
        raise Unreadable("row", f"its split is {word!r}; it must be train, val or test" if word else "has no split")
    label = row["label"]
    several = isinstance(label, list) or (isinstance(label, str) and SEPARATOR in label)
    try:
        labels = listing.labels(_divided(label))
        group = SEPARATOR.join(labels_of(row.get("group"))) or None
    except ValueError as error:
        raise Unreadable("row", str(error)) from None
    if not labels and not isinstance(label, list):
        raise Unreadable("no label", "has no label")
    return Listed(path, split, labels, os.path.splitext(path)[0], group), several


def _divided(label: Any) -> Any:
    """The labels of a cell that holds several, without the spaces around the bars; any other cell as it is."""
    if isinstance(label, str) and SEPARATOR in label:
        return [each.strip(" ") for each in label.split(SEPARATOR)]
    return label


def _split_word(row: Mapping[str, Any]) -> str:
    """What a row says in the column of splits, in lower case; "" for nothing."""
    return str(row.get("split") or "").strip().lower()


def _twice(file: Listed, place: str, other: Listed, at: str) -> Fault:
    """What is wrong with a path that stands in two rows."""
    if file.classes != other.classes:
        reason = f"{place} says {SEPARATOR.join(file.classes)}, {at} says {SEPARATOR.join(other.classes)}"
        return Fault("two labels", file.path, reason, "error")
    if file.split != other.split:
        return Fault("row", file.path, f"in {file.split} by {place}, in {other.split} by {at}", "error")
    if file.group != other.group:
        return Fault("row", file.path, f"of the group {file.group} by {place}, of {other.group} by {at}", "error")
    return Fault("row", file.path, f"{place} repeats {at}, left out", "note")
