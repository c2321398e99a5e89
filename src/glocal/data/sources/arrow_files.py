"""Arrow files of pictures and labels, column by column, and the bytes of single rows.

They are read with pyarrow alone; Hugging Face's `datasets`, which writes them, is not needed.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glocal.data.pictures import Unreadable, load
from glocal.data.store import Stamp
from glocal.errors import DataError

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
        data, file = self._cell(path)
        if data is not None:
            return bytes(data.as_buffer())
        if file is not None:
            return load(os.path.join(self.root, file.as_py()))
        raise Unreadable("unreadable", "its row holds no picture")

    def stamp(self, path: str) -> Stamp | None:
        """Size of the picture, and when a file of its split changed last; None where the row holds no picture."""
        try:
            data, _ = self._cell(path)
        except Unreadable:
            return None
        return None if data is None else (len(data.as_buffer()), self.changed_ns[path.rpartition("/")[0]])

    def _cell(self, path: str) -> tuple[Any, Any]:
        """The bytes of a row and the path in it, as pyarrow has them; None for either that is not there."""
        folder, _, row = path.rpartition("/")
        try:
            cell = read_column(self.files[folder], self.column, self.changed_ns[folder])[0][int(row)]
        except (KeyError, ValueError, IndexError):
            raise Unreadable("unreadable", "there is no such row") from None
        parts = _parts(cell)
        return tuple(part if part is not None and part.is_valid else None for part in parts)  # type: ignore[return-value]

    def __str__(self) -> str:
        return str(self.root)


@functools.lru_cache(maxsize=64)  # a process opens each file once, and maps it: pages are read when a row is
def read_column(files: tuple[str, ...], column: str, changed_ns: int) -> tuple[Any, str]:
    """A column of Arrow files, as far as they are whole, and what is wrong after that. DataError without pyarrow.

    changed_ns: of files that were written anew under their old names another one.
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
                found = stream.schema.field(column).type
                _names(found)  # bytes of any kind where the file is damaged
                if chunks and found != kind:
                    raise ValueError(f"its column {column} holds {found}, and that of the file before {kind}")
                kind = found
                for batch in stream:
                    values = batch.column(column)
                    values.validate(full=True)  # a damaged offset would be followed to wherever it points
                    chunks.append(values)
    except Exception as error:  # broken files make pyarrow raise ArrowInvalid, OSError, KeyError, ValueError, ...
        why = " ".join(str(error).split())[:200]
        return pa.chunked_array(chunks, kind), f"{Path(file).name} cannot be read on: {why}"
    return pa.chunked_array(chunks, kind), ""


def _parts(cell: Any) -> tuple[Any, Any]:
    """Bytes and path of a cell of pictures: of the struct that `datasets` writes, of plain bytes, or of a path as text."""
    import pyarrow as pa

    kind = cell.type
    if {"bytes", "path"} <= _names(kind):
        return (cell["bytes"], cell["path"]) if cell.is_valid else (None, None)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return cell, None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return None, cell
    raise Unreadable("unreadable", f"its column holds {kind}, no pictures")


def _names(kind: Any) -> set[str]:
    """Of the fields of a struct; none for another type."""
    import pyarrow as pa

    return {each.name for each in kind} if pa.types.is_struct(kind) else set()
