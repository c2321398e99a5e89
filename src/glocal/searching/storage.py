"""Where tables of candidates are kept: one file, a PostgreSQL server, or a journal on a shared disk; all through Optuna.

What a table holds is the business of `table`.
"""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from glocal.errors import SearchError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

POSSIBLE = "a path, postgresql://USER:PASSWORD@HOST/DATABASE or journal:PATH"


class Opened(NamedTuple):
    """Optuna's storage, and what closes its connections."""

    storage: "BaseStorage"
    close: Callable[[], None]


def open_storage(where: str | Path | None) -> Opened:
    """The storage of a path (SQLite), of a URL of PostgreSQL, of journal:PATH, or for None one in memory.

    SQLite's write-ahead log needs a disk of this machine: processes of one machine share it, a network disk is for a journal.
    SearchError where it cannot be opened.
    """
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise SearchError("a search keeps its candidates with optuna: pip install 'glocal[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    where = str(where) if where is not None else None
    try:
        if where is None:
            return Opened(optuna.storages.InMemoryStorage(), lambda: None)
        if where.startswith("journal:"):
            path = _with_folder(where.removeprefix("journal:"))
            return Opened(optuna.storages.JournalStorage(JournalFileBackend(path)), lambda: None)
        if "://" not in where:
            return _cached(_sqlite(_with_folder(where)))
        if match := re.fullmatch(r"postgres(?:ql)?(?:\+pg8000)?://(.+)", where):
            url = f"postgresql+pg8000://{match[1]}".replace("{", "{{").replace("}", "}}")  # optuna formats it
            # A server may have ended a connection that lay idle while a candidate was evaluated.
            return _cached(optuna.storages.RDBStorage(url, {"pool_pre_ping": True}))
    except ImportError as error:
        raise SearchError(f"{public(where)} needs a driver ({error}): pip install 'glocal[search]'") from None
    except Exception as error:  # of the driver, the database or the file system
        why = str(error.__cause__ or error).splitlines()[0]
        raise SearchError(f"cannot open the table of candidates {public(where)}: {why}") from error
    raise SearchError(f"{public(where)} is no place for a table of candidates; give {POSSIBLE}")


def public(where: str | None) -> str:
    """A place without its password."""
    return re.sub(r"(?<=://)([^:/@]+):[^@]*@", r"\1:...@", where or "in memory")


def _with_folder(path: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return str(Path(path).resolve())


def _cached(storage: "RDBStorage") -> Opened:
    from optuna.storages import get_storage

    return Opened(get_storage(storage), storage.engine.dispose)


def _sqlite(path: str) -> "RDBStorage":
    """One file that several processes write: each transaction takes the lock as it begins.

    By default sqlite3 opens a transaction only with the first write, so that two processes that both read a trial as waiting
    would both claim it.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy import event

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last candidates, and breaks nothing
        return connection

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # The path is given to sqlite3 itself: within a URL some of its characters would mean something.
    storage = RDBStorage("sqlite:///candidates", {"creator": connect})
    event.listen(storage.engine, "begin", begin)
    return storage
