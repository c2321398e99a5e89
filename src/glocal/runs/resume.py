"""The verb resume: a stopped run continues from its last state, or a finished one is trained longer as a new run."""

from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.artifacts.holding import held
from glocal.artifacts.run_folder import RunFolder
from glocal.data.checks.scan import Progress
from glocal.errors import RecipeError
from glocal.machine.threads import threads
from glocal.recipes.schema import Recipe
from glocal.runs.execution import Execution
from glocal.runs.longer import Restart, train_longer
from glocal.runs.place import Place
from glocal.runs.record import RunRecord
from glocal.runs.run import Run
from glocal.runs.starting_point import StartingPoint, check_teacher
from glocal.settings import divide


def resume(
    folder: str | Path,
    *,
    epochs: int | None = None,
    restart: Restart | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Continues a run that was stopped at any moment, to the same bits as if it had not been (same machine, on a CPU).

    With `epochs`, trains a finished run longer, to this number of epochs in all, as a new run that names the finished one in
    its run.yaml; see `train_longer` for `restart`. `settings` are then those of the schedule (lr, min_lr, sched) and of the
    `Place` (output, name, device) that differ.

    The number of processes may be another. Raises RunError for a folder that is no run, DataError where the pictures are no
    longer the same, RecipeError for settings that have no effect.
    """
    changes, place = divide(settings, Recipe, Place)
    if epochs is not None:
        return train_longer(
            folder, {"epochs": epochs, **changes}, restart=restart, place=place, console=console, progress=progress
        )
    if unused := [*changes, *place, *(["restart"] if restart else [])]:
        raise RecipeError(
            f"{unused[0]} has no effect on a run that is resumed; with epochs=N a finished run is trained longer"
        )
    return resume_stopped(folder, console=console, progress=progress)


def resume_stopped(folder: str | Path, *, console: Console | None = None, progress: Progress | None = None) -> Run:
    """Continues a run that was stopped; returns the result of one that was not."""
    run = RunFolder.find(folder)
    record = RunRecord.read(run)
    machine = record.place.machine()
    with held(run.path, main=machine.main), threads(record.threads):
        if machine.main:
            run.sweep()
        data = record.load_data(run, machine=machine, progress=progress)
        arch = run.architecture()
        teacher = StartingPoint(data, arch, record.recipe).teacher(machine)
        check_teacher(teacher, record, run=run)
        return Execution(record, data, arch, run, machine, console, teacher).to_end()
