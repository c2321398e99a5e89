"""What a worker does: it claims trials of a table, runs them and writes their results, until the table is complete.

A process of this machine, a task of a cluster and a machine that joins by itself all call the same `work`; a trial that one of
them leaves unfinished another runs. Which workers there are is decided in `pool`.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from glocal.errors import GlocalError, TrialError
from glocal.trials.table import Claim, Table
from glocal.trials.trial import Json
from glocal.trials.workers.liveness import HEARTBEAT_S, worker_name

PAUSE_S = 0.05  # between two reads of a table in which nothing waits

Run = Callable[[Json], Json]
"""Runs one trial: from its settings to its result."""


class Task(Protocol):
    """What workers are sent, small and picklable. Each worker prepares it once and then runs all its trials with the outcome."""

    def prepare(self) -> Run:
        """Reads what runs need, which may be large. The same settings must give the same result in every process."""
        ...


def work(task: Task, where: str, name: str, *, patience_s: float = 600.0) -> int:
    """Runs trials of a table until it is complete, or no trial comes for `patience_s` seconds; returns how many it ran.

    A machine joins by calling this with the storage of the table; where the task reads files, both machines must see them.
    TrialError where a run fails; its trial is put back.
    """
    with Table.join(where, name) as table:
        me, count = worker_name(), 0
        run, idle_since = task.prepare(), time.monotonic()
        while time.monotonic() - idle_since < patience_s:
            if claim := table.claim(me):
                run_claim(table, claim, run)
                count, idle_since = count + 1, time.monotonic()
            elif table.is_complete:
                break
            else:
                time.sleep(PAUSE_S)
    return count


def run_claim(table: Table, claim: Claim, run: Run) -> None:
    """Runs one claimed trial. Whatever goes wrong, a signal included, puts the trial back."""
    try:
        with _heartbeats(table, claim):
            started = time.perf_counter()
            result = run(claim.trial.settings)
            seconds = time.perf_counter() - started
        table.finish(claim, result, seconds=seconds)
    except BaseException as error:
        table.put_back(claim.number)
        if isinstance(error, GlocalError) or not isinstance(error, Exception):
            raise
        raise TrialError(f"{claim.trial} failed: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _heartbeats(table: Table, claim: Claim) -> Iterator[None]:
    """Writes heartbeats from a thread while a trial runs."""
    done = threading.Event()

    def beat() -> None:
        count = 0
        while not done.wait(HEARTBEAT_S):
            count += 1
            with contextlib.suppress(
                GlocalError
            ):  # the next one tries again; a table that is lost fails when the trial ends
                table.heartbeat(claim, count)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@dataclass(frozen=True)
class OneThread:
    """A task that shares the cores with other workers: each of them computes with one thread of torch."""

    task: Task

    def prepare(self) -> Run:
        """Prepares the task, and sets the number of threads where the task uses torch."""
        run = self.task.prepare()
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        return run
