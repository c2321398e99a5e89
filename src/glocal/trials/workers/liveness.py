"""Which workers are alive: names of processes, the trials of dead ones, and workers that end with their coordinator."""

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
"""A worker writes its name into a claim a moment after it made it. A claim that has no name for so long was made by a process
that died in between."""

HEARTBEAT_S = 20.0
STALE_S = 180.0
"""A worker writes a heartbeat every HEARTBEAT_S seconds. A worker of another machine counts as dead after STALE_S seconds without
one."""


class Held(NamedTuple):
    """A trial that a worker holds, or held when it died; `number` is the table's own for it."""

    number: int
    worker: str
    heartbeat: int


def worker_name() -> str:
    """The name of this process, which no other process has: machine, process number and starting time."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_started(pid) or 0}"


def is_alive(worker: str) -> bool | None:
    """Whether the process of a worker still runs; None where it belongs to another machine."""
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


def exit_with_parent() -> None:
    """Ends this process when the process that started it ends, in whatever way. A worker without its coordinator would wait for
    ever, or write the same files as the next coordinator's workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _machine() -> str:
    return socket.gethostname().replace(":", "-")


def _started(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None for a process that has ended, waited for or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass
class DeadWorkers:
    """Finds the trials of dead workers. Heartbeats are timed by this process's clock: those of other machines may be wrong."""

    stale_s: float = STALE_S
    seen: dict[int, tuple[Held, float]] = field(default_factory=dict)

    def among(self, held: Iterable[Held]) -> list[Held]:
        """The trials, of those that are held now, whose workers are dead."""
        now, held = time.monotonic(), list(held)
        self.seen = {h.number: s if (s := self.seen.get(h.number)) and s[0] == h else (h, now) for h in held}
        return [h for h in held if self._is_dead(h, now - self.seen[h.number][1])]

    def _is_dead(self, held: Held, unchanged_s: float) -> bool:
        if not held.worker:
            return unchanged_s > CLAIM_S
        alive = is_alive(held.worker)
        return unchanged_s > self.stale_s if alive is None else not alive
