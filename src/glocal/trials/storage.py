"""Where tables of trials are stored: one file, a PostgreSQL server, or a journal on a shared disk; all through Optuna.

What a table holds is in `table`.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, unquote

from glocal.errors import TrialError
from glocal.extras import require
from glocal.passwords import without_passwords

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

POSSIBLE = "a path, postgresql://USER@HOST/DATABASE (its password in PGPASSWORD) or journal:PATH"

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between the tries at a server of PostgreSQL that went away: a minute outlasts a restart, and the recovery after a crash."""

LOST = ("08", "57P01", "57P02", "57P03")
"""PostgreSQL's codes of a lost connection, and of a server that stops, crashed or starts (its manual, appendix A)."""

_POSTGRES = re.compile(
    r"(?P<scheme>postgres(?:ql)?(?:\+pg8000)?://)(?P<whole>(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?(?P<place>[^@]+))"
)


class Storage(NamedTuple):
    """Optuna's storage, and the function that closes its connections."""

    backend: "BaseStorage"
    close: Callable[[], None]


def open_storage(where: str | Path | None) -> Storage:
    """The storage at a path (SQLite), at a URL of PostgreSQL, at journal:PATH, or for None one in memory.

    Processes of one machine can share a SQLite file. On a network disk use a journal: SQLite's write-ahead log works only on a
    local disk. Raises TrialError where the storage cannot be opened, and MissingPackage without Optuna.
    """
    require("a table of trials", "search", "optuna")
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    where = str(where) if where is not None else None
    try:
        if where is None:
            return Storage(optuna.storages.InMemoryStorage(), lambda: None)
        if where.startswith("journal:"):
            path = _with_folder(where.removeprefix("journal:"))
            return Storage(optuna.storages.JournalStorage(JournalFileBackend(path)), lambda: None)
        if "://" not in where:
            return _cached(_sqlite(_with_folder(where)))
        if match := _POSTGRES.fullmatch(with_password(where)):
            url = f"postgresql+pg8000://{match['whole']}".replace("{", "{{").replace("}", "}}")  # optuna formats it
            # The server may have closed a connection that was idle while a trial ran.
            return _patient(_cached(optuna.storages.RDBStorage(url, {"pool_pre_ping": True})))
    except ImportError as error:
        raise TrialError(f"{public(where)} needs a driver ({error}): pip install 'glocal[search]'") from None
    except Exception as error:  # of the driver, the database or the file system
        match = _POSTGRES.fullmatch(with_password(where or ""))
        advice = "; if the server asks for a password, set PGPASSWORD" if match and match["password"] is None else ""
        raise TrialError(f"cannot open the table of trials {public(where)}: {first_line(error)}{advice}") from error
    raise TrialError(f"{public(where)} is no storage for a table of trials; give {POSSIBLE}")


def public(where: str | None) -> str:
    """A storage as messages and files name it: without its password."""
    return without_passwords(where or "in memory")


def remember_password(where: str | None) -> None:
    """Keeps the password of a storage in PGPASSWORD, where PostgreSQL's own programs look for it: folders do not hold it."""
    if where and (match := _POSTGRES.fullmatch(where)) and match["password"]:
        os.environ["PGPASSWORD"] = unquote(match["password"])


def with_password(where: str) -> str:
    """A storage with the password of PGPASSWORD, where it is PostgreSQL's and has none."""
    password = os.environ.get("PGPASSWORD")
    if password and (match := _POSTGRES.fullmatch(where)) and match["user"] and match["password"] is None:
        return f"{match['scheme']}{match['user']}:{quote(password, safe='')}@{match['place']}"
    return where


def first_line(error: Exception) -> str:
    """What went wrong, from the error that the driver raised, on one line."""
    cause = error.__cause__ or error
    return without_passwords(next(iter(str(cause).splitlines()), "")) or type(cause).__name__


def _with_folder(path: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return str(Path(path).resolve())


def _cached(storage: "RDBStorage") -> Storage:
    from optuna.storages import get_storage

    return Storage(get_storage(storage), storage.engine.dispose)


class _Patient:
    """A storage whose calls wait for a server that went away, for as long as one takes to be started again.

    A call of which it is not known whether the server finished it is made again: tables allow that (glocal.trials.table).
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage.backend, name)
        return partial(self._tried, found) if callable(found) else found

    def _tried(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        for pause in (*PAUSES_S, None):
            try:
                return call(*arguments, **named)
            except Exception as error:
                if pause is None or not is_lost(error):
                    raise
                self._storage.close()  # connections to the server as it was
                time.sleep(pause)
        raise AssertionError("the last pause is None")


def _patient(storage: Storage) -> Storage:
    return Storage(cast("BaseStorage", _Patient(storage)), storage.close)


def is_lost(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a connection to PostgreSQL that was lost, or that it refuses as it starts."""
    while error is not None:
        if isinstance(error, OSError) or "network error" in str(error) or "connection is closed" in str(error):
            return True
        about = next(iter(error.args), None)
        if isinstance(about, Mapping) and str(about.get("C", "")).startswith(LOST):
            return True
        error = error.__cause__ or error.__context__
    return False


def _sqlite(path: str) -> "RDBStorage":
    """One file that several processes write: each transaction takes the lock when it starts.

    By default sqlite3 starts a transaction only with the first write, so that two processes that both read a trial as waiting
    would both claim it.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy import event

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last trials, and damages nothing
        return connection

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # The path goes to sqlite3 directly, because within a URL some of its characters would have a meaning.
    storage = RDBStorage("sqlite:///trials", {"creator": connect})
    event.listen(storage.engine, "begin", begin)
    return storage
