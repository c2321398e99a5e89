"""The loop of a search: propose a generation, see it evaluated, propose the next. It may be killed anywhere and begun again."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Literal

from glocal.design.architecture import Architecture
from glocal.errors import SearchError, Stopped
from glocal.searching.crews import Alone, Crew, Processes, Ray
from glocal.searching.evolution import Candidate, Method, propose
from glocal.searching.limits import Limits, Pricer
from glocal.searching.storage import public
from glocal.searching.table import Table
from glocal.searching.workers import Task

Engine = Literal["processes", "ray"]


def evolve(
    space: Architecture,
    task: Task,
    *,
    method: Method,
    limits: Limits,
    price: Pricer,
    seed: int,
    table: Table,
    workers: int = 1,
    engine: Engine = "processes",
    deadline: float | None = None,
    tell: Callable[[Sequence[Candidate]], None] | None = None,
) -> list[Candidate]:
    """Evaluates the candidates that the method proposes, and returns all of the table in the order they were proposed.

    The candidates and their accuracies are the same for any number of workers, and after any kill: begun again with the same
    arguments, it goes on with what the table holds. workers=1 evaluates in this process. After `deadline` (of time.monotonic)
    no new generation is begun; `tell` is told of every generation once it is evaluated, those that the table had before too.

    SearchError where nothing is within the limits, an evaluation fails or the table is lost; Stopped after a signal. In both
    cases the table keeps what was evaluated, and the rest waits in it.
    """
    crew = _crew(task, table, workers=workers, engine=engine)
    begun = {c.generation for c in table.candidates()}
    with _guarded(table), contextlib.ExitStack() as ending:
        ending.callback(crew.sweep)  # after the workers have ended
        ending.callback(crew.end)
        for generation in range(len(method.batches)):
            if deadline is not None and time.monotonic() > deadline and generation not in begun:
                break
            done = table.candidates()
            batch = propose(space, method, limits=limits, price=price, seed=seed, generation=generation, done=done)
            if not batch:
                break
            table.enqueue(batch)
            while not table.settled():
                crew.attend()
            if tell:
                tell([c for c in table.candidates() if c.generation == generation])
        table.end()
    return table.candidates()


def _crew(task: Task, table: Table, *, workers: int, engine: Engine) -> Crew:
    if workers < 1:
        raise SearchError(f"{workers} workers evaluate nothing; give 1 or more")
    if engine == "ray":
        return Ray(task, table, workers=workers)
    return Alone(task, table) if workers == 1 else Processes(task, table, workers=workers)


class _Heard(BaseException):
    """A signal. No Exception, which a database's driver or an evaluator that it interrupts would take for its own."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextlib.contextmanager
def _guarded(table: Table) -> Iterator[None]:
    """Signals raise Stopped inside, where this is the main thread, and a database that is gone raises SearchError."""
    from optuna.exceptions import StorageInternalError

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Heard(number)

    numbers = [signal.SIGINT, signal.SIGTERM] if threading.current_thread() is threading.main_thread() else []
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except _Heard as heard:
        where = f"between candidates; those evaluated are in {public(table.where)}: begin again to go on"
        raise Stopped(heard.number, where) from None
    except StorageInternalError as error:
        why = str(error.__cause__ or error).splitlines()[0]
        raise SearchError(
            f"lost {public(table.where)} ({why}); it keeps the candidates evaluated: begin again to go on"
        ) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
