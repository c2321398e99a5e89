"""The finalists of a level: the candidates that its supernet thinks best, trained from scratch, all alike; one of them wins."""

import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from glocal.data import Data
from glocal.design import Architecture, cost
from glocal.errors import SearchError
from glocal.searching.evolution import Candidate, written
from glocal.searching.liveness import die_with_parent
from glocal.searching.opened import OpenSearch
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder
from glocal.training.recipe import Recipe
from glocal.training.run import begin, resume
from glocal.training.run import threads as number_of_threads
from glocal.training.scores import Scores
from glocal.weights.files import read, whole_file

COLUMNS = ("place", "answers", "macs", "params", "supernet_accuracy", "accuracy", "low", "high", "n", "run", "winner")


@dataclass(frozen=True, eq=False)
class Entry:
    """A network to be trained in a folder of its own."""

    folder: Path
    arch: Architecture
    recipe: Recipe


@dataclass(frozen=True)
class Trained:
    """What came of it, on the held-out training pictures."""

    folder: Path
    val: Scores


def train_all(
    entries: Sequence[Entry], search: OpenSearch, *, tell: Callable[[Entry, Trained], None] | None = None
) -> list[Trained]:
    """Trains every entry, goes on with those that were begun, and takes those that are finished.

    With several workers so many are trained at a time, each by a process of its own, and each with as many threads of torch
    as when the search was begun, whatever the number of workers is now: that of threads touches the last bits.
    """
    found: dict[int, Trained] = {}
    left = []
    for i, entry in enumerate(entries):
        done = finished(entry)
        if done:
            found[i] = done
        else:
            left.append((i, entry))
    for i, trained in _results(left, search):
        found[i] = trained
        if tell:
            tell(entries[i], trained)
    return [found[i] for i in range(len(entries))]


def _results(left: Sequence[tuple[int, Entry]], search: OpenSearch) -> Iterator[tuple[int, Trained]]:
    data, machine, workers, threads = search.data, search.machine, search.workers, search.threads_alone
    if workers == 1 or len(left) < 2:
        with number_of_threads(threads):
            yield from ((i, _train(entry, data, machine=machine)) for i, entry in left)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(left)), mp_context=context, initializer=_receive, initargs=(data, machine, threads)
    ) as pool:
        waiting: dict[Future[Trained], int] = {pool.submit(_train_here, entry): i for i, entry in left}
        try:
            yield from ((waiting[future], future.result()) for future in as_completed(waiting))
        except BrokenProcessPool:
            raise SearchError(
                "a process that trained a finalist died. Out of memory? Go on with fewer: glocal search --resume FOLDER "
                '--workers 1. A script that searches with several needs: if __name__ == "__main__"'
            ) from None


_received: tuple[Data, Machine] | None = None


def _receive(data: Data, machine: Machine, threads: int) -> None:
    """What a process of the pool is given once."""
    global _received  # noqa: PLW0603 - it lives as long as the process
    die_with_parent()
    torch.set_num_threads(threads)
    _received = data, machine


def _train_here(entry: Entry) -> Trained:
    assert _received
    data, machine = _received
    return _train(entry, data, machine=machine)


def _train(entry: Entry, data: Data, *, machine: Machine) -> Trained:
    if (entry.folder / "run.yaml").exists():
        run = resume(entry.folder)
    else:
        if entry.folder.exists():  # killed before it was begun
            shutil.rmtree(entry.folder)
        about = _about(entry, data, machine)
        run = begin(about, data, entry.arch, wanted=entry.folder, machine=machine, console=None)
    return Trained(entry.folder, run.val)


def _about(entry: Entry, data: Data, machine: Machine) -> dict[str, Any]:
    """What the run.yaml of a finalist says: its pictures are those of its manifest."""
    settings = entry.recipe.merged({"model": str((entry.folder / "architecture.yaml").resolve())})
    where = {
        "device": str(machine.device),
        "parallel": "ddp",
        "workers": machine.workers,
        "checkpoint_s": machine.checkpoint_s,
    }
    return {
        "data": {
            "source": data.source,
            "val_fraction": None,
            "skip_bad_files": True,
            "group_by": None,
            "fingerprint": data.fingerprint(),
        },
        "weights": None,
        "machine": where,
        "mlflow": None,
        "settings": settings.model_dump(mode="json"),
        "origins": dict.fromkeys(Recipe.model_fields, "search"),
    }


def finished(entry: Entry) -> Trained | None:
    """The result of a run that has come to its end."""
    run = RunFolder(entry.folder)
    if len(run.metrics()) < entry.recipe.total_epochs or not run.state.exists():
        return None
    return Trained(entry.folder, Scores.from_json(read(run.weights("best")).meta["notes"]["val"]))


def write_table(path: Path, finalists: Sequence[tuple[Candidate, Architecture, Trained]]) -> int:
    """Writes finalists.csv in the order of the supernet; returns the winner's place: the most accurate, of equals the one with
    fewer multiply-adds."""
    order = range(len(finalists))
    first = max(order, key=lambda i: (finalists[i][2].val.chief, -cost(finalists[i][1]).macs, -i))
    with whole_file(path) as file:
        lines = [",".join(COLUMNS)]
        for i, (candidate, arch, trained) in enumerate(finalists):
            size, (low, high) = cost(arch), trained.val.interval
            told = (
                i + 1, written(candidate.answers), size.macs, size.params, candidate.accuracy, trained.val.top1, low, high,
                trained.val.n, trained.folder.relative_to(path.parent), int(i == first),
            )  # fmt: skip
            lines.append(",".join(map(str, told)))
        file.write(("\n".join(lines) + "\n").encode())
    return first
