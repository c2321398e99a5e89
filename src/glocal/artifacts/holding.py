"""A folder that one process at a time writes: a second that wants to go on with the same run, study or search is refused."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from glocal.errors import RunError

try:
    import fcntl
except ImportError:  # Windows, where folders are not held
    fcntl = None  # type: ignore[assignment]

NAME = "held"


@contextlib.contextmanager
def held(folder: Path, *, main: bool = True) -> Iterator[None]:
    """Keeps a folder for this process inside the block; RunError where another process has it, or it cannot be written.

    main: False does nothing, for the processes of a run that write nothing.

    The lock is the process's own: it ends when the process does, in whatever way, and its children do not have it. The file
    of no bytes that it stands on stays.
    """
    if fcntl is None or not main:
        yield
        return
    path = folder / NAME
    try:
        file = path.open("a")
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror}") from None
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise RunError(f"another process goes on with {folder}; wait for its end, or end it") from None
        except OSError:  # a network disk without locks
            pass
        yield
