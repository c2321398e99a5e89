"""Who a coordinator has evaluate: itself, processes of its machine, or tasks of a Ray cluster; and what it does when they die."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from glocal.errors import GlocalError, SearchError
from glocal.searching.liveness import Watch, die_with_parent, identity
from glocal.searching.table import Table
from glocal.searching.workers import PAUSE_S, Evaluator, OneThread, Task, evaluate, work

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

SWEEP_S = 1.0  # between two looks for candidates that the dead hold
DEATHS = 3  # how often each worker may die while no candidate is finished


class Crew(ABC):
    """The workers that a coordinator has. They begin when there is something to do."""

    def __init__(self, task: Task, table: Table) -> None:
        self.task, self.table = task, table
        self._watch, self._swept = Watch(), 0.0

    def attend(self) -> None:
        """A moment of the coordinator's: sees to its workers, and to candidates whose workers died."""
        self.see_to()
        if time.monotonic() - self._swept > SWEEP_S:
            self.sweep()

    def sweep(self) -> None:
        """Puts back what the dead hold."""
        for held in self._watch.dead(self.table.held()):
            self.table.put_back(held.trial)
        self._swept = time.monotonic()

    @abstractmethod
    def see_to(self) -> None:
        """Works, or sees that the workers do. SearchError of a worker is raised here."""

    @abstractmethod
    def end(self) -> None:
        """Ends the workers, at once."""


class Alone(Crew):
    """This process is its only worker."""

    evaluator: Evaluator | None = None

    def see_to(self) -> None:
        """Evaluates all that waits."""
        while claim := self.table.claim(identity()):
            try:
                self.evaluator = self.evaluator or self.task.evaluator()
            except BaseException:
                self.table.put_back(claim.trial)
                raise
            evaluate(self.table, claim, self.evaluator)
        time.sleep(PAUSE_S)  # a machine that joined may hold some

    def end(self) -> None:
        """There is nobody to end."""


@dataclass
class _Deaths:
    """Workers may be killed now and then; a search whose workers die and die again must not go on for ever."""

    table: Table
    workers: int
    count: int = 0
    finished: int = -1

    def another(self, why: str) -> None:
        finished = len(self.table.candidates())
        self.count = self.count + 1 if finished == self.finished else 1
        self.finished = finished
        if self.count > DEATHS * self.workers:
            raise SearchError(
                f"{self.count} workers died one after the other ({why}), and nothing was finished. Out of memory? Give fewer "
                'workers. A script that searches with several needs: if __name__ == "__main__"'
            )


class Processes(Crew):
    """Processes of this machine, each with one thread of torch. They end with this one, however it ends."""

    def __init__(self, task: Task, table: Table, *, workers: int) -> None:
        super().__init__(task, table)
        if table.where is None:
            raise SearchError("a table in memory is this process's alone; give it a path for several workers")
        self.wanted = workers
        self._running: list[tuple[SpawnProcess, Connection]] = []
        self._deaths = _Deaths(table, workers)

    def see_to(self) -> None:
        """Replaces those that died, and raises what one of them could not do."""
        for process, ear in list(self._running):
            alive = process.is_alive()  # asked first: one that tells what went wrong ends a moment later
            if ear.poll():
                with contextlib.suppress(EOFError):  # it ended without a word
                    message, trace = ear.recv()
                    error = SearchError(message)
                    error.add_note(trace)
                    raise error
            if not alive:
                self._running.remove((process, ear))
                ear.close()
                self.sweep()
                self._deaths.another(f"exit code {process.exitcode}")
        while len(self._running) < self.wanted:
            self._running.append(self._started())
        time.sleep(PAUSE_S)

    def _started(self) -> "tuple[SpawnProcess, Connection]":
        context = multiprocessing.get_context("spawn")
        ear, mouth = context.Pipe(duplex=False)
        process = context.Process(
            target=_in_process, args=(self.task, self.table.where, self.table.name, mouth), daemon=True
        )
        with _deaf():
            process.start()
        mouth.close()
        return process, ear

    def end(self) -> None:
        """Kills them: what they held is put back, and nothing that was finished is lost."""
        for process, _ in self._running:
            process.kill()
        for process, ear in self._running:
            process.join()
            ear.close()
        self._running.clear()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A process started inside does not hear Ctrl-C: its coordinator does, and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _in_process(task: Task, where: str, name: str, mouth: Connection) -> None:
    """What a process of `Processes` does: works until killed, or tells what went wrong."""
    die_with_parent()
    try:
        work(OneThread(task), where, name, patience_s=float("inf"))
    except BaseException as error:
        mouth.send(
            (str(error) if isinstance(error, GlocalError) else f"a worker failed: {error!r}", traceback.format_exc())
        )


class Ray(Crew):
    """Tasks of a Ray cluster: the one that RAY_ADDRESS names, or one begun here. Its machines must reach the table."""

    def __init__(self, task: Task, table: Table, *, workers: int) -> None:
        super().__init__(task, table)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            import ray
        except ImportError:
            raise SearchError("workers on a cluster need ray: pip install 'glocal[search,cluster]'") from None
        if table.where is None:
            raise SearchError(
                "a table in memory is this process's alone; give it a path or a URL for workers of a cluster"
            )
        self.wanted, self._ray, self._tasks, self._deaths = workers, ray, list[Any](), _Deaths(table, workers)
        self._begun_here = not ray.is_initialized()
        if self._begun_here:
            try:
                ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
            except Exception as error:  # ray raises what it likes
                raise SearchError(f"ray did not start: {error}") from error
        self._work = ray.remote(max_retries=0)(work)

    def see_to(self) -> None:
        """Replaces those that died, and raises what one of them could not do."""
        while len(self._tasks) < self.wanted:
            self._tasks.append(self._work.remote(OneThread(self.task), self.table.where, self.table.name))
        ended, _ = self._ray.wait(self._tasks, timeout=PAUSE_S)
        for task in ended:
            self._tasks.remove(task)
            try:
                self._ray.get(task)
            except self._ray.exceptions.RayTaskError as error:
                cause = (
                    error.cause
                    if isinstance(error.cause, GlocalError)
                    else SearchError(f"a worker failed: {error.cause!r}")
                )
                cause.add_note(str(error))
                raise cause from None
            except self._ray.exceptions.RayError as error:
                self.sweep()
                self._deaths.another(type(error).__name__)

    def end(self) -> None:
        """Ends the tasks, and the cluster where it was begun here."""
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        self._tasks.clear()
        if self._begun_here:
            self._ray.shutdown()
