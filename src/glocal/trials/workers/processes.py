"""Workers that are processes of this machine. They end with their coordinator, however it ends."""

import contextlib
import multiprocessing
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from glocal.errors import GlocalError, Stopped, TrialError
from glocal.trials.recovery import Deaths, Recovery
from glocal.trials.table import Table
from glocal.trials.workers.liveness import exit_with_parent
from glocal.trials.workers.worker import PAUSE_S, OneThread, Task, work

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess


class Processes:
    """A pool of processes, each with one thread of torch."""

    def __init__(self, task: Task, table: Table, recovery: Recovery, *, workers: int) -> None:
        if table.where is None:
            raise TrialError("no other process can read a table in memory; give a path for several workers")
        self._task, self._where, self._name, self._workers = task, table.where, table.name, workers
        self._recovery, self._deaths = recovery, Deaths(table, workers)
        self._running: list[tuple[SpawnProcess, Connection]] = []

    def attend(self) -> None:
        """Replaces processes that died, and raises the error of one that failed."""
        for process, errors in list(self._running):
            alive = process.is_alive()  # checked before the pipe: a worker that sends an error ends a moment later
            if errors.poll():
                with contextlib.suppress(EOFError):  # it ended without sending anything
                    kind, message, trace = errors.recv()
                    error: GlocalError = kind(message)
                    error.add_note(trace)
                    raise error
            if not alive:
                self._running.remove((process, errors))
                errors.close()
                self._recovery.check()
                self._deaths.add(f"exit code {process.exitcode}")
        while len(self._running) < self._workers:
            self._running.append(self._start())
        time.sleep(PAUSE_S)

    def _start(self) -> "tuple[SpawnProcess, Connection]":
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_work_in_process, args=(self._task, self._where, self._name, sender), daemon=True
        )
        with _ignoring_ctrl_c():
            process.start()
        sender.close()
        return process, receiver

    def end(self) -> None:
        """Kills the processes. Their trials are put back later, and no finished trial is lost."""
        for process, _ in self._running:
            process.kill()
        for process, errors in self._running:
            process.join()
            errors.close()
        self._running.clear()


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """A process that is started inside ignores Ctrl-C: its coordinator gets it too, and ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work_in_process(task: Task, where: str, name: str, sender: Connection) -> None:
    """What a process of `Processes` does: works until it is killed, or sends the error that ended it."""
    exit_with_parent()
    try:
        work(OneThread(task), where, name, patience_s=float("inf"))
    except BaseException as error:
        known = isinstance(error, GlocalError) and not isinstance(error, Stopped)
        kind, message = (type(error), str(error)) if known else (TrialError, f"a worker failed: {error!r}")
        sender.send((kind, message, traceback.format_exc()))
