"""Archives of torch.export, checked before torch reads them: torch would execute code that an archive may carry.

An archive can hold pickles, compiled libraries, source code of guards, expressions that torch evaluates, and the names of any
functions below `torch`. Those that `glocal export` writes hold weights as plain numbers and a graph of ATen's operations.
"""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch

from glocal.errors import RunError
from glocal.files import reason_of

ABOUT = "about.json"  # the file within an archive that holds the metadata
_GRAPH, _EXAMPLE, _ABOUT = "models/model.json", "data/sample_inputs/model.pt", f"extra/{ABOUT}"
_TABLES = {
    "data/weights/model_weights_config.json": re.compile(r"weight_\d+"),
    "data/constants/model_constants_config.json": re.compile(r"tensor_\d+"),
}
_MEMBER = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|data/weights/weight_\d+|data/constants/tensor_\d+"
)
_OPERATION = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|_operator\.(add|sub|mul|floordiv|mod|neg|getitem|eq|ne|lt|le|gt|ge)"
)
_SIZE = re.compile(r"(Symbol\('s\d+'(, (positive|integer)=True)*\)|Integer\(-?\d+\)|(Add|Mul|Pow)\(|[\d, )-])*")
_NAME = re.compile(r"[A-Za-z_][\w.]*")


def load_program(path: Path) -> torch.export.ExportedProgram:
    """The program of an archive that `glocal export` wrote. RunError for any other file, of which nothing is executed."""
    data = _checked(path)[0]
    try:
        return torch.export.load(data)
    except Exception as error:  # torch's reader raises whatever a damaged graph leads to
        raise RunError(f"{path} cannot be read: {reason_of(error)}") from None


def archive_metadata(path: Path) -> dict[str, str]:
    """The metadata in an archive that `glocal export` wrote. RunError for any other file."""
    found: dict[str, str] = _checked(path)[1]
    return found


def _checked(path: Path) -> tuple[io.BytesIO, Any]:
    """The bytes of an archive and the metadata in it, after its parts were looked at."""
    try:
        data = path.read_bytes()
        with ZipFile(io.BytesIO(data)) as archive:
            if reason := next(_faults(archive), ""):
                raise RunError(
                    f"{path} is not read, because torch might execute what it holds: {reason}; `glocal export` writes no such "
                    "archive"
                )
            about = json.loads(archive.read(_named(archive)[_ABOUT]))
    except (
        AttributeError,
        BadZipFile,
        KeyError,
        OSError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise RunError(f"{path} cannot be read: {reason_of(error)}") from None
    return io.BytesIO(data), about


def _named(archive: ZipFile) -> dict[str, str]:
    """The names of all members by what follows the archive's one root folder."""
    return {name.partition("/")[2]: name for name in archive.namelist()}


def _faults(archive: ZipFile) -> Iterator[str]:
    """Why torch must not read an archive, the first reason first: what follows relies on what came before."""
    names, members = archive.namelist(), _named(archive)
    if len({name.partition("/")[0] for name in names}) != 1 or len(members) < len(names):
        yield "not all of its members have names of their own in one folder"
    if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
        yield "it is compressed"
    known = {_GRAPH, _EXAMPLE, _ABOUT, *_TABLES}
    yield from (f"it has no {name}" for name in sorted(known - members.keys()))
    yield from (f"it has {name}" for name in sorted(members.keys() - known) if not _MEMBER.fullmatch(name))
    for table, stored in _TABLES.items():
        for row in json.loads(archive.read(members[table]))["config"].values():
            if row["use_pickle"] or not stored.fullmatch(row["path_name"]):
                yield f"{table} names {row['path_name']}, which is no plain tensor"
    try:
        torch.load(io.BytesIO(archive.read(members[_EXAMPLE])), weights_only=True)
    except Exception:  # whatever its reader raises: torch would go on to a reader that executes
        yield f"{_EXAMPLE} holds more than tensors"
    yield from _of_graph(json.loads(archive.read(members[_GRAPH])))


def _of_graph(part: Any) -> Iterator[str]:
    """What in the description of a graph is neither an operation of ATen, nor a size, nor a name."""
    if isinstance(part, list):
        for each in part:
            yield from _of_graph(each)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key == "guards_code" and value:
            yield "it has code of guards"
        for wanted, expected in (("target", _OPERATION), ("expr_str", _SIZE), ("name", _NAME)):
            if key == wanted and not (isinstance(value, str) and expected.fullmatch(value)):
                yield f"the {wanted} {str(value)[:80]!r} of a node"
        if key != "metadata":  # what the tracer noted for people who debug
            yield from _of_graph(value)
