"""What happens when workers die: their trials wait for others, and a table whose workers die again and again is given up."""

import time
from dataclasses import dataclass, field

from glocal.errors import TrialError
from glocal.trials.table import Table
from glocal.trials.workers.liveness import DeadWorkers

CHECK_S = 1.0  # between two checks for dead workers
DEATHS = 3  # how often each worker may die while no trial is finished


@dataclass
class Recovery:
    """Puts back the trials of dead workers."""

    table: Table
    _dead: DeadWorkers = field(default_factory=DeadWorkers)
    _checked: float = 0.0

    def check(self) -> None:
        """Puts back every trial that a dead worker holds."""
        for held in self._dead.among(self.table.held()):
            self.table.put_back(held.number)
        self._checked = time.monotonic()

    def check_sometimes(self) -> None:
        """The same, unless it was done a moment ago."""
        if time.monotonic() - self._checked > CHECK_S:
            self.check()


@dataclass
class Deaths:
    """Counts deaths of workers: a worker may be killed now and then, but not all of them again and again."""

    table: Table
    workers: int
    count: int = 0
    finished: int = -1

    def add(self, reason: str) -> None:
        """Counts one more. TrialError where too many died since a trial was last finished."""
        finished = len(self.table.trials())
        self.count = self.count + 1 if finished == self.finished else 1
        self.finished = finished
        if self.count > DEATHS * self.workers:
            raise TrialError(
                f"{self.count} workers died one after the other ({reason}), and nothing was finished. Is memory short? Give "
                'fewer workers. A script that starts several needs: if __name__ == "__main__"'
            )
