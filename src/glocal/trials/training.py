"""Many training runs, several at a time: each is a run of `glocal.runs` in a folder of its own, and can be resumed."""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Data
from glocal.data.options import DataOptions
from glocal.errors import DivergedError, Stopped, TrialError
from glocal.evaluation.scores import Scores
from glocal.machine.processes import Machine
from glocal.machine.signals import TIME_OVER
from glocal.machine.threads import threads as number_of_threads
from glocal.net.saving.tensor_files import read_meta
from glocal.recipes.schedule import check_warmup
from glocal.recipes.schema import Recipe
from glocal.runs.execution import Execution
from glocal.runs.place import Place
from glocal.runs.record import RunRecord, lasting
from glocal.runs.resume import resume
from glocal.runs.train import run_environment, start_run
from glocal.trials.workers.liveness import exit_with_parent
from glocal.weights import AnyArchitecture


@dataclass(frozen=True, eq=False)
class Entry:
    """A network that is to be trained in a folder of its own, and what its run.yaml will hold."""

    folder: Path
    architecture: AnyArchitecture
    record: RunRecord
    data: Data

    @classmethod
    def of(
        cls, folder: Path, architecture: AnyArchitecture, recipe: Recipe, *, data: Data, machine: Machine, origin: str
    ) -> Self:
        """An entry on pictures that are already checked. `origin` says in run.yaml where the settings come from: "search"."""
        record = RunRecord(
            source=lasting(data.source),
            recipe=recipe.merged({"model": str((folder / "architecture.yaml").resolve())}),
            origins=dict.fromkeys(Recipe.model_fields, origin),
            options=DataOptions(skip_bad_files=True),
            place=Place(device=str(machine.device), workers=machine.workers, checkpoint_s=machine.checkpoint_s),
            fingerprint=data.fingerprint(),
        )
        return cls(folder, architecture, record, data)


@dataclass(frozen=True)
class Trained:
    """A run: its folder, and the scores of its best epoch on the validation pictures."""

    folder: Path
    val: Scores


def train_all(
    entries: Sequence[Entry],
    *,
    workers: int = 1,
    threads: int,
    on_trained: Callable[[Entry, Trained], None] | None = None,
) -> list[Trained | DivergedError]:
    """Trains every entry: resumes the runs that were started, and takes the results of those that are finished. The error of a
    training that diverges stands in the place of its result.

    workers: runs at a time, each in a process of its own if there are several. threads: of torch, for each run; it touches the
    last bits of the result, and the number of workers does not. on_trained: called with each entry that was trained here.
    TrialError where a process dies; what else a run raises is raised here.
    """
    results: dict[int, Trained | DivergedError] = {}
    left = []
    for i, entry in enumerate(entries):
        if done := finished(entry.folder, entry.record.recipe):
            results[i] = done
        else:
            left.append(i)
    if workers == 1 or len(left) < 2:
        trained = _in_this_process(entries, left, threads=threads)
    else:
        trained = _in_processes(entries, left, workers=workers, threads=threads)
    for i, one in trained:
        results[i] = one
        if on_trained and isinstance(one, Trained):
            on_trained(entries[i], one)
    return [results[i] for i in range(len(entries))]


def train_entry(entry: Entry) -> Trained:
    """Trains one entry here, from where it is; a finished run is read."""
    if done := finished(entry.folder, entry.record.recipe):
        return done
    if (entry.folder / "run.yaml").exists():
        run = resume(entry.folder)
    else:
        if entry.folder.exists():  # killed before the run was started
            shutil.rmtree(entry.folder)
        machine = entry.record.place.machine()
        run = start_run(
            entry.record, entry.data, entry.architecture, wanted=entry.folder, machine=machine, console=None
        )
    return Trained(entry.folder, run.val)


def train_entry_to(
    entry: Entry, *, epochs: int, on_epoch: Callable[[int, Scores], None], ends_at: float | None = None
) -> RunFolder:
    """Trains one entry here, from where it is, until so many epochs of its recipe are done; see `Execution.to_epoch`."""
    record, run, machine = entry.record, RunFolder(entry.folder), entry.record.place.machine()
    if not run.settings.exists():
        if entry.folder.exists():  # killed before the run was started
            shutil.rmtree(entry.folder)
        check_warmup(record.recipe, steps_per_epoch=max(1, len(entry.data.train) // record.recipe.batch_size))
        run = RunFolder.claim(entry.folder)
        record = replace(record, environment=run_environment(machine))
        run.start(record.to_json(), entry.architecture, entry.data.manifest())
    run.sweep()
    execution = Execution(record, entry.data, entry.architecture, run, machine, console=None, teacher=None)
    execution.to_epoch(epochs, on_epoch=on_epoch, ends_at=ends_at)
    return run


def train_in_time(
    entry: Entry,
    *,
    threads: int,
    epochs: int,
    on_epoch: Callable[[int, Scores], None],
    ends_at: float | None,
) -> str:
    """`train_entry_to` with so many threads of torch, as far as the time goes. Gives how the training diverged; "" for one that
    did not, whether it reached its epochs or not. Any other error is no result of the network, and is raised."""
    if ends_at is not None and time.time() >= ends_at:
        return ""
    try:
        with number_of_threads(threads):
            train_entry_to(entry, epochs=epochs, on_epoch=on_epoch, ends_at=ends_at)
    except Stopped as stopped:
        if stopped.number != TIME_OVER:
            raise
    except DivergedError as error:
        return str(error)
    return ""


def finished(folder: Path, recipe: Recipe) -> Trained | None:
    """The result of a run that has reached the end of its recipe; None for any other."""
    run = RunFolder(folder)
    return so_far(folder) if len(run.metrics()) >= recipe.total_epochs and run.state.exists() else None


def so_far(folder: Path) -> Trained | None:
    """The result of a run as far as it is trained; None before the end of its first epoch."""
    run = RunFolder(folder)
    if not run.weights("best").exists():
        return None
    return Trained(folder, Scores.from_json(read_meta(run.weights("best"))["notes"]["val"]))


def _train_or_diverge(entry: Entry) -> Trained | DivergedError:
    try:
        return train_entry(entry)
    except DivergedError as error:
        return error


def _in_this_process(
    entries: Sequence[Entry], left: Sequence[int], *, threads: int
) -> Iterator[tuple[int, Trained | DivergedError]]:
    with number_of_threads(threads):
        for i in left:
            yield i, _train_or_diverge(entries[i])


def _in_processes(
    entries: Sequence[Entry], left: Sequence[int], *, workers: int, threads: int
) -> Iterator[tuple[int, Trained | DivergedError]]:
    # Entries may share their pictures, which are large: the processes get all entries once, in one pickle, and then numbers.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(left)), mp_context=context, initializer=_receive, initargs=(entries, threads)
    ) as pool:
        waiting: dict[Future[Trained | DivergedError], int] = {pool.submit(_train_received, i): i for i in left}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool:
            folders = ", ".join(str(entries[i].folder) for f, i in waiting.items() if not f.done() or f.exception())
            raise TrialError(
                f"a process that trained one of {folders} died. Is memory short? Run the same command again with fewer workers; "
                'it continues. A script that starts several needs: if __name__ == "__main__"'
            ) from None


_received: Sequence[Entry] = ()


def _receive(entries: Sequence[Entry], threads: int) -> None:
    """What a process of the pool is sent once."""
    global _received  # noqa: PLW0603 - it lives as long as the process
    exit_with_parent()
    torch.set_num_threads(threads)
    _received = entries


def _train_received(number: int) -> Trained | DivergedError:
    return _train_or_diverge(_received[number])
