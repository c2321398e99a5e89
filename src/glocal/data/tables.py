"""Tables of pictures, CSV or Parquet, as a source: path, label, and if wanted split and group. The pictures lie elsewhere."""

import csv
import difflib
import io
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glocal.data.arrow import NEEDS_PYARROW
from glocal.data.faults import Fault
from glocal.data.labels import class_order, labels_of
from glocal.data.layout import SPLIT_WORDS, Listed, Listing
from glocal.data.pictures import Unreadable, load
from glocal.data.remote import is_url, read_url
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


def list_table(source: str) -> Listing:
    """Reads a table. DataError where it is no table or lacks a column; what is wrong with a row is among the faults."""
    name = source.lower()
    try:
        data = read_url(source) if is_url(source) else load(source)
    except Unreadable as error:
        raise DataError(f"{source}: {error}") from None
    reader = _parquet if name.endswith(".parquet") else _csv
    columns, rows, notes = reader(source, data, "\t" if name.endswith(".tsv") else ",")
    unused = _check_columns(source, columns)
    listing = Listing(faults=notes, grouped="group" in columns)
    if unused:
        listing.faults.append(Fault("columns", "", f"not used: {', '.join(unused)}", "note"))
    _list(rows, columns, listing)
    listing.order = class_order(label for file in listing.files for label in file.classes)
    errors = any(fault.severity == "error" for fault in listing.faults)
    if "split" in columns and "train" not in listing.given and not errors:
        listing.faults.append(Fault("layout", "", "no row has the split train", "error"))
    if not listing.files and not errors:
        listing.faults.append(Fault("layout", "", "the table has no rows", "error"))
    return listing


Cells = Sequence[Any]


def _csv(source: str, data: bytes, separator: str) -> tuple[list[str], Iterator[tuple[str, Cells]], list[Fault]]:
    """Column names, the rows with their line numbers, and what had to be done to read them."""
    notes, encoding = [], "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
        notes.append(Fault("columns", "", "read as UTF-16", "note"))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{source}, line {line}: not UTF-8 ({error.reason}); save the table as UTF-8") from None
    header = text.partition("\n")[0].strip()
    for other in (separator, ";", "\t"):
        if "path" in [column.strip(' "') for column in header.split(other)]:
            if other != separator:
                notes.append(Fault("columns", "", f"columns are taken to be separated by {other!r}", "note"))
            separator = other
            break
    # strict: a quote that is never closed would otherwise swallow the rest of the table
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)

    def rows() -> Iterator[tuple[str, Cells]]:
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(f"{source}, line {line}: {error}; is a quote not closed?") from None
            yield f"line {line}", cells

    every = rows()
    columns = [column.strip() for column in next(every, ("", []))[1]]
    return columns, every, notes


def _parquet(source: str, data: bytes, _: str) -> tuple[list[str], Iterator[tuple[str, Cells]], list[Fault]]:
    """Column names and the rows with their numbers, from 1; columns that are not used are not read."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{source} {NEEDS_PYARROW}") from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        columns = file.schema_arrow.names
        used = [column for column in columns if column in COLUMNS]
        read = file.read(columns=used).to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source} is not a whole Parquet file: {error}") from None
    cells = [read.get(column, [None] * file.metadata.num_rows) for column in columns]
    return columns, ((f"row {i}", row) for i, row in enumerate(zip(*cells, strict=True), start=1)), []


def _check_columns(source: str, columns: list[str]) -> list[str]:
    """The columns that are not used. DataError for one that is missing, there twice, or nearly named like one of ours."""
    if twice := sorted({column for column in columns if columns.count(column) > 1 and column in COLUMNS}):
        raise DataError(f"{source} has two columns `{twice[0]}`; remove one")
    unused = [column for column in columns if column not in COLUMNS]
    for wanted in (each for each in COLUMNS if each not in columns):
        named = {column.lower(): column for column in unused}
        near = difflib.get_close_matches(wanted, named, n=1, cutoff=_CLOSE)
        near = near or [also for also in _MEANT.get(wanted, ()) if also in named]
        if near:
            raise DataError(
                f"{source} has a column `{named[near[0]]}`; did you mean `{wanted}`? rename it to that, or to something else"
            )
        if wanted in ("path", "label"):
            told = ", ".join(columns[:8]) or "nothing"
            raise DataError(
                f"{source} has no column `{wanted}`: it needs path, label[, split][, group], and has {told}"
            )
    return unused


def _list(rows: Iterator[tuple[str, Cells]], columns: Sequence[str], listing: Listing) -> None:
    """Adds every row that names a picture and a label to the listing, and what is wrong with the others to its faults."""
    where = {column: columns.index(column) for column in COLUMNS if column in columns}
    seen: dict[str, tuple[str, Listed]] = {}
    slashes = 0
    for place, cells in rows:
        if all(cell is None or cell == "" for cell in cells):
            listing.faults.append(Fault("row", place, "empty, left out", "note"))
            continue
        row = {column: cells[i] if i < len(cells) else None for column, i in where.items()}
        if split := SPLIT_WORDS.get(_word(row)):  # a row that has something else wrong names its split all the same
            listing.given |= {split}
        try:
            if any(cells[len(columns) :]):
                reason = f"has {len(cells)} fields, the first line {len(columns)}; quote a text that holds a comma"
                raise Unreadable("row", reason)
            file, several = _file(row)
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
    if slashes:
        listing.faults.append(
            Fault("row", "", f"{slashes:,} paths are written with backslashes, read as slashes", "note")
        )


def _at(path: Any, place: str, reason: str) -> tuple[str, str]:
    """Path and reason of a fault in a row, which is named by its picture where it has one."""
    return (str(path), f"{place}: {reason}") if path else (place, reason)


def _file(row: Mapping[str, Any]) -> tuple[Listed, bool]:
    """The picture that a row names, and whether its label is written as several. Unreadable says what is wrong with the row."""
    path = str(row["path"] or "").strip()
    if not path or "\0" in path:
        raise Unreadable("row", "has no path" if not path else "its path holds a zero byte")
    if not is_url(path):
        path = posixpath.normpath(path.replace("\\", "/"))
    word = _word(row)
    if "split" in row and word not in SPLIT_WORDS:
        raise Unreadable("row", f"its split is {word!r}; it must be train, val or test" if word else "has no split")
    label = row["label"]
    several = isinstance(label, list) or (isinstance(label, str) and SEPARATOR in label)
    try:
        labels = labels_of(label.split(SEPARATOR) if isinstance(label, str) else label)
        group = SEPARATOR.join(labels_of(row.get("group"))) or None
    except ValueError as error:
        raise Unreadable("row", str(error)) from None
    if not labels and not isinstance(label, list):
        raise Unreadable("no label", "has no label")
    split = SPLIT_WORDS.get(word, "train")
    return Listed(path, split, labels, os.path.splitext(path)[0], group), several


def _word(row: Mapping[str, Any]) -> str:
    """What a row says in the column `split`, in lower case; "" for nothing."""
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
