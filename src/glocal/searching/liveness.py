"""The names of workers, whether those who hold candidates still live, and that none outlives its search."""

import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

CLAIM_S = 5.0
"""A claim names its worker a moment after it is made; one that has no name for so long was made by a process that died
between."""

BEAT_S = 20.0
STALE_S = 180.0
"""A worker of another machine beats every BEAT_S seconds, and is taken for dead when STALE_S seconds bring no beat."""


class Held(NamedTuple):
    """A candidate that somebody works on, or did: trial is the table's number for it."""

    trial: int
    worker: str
    beat: int


def identity() -> str:
    """The name of this process, which no other process bears: machine, number, and when it started."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_started(pid) or 0}"


def lives(worker: str) -> bool | None:
    """Whether a worker's process still runs; None where it is of another machine."""
    machine, pid, started = worker.rsplit(":", 2)
    if machine != _machine():
        return None
    if Path("/proc/self/stat").exists():
        return _started(int(pid)) == int(started)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def die_with_parent() -> None:
    """Lets this process end when the one that started it ends, however that comes about: nobody else would wait for it, and a
    search that goes on would meet it in the same files."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _machine() -> str:
    return socket.gethostname().replace(":", "-")


def _started(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None for one that is not, or has ended and waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass
class Watch:
    """Finds claims of the dead. Beats are compared with this process's clock only: other machines' may be wrong."""

    stale_s: float = STALE_S
    seen: dict[int, tuple[Held, float]] = field(default_factory=dict)

    def dead(self, held: Iterable[Held]) -> list[Held]:
        """The claims, of those now held, whose workers are dead."""
        now, held = time.monotonic(), list(held)
        self.seen = {h.trial: s if (s := self.seen.get(h.trial)) and s[0] == h else (h, now) for h in held}
        return [h for h in held if self._is_dead(h, now - self.seen[h.trial][1])]

    def _is_dead(self, held: Held, unchanged_s: float) -> bool:
        if not held.worker:
            return unchanged_s > CLAIM_S
        alive = lives(held.worker)
        return unchanged_s > self.stale_s if alive is None else not alive
