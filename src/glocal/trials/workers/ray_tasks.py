"""Workers that are tasks of a Ray cluster: of the one that RAY_ADDRESS names, or of one that is started here."""

import os
from typing import Any

from glocal.errors import GlocalError, TrialError
from glocal.extras import require
from glocal.trials.recovery import Deaths, Recovery
from glocal.trials.table import Table
from glocal.trials.workers.worker import PAUSE_S, OneThread, Task, work


def require_ray() -> None:
    """MissingPackage where Ray is not installed."""
    require("a cluster", "search,cluster", "ray")


class RayTasks:
    """A pool of tasks of Ray. The machines of the cluster must reach the storage of the table."""

    def __init__(self, task: Task, table: Table, recovery: Recovery, *, workers: int) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        require_ray()
        import ray

        if table.where is None:
            raise TrialError("no machine of a cluster can read a table in memory; give a path or a URL")
        self._task, self._where, self._name, self._workers = task, table.where, table.name, workers
        self._recovery, self._deaths = recovery, Deaths(table, workers)
        self._ray, self._tasks = ray, list[Any]()
        self._started_here = not ray.is_initialized()
        if self._started_here:
            try:
                ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
            except Exception as error:  # ray raises errors of many kinds
                raise TrialError(f"ray did not start: {error}") from error
        self._work = ray.remote(max_retries=0)(work)

    def attend(self) -> None:
        """Replaces tasks that died, and raises the error of one that failed."""
        while len(self._tasks) < self._workers:
            self._tasks.append(self._work.remote(OneThread(self._task), self._where, self._name))
        ended, _ = self._ray.wait(self._tasks, timeout=PAUSE_S)
        for task in ended:
            self._tasks.remove(task)
            try:
                self._ray.get(task)
            except self._ray.exceptions.RayTaskError as error:
                known = isinstance(error.cause, GlocalError)
                cause = error.cause if known else TrialError(f"a worker failed: {error.cause!r}")
                cause.add_note(str(error))
                raise cause from None
            except self._ray.exceptions.RayError as error:
                self._recovery.check()
                self._deaths.add(type(error).__name__)

    def end(self) -> None:
        """Ends the tasks, and the cluster where it was started here."""
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        self._tasks.clear()
        if self._started_here:
            self._ray.shutdown()
