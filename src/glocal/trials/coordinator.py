"""The coordinator: it enqueues trials, has workers run them and stops at a signal. It may be killed and started again."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from glocal.errors import Stopped
from glocal.trials.recovery import Recovery
from glocal.trials.storage import public
from glocal.trials.table import Table
from glocal.trials.trial import Trial
from glocal.trials.workers.liveness import is_alive
from glocal.trials.workers.pool import Engine, WorkerPool, worker_pool
from glocal.trials.workers.worker import Task

Following = Callable[[Sequence[Trial]], Trial | None]
"""The trial to run next, given those that the table has, with the results of those that are finished; None where none can be
decided before another is finished, or ever."""


@dataclass(frozen=True)
class Coordinator:
    """A table with its workers."""

    table: Table
    workers: int
    _pool: WorkerPool
    _recovery: Recovery

    def run(self, trials: Sequence[Trial]) -> list[Trial]:
        """Has workers run the trials that are not finished yet; returns all of them, finished, in their order.

        TrialError where a run fails or the table is lost, Stopped after a signal. Either way the table keeps what is finished.
        """
        self.table.enqueue(trials)
        while not self.table.all_finished():
            self._pool.attend()
            self._recovery.check_sometimes()
        finished = {trial.key: trial for trial in self.table.trials()}
        return [finished[trial.key] for trial in trials]

    def run_following(self, following: Following) -> list[Trial]:
        """Has workers run trials that are decided one by one, each when a worker can start it, until none follows; returns all.

        What follows may depend on nothing but the trials that the table has. So the table holds every decision that was taken: a
        coordinator that is started again takes none of them back. With one worker they are the same in every run. Raises as
        `run` does.
        """
        while True:
            trials = self.table.enqueued()
            running = sum(trial.result is None for trial in trials)
            if (running < self.workers or running == self._held()) and (trial := following(trials)):
                self.table.enqueue([trial])
            elif running:
                self._pool.attend()
                self._recovery.check_sometimes()
            else:
                return trials

    def _held(self) -> int:
        """The trials that live workers hold, among them machines that joined."""
        return sum(bool(each.worker) and is_alive(each.worker) is not False for each in self.table.held())


@contextlib.contextmanager
def coordinate(task: Task, table: Table, *, workers: int = 1, engine: Engine = "processes") -> Iterator[Coordinator]:
    """Workers for a table while the block runs. workers=1 of the engine "processes" runs the trials in this process.

    The trials and their results are the same for any number of workers, and after any kill: a coordinator that is started again
    with the same trials runs only those that are not finished. At the end of the block, workers elsewhere leave too; after an
    error they wait for another coordinator.
    """
    recovery = Recovery(table)
    pool = worker_pool(task, table, recovery, workers=workers, engine=engine)
    where = (
        f"between trials; those that are finished are in {public(table.where)}: run the same command again to continue"
    )
    with stopping_on_signals(where), contextlib.ExitStack() as at_end:
        at_end.callback(recovery.check)  # after the workers have ended
        at_end.callback(pool.end)
        yield Coordinator(table, workers, pool, recovery)
        table.complete()


class _Signal(BaseException):
    """A signal. No Exception, since the code that it interrupts may handle Exceptions as errors of its own."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextlib.contextmanager
def stopping_on_signals(where: str) -> Iterator[None]:
    """SIGINT and SIGTERM raise Stopped inside, if this is the main thread; `where` says in its message how to continue."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Signal(number)

    numbers = [signal.SIGINT, signal.SIGTERM] if threading.current_thread() is threading.main_thread() else []
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except _Signal as received:
        raise Stopped(received.number, where) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
