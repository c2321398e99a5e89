"""What a worker does: claims candidates of a table, evaluates them and writes what came of it, until the search is over.

A process, a task of a cluster and a machine that joins by itself all do this same `work`; what one leaves undone another does.
Who begins and ends them is the business of `crews`.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from glocal.design.space import Answers
from glocal.errors import GlocalError, SearchError
from glocal.searching.liveness import BEAT_S, identity
from glocal.searching.table import Claim, Table

PAUSE_S = 0.05  # between two looks at a table where there is nothing to do


class Evaluated(NamedTuple):
    """What came of a candidate: the fraction of n pictures it got right."""

    accuracy: float
    n: int


Evaluator = Callable[[Answers], Evaluated]


class Task(Protocol):
    """What workers are sent: small and picklable; each makes one evaluator of it, which may be large, and keeps it."""

    def evaluator(self) -> Evaluator:
        """Reads what it needs, and evaluates sheets the same way in every process."""
        ...


def work(task: Task, where: str, name: str, *, patience_s: float = 600.0) -> int:
    """Evaluates candidates of a table until its search ends, or nothing comes for `patience_s`; returns how many.

    A machine joins a search by calling this with the place of its table; both see the same files where the task reads any.
    SearchError with the candidate where the evaluator fails; the candidate is put back.
    """
    with Table.join(where, name) as table:
        me, count = identity(), 0
        evaluator, idle_since = task.evaluator(), time.monotonic()
        while time.monotonic() - idle_since < patience_s:
            if claim := table.claim(me):
                evaluate(table, claim, evaluator)
                count, idle_since = count + 1, time.monotonic()
            elif table.over:
                break
            else:
                time.sleep(PAUSE_S)
    return count


def evaluate(table: Table, claim: Claim, evaluator: Evaluator) -> None:
    """Evaluates one claimed candidate; whatever goes wrong, a signal too, puts it back."""
    try:
        with _beating(table, claim):
            begun = time.perf_counter()
            accuracy, n = evaluator(claim.candidate.answers)
            seconds = time.perf_counter() - begun
        table.finish(claim, accuracy=accuracy, n=n, seconds=seconds)
    except BaseException as error:
        table.put_back(claim.trial)
        if isinstance(error, GlocalError) or not isinstance(error, Exception):
            raise
        raise SearchError(f"{claim.candidate} could not be evaluated: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _beating(table: Table, claim: Claim) -> Iterator[None]:
    """Tells other machines that this one lives, from a thread."""
    done = threading.Event()

    def beat() -> None:
        count = 0
        while not done.wait(BEAT_S):
            count += 1
            table.beat(claim, count)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@dataclass(frozen=True)
class OneThread:
    """A task among others on the same cores."""

    task: Task

    def evaluator(self) -> Evaluator:
        """The task's, with one thread of torch where it uses torch."""
        evaluate = self.task.evaluator()
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        return evaluate
