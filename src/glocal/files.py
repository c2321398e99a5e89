"""Files that are written whole or not at all, and YAML and JSON in such files."""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

import yaml

from glocal.errors import RunError
from glocal.passwords import without_passwords

T = TypeVar("T")
_PARTS = ".parts-"


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` only when it is complete and on the disk. RunError where it cannot be written.

    Its rights are those of any new file (0644 under the usual umask), so that others can read what a colleague trained.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # as `is_part` knows it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        before = "; the file that was there before is unchanged" if path.exists() else ""
        raise RunError(f"{path} could not be written: {error.strerror or error}{before}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_whole(path: str | Path, data: bytes | memoryview) -> None:
    """Writes a file that appears only when it is complete, as `whole_file` does."""
    with whole_file(path) as file:
        file.write(data)


def unique_name(text: str, *, of: str | None = None) -> str:
    """A name for a file or folder about something of any name; different texts have different ones, or different `of`."""
    readable = re.sub(r"[^A-Za-z0-9._@-]+", "-", text).strip("-.")[:80] or "unnamed"
    checksum = hashlib.sha256((of or text).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{readable}-{checksum}"


def name_of_source(source: str | Path) -> str:
    """A source of pictures in the names of folders about it: that of its file or folder, also where it is given as "."."""
    return re.sub(r"[^\w-]+", "_", Path(os.path.abspath(source)).stem).strip("_") or "pictures"


def is_part(name: str) -> bool:
    """Whether a file of this name is one that `whole_file` was writing when its process was killed."""
    return re.fullmatch(r"\..+\.[0-9a-f]{8}", name) is not None


@contextlib.contextmanager
def whole_files(folder: Path, *, last: str) -> Iterator[Path]:
    """A new folder inside `folder` whose files take their places there when all are complete and on the disk, `last` after all
    others: where that one is, all are. RunError where they cannot be written. What a killed process left is removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_PARTS}*"):
            shutil.rmtree(left, ignore_errors=True)
        parts = folder / f"{_PARTS}{secrets.token_hex(4)}"
        parts.mkdir()
        try:
            yield parts
            for path in sorted(parts.iterdir(), key=lambda path: (path.name == last, path.name)):
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                os.replace(path, folder / path.name)
        finally:
            shutil.rmtree(parts, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{folder / last} could not be written: {error.strerror or error}") from None


def open_file(path: str | Path) -> BinaryIO:
    """A file, open to be read. OSError for any other thing: a pipe would be waited for without end, a device may have none."""
    file = open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    return file


def file_bytes(path: str | Path) -> bytes:
    """The bytes of a file; OSError for any other thing."""
    with open_file(path) as file:
        return file.read()


def read_as(kind: type[T], path: Path) -> T:
    """The typed value of a JSON or YAML file; RunError where the file is not whole or holds another."""
    from pydantic import TypeAdapter, ValidationError  # what computes on a GPU's machine may have none

    found = read_json(path) if path.suffix == ".json" else read_yaml(path)
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RunError(f"{path} is not whole: {where + ': ' if where else ''}{first['msg']}") from None


def read_yaml(path: Path, *keys: str) -> dict[str, Any]:
    """What `write_yaml` wrote; RunError where the file is not whole, or lacks one of the keys."""
    try:
        found = parse_yaml(file_bytes(path))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not whole: {reason_of(error)}") from None
    if not isinstance(found, dict) or not set(keys) <= found.keys():
        raise RunError(f"{path} is not whole: it must have {', '.join(keys) or 'names and values'}")
    return found


def parse_yaml(data: bytes, *, as_text: bool = False) -> Any:
    """The value of a YAML document in UTF-8, whatever the bytes are; ValueError says what is wrong with them.

    as_text: leaves numbers, truth values and dates as the text that was written.
    """
    try:
        return yaml.load(data.decode(), Loader=yaml.BaseLoader if as_text else yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not text in UTF-8 (byte {error.start:,})") from None
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    # PyYAML's constructors raise more than its own errors, for instance of "!!int x" or of the 31st of June.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
        raise ValueError(reason_of(error)) from None


def reason_of(error: BaseException) -> str:
    """The message of an error on one line of at most 300 characters, for errors that show what a file holds."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def read_json(path: Path) -> Any:
    """The value of a JSON file; RunError where the file is not whole."""
    try:
        return json.loads(file_bytes(path))
    except RecursionError:
        raise RunError(f"{path} is not whole: its values are nested too deeply") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not whole: {error}") from None


class _Dumper(yaml.SafeDumper):
    """Plain data, of whose texts no URL holds a password."""


_Dumper.add_representer(str, lambda dumper, text: yaml.SafeDumper.represent_str(dumper, without_passwords(text)))


def write_yaml(path: Path, data: Any) -> None:
    """Plain data as YAML, in the order given, without the passwords of URLs."""
    write_whole(path, yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120).encode())
