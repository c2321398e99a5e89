"""The workers of a coordinator: itself, processes of its machine, or tasks of a Ray cluster, as one interface."""

import time
from typing import Literal, Protocol

from glocal.errors import TrialError
from glocal.trials.recovery import Recovery
from glocal.trials.table import Table
from glocal.trials.workers.liveness import worker_name
from glocal.trials.workers.processes import Processes
from glocal.trials.workers.ray_tasks import RayTasks
from glocal.trials.workers.worker import PAUSE_S, Run, Task, run_claim

Engine = Literal["processes", "ray"]


class WorkerPool(Protocol):
    """Workers that start when there is something to do."""

    def attend(self) -> None:
        """Called again and again: works, or replaces workers that died. Raises the error of a worker that failed."""
        ...

    def end(self) -> None:
        """Ends the workers, at once."""
        ...


def worker_pool(task: Task, table: Table, recovery: Recovery, *, workers: int, engine: Engine) -> WorkerPool:
    """The pool that a number of workers needs: one worker of the engine "processes" is this process itself."""
    if workers < 1:
        raise TrialError(f"{workers} workers run nothing; give 1 or more")
    if engine == "ray":
        return RayTasks(task, table, recovery, workers=workers)
    return ThisProcess(task, table) if workers == 1 else Processes(task, table, recovery, workers=workers)


class ThisProcess:
    """This process is its own and only worker."""

    def __init__(self, task: Task, table: Table) -> None:
        self.task, self.table = task, table
        self._run: Run | None = None

    def attend(self) -> None:
        """Runs all trials that wait."""
        while claim := self.table.claim(worker_name()):
            try:
                self._run = self._run or self.task.prepare()
            except BaseException:
                self.table.put_back(claim.number)
                raise
            run_claim(self.table, claim, self._run)
        time.sleep(PAUSE_S)  # a machine that joined may hold some

    def end(self) -> None:
        """There is no other process to end."""
