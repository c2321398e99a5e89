"""Training a finished run longer, as a new run in a folder of its own (decision 0018). The finished run is not changed."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from glocal.artifacts.holding import held
from glocal.artifacts.run_folder import RunFolder
from glocal.command_line import command
from glocal.data import Data
from glocal.data.checks.scan import Progress
from glocal.errors import RecipeError, RunError
from glocal.machine.processes import Machine
from glocal.recipes.schedule import check_warmup, lr_at
from glocal.recipes.schema import Recipe
from glocal.runs.execution import Execution
from glocal.runs.place import Place
from glocal.runs.record import Parent, RunRecord
from glocal.runs.run import Run
from glocal.runs.starting_point import StartingPoint, check_teacher
from glocal.runs.train import run_environment
from glocal.settings import flag_name, merge
from glocal.training.optimizer import check_optimizer
from glocal.training.state_files import read_numbers

Restart = Literal["warm"]
COPIED = ("metrics.csv", "predictions.csv", "tests.csv", "weights/best.safetensors", "weights/last.safetensors")
_CHANGEABLE = ("epochs", "cooldown_epochs", "lr", "min_lr", "sched")
_CHANGEABLE_WARM = (*_CHANGEABLE, "warmup_epochs", "warmup_steps", "warmup_lr")


def train_longer(
    folder: str | Path,
    changes: Mapping[str, Any],
    *,
    restart: Restart | None = None,
    place: Mapping[str, Any] | None = None,
    origin: str = "call",
    console: Console | None = None,
    progress: Progress | None = None,
) -> Run:
    """Trains a finished run to `changes["epochs"]` epochs, counted from its start, as a new run beside it.

    The new run continues from the state of the old one: weights, their average, moments of the optimiser, step. Its learning
    rate is that of a schedule of the new length. With `restart` "warm" the schedule starts again from its peak for the added
    epochs, and the moments are discarded.

    changes: settings of the schedule, besides epochs. place: settings of `Place` that differ from the old run's. origin:
    where the changes come from, for run.yaml. RunError for a run that is not finished; RecipeError for a setting that cannot
    change, or has no effect.
    """
    old = RunFolder.find(folder)
    record = RunRecord.read(old)
    recipe = longer_recipe(record.recipe, changes, restart=restart)
    where = merge(record.place, place or {})
    record = replace(
        record,
        recipe=recipe,
        origins={**record.origins, **dict.fromkeys(changes, origin), **({"restarts": origin} if restart else {})},
        place=where,
        parent=_parent(old, record.recipe, restart=restart),
    )
    name = re.sub(r"-\d+-epochs(-\d+)?$", "", old.path.name)
    wanted = _folder_of(old, where, given=place or {}, name=f"{name}-{recipe.epochs}-epochs")
    machine = where.machine()
    if machine.main:
        _refuse_a_second(wanted, record)
    data = record.load_data(old, machine=machine, progress=progress)
    return continue_run(old, record, data, wanted=wanted, machine=machine, console=console)


def _parent(old: RunFolder, recipe: Recipe, *, restart: Restart | None) -> Parent:
    """The finished run, for the run.yaml of the longer one; RunError where it is not finished."""
    numbers = read_numbers(old.state) if old.state.exists() else {"rows": []}
    if len(numbers["rows"]) < recipe.total_epochs:
        line = command("train", options=[("--resume", old.path)])
        raise RunError(f"{old.path} has not finished its {recipe.total_epochs} epochs; finish it first: {line}")
    return Parent(
        folder=str(old.path.resolve()), epochs=recipe.total_epochs, state=numbers["checksum"], restart=restart
    )


def longer_recipe(recipe: Recipe, changes: Mapping[str, Any], *, restart: Restart | None) -> Recipe:
    """The recipe of the longer run. RecipeError where it is not longer, or for a setting that cannot change."""
    allowed = _CHANGEABLE_WARM if restart else _CHANGEABLE
    for name in changes:
        if name in _CHANGEABLE_WARM and name not in allowed:
            raise RecipeError(
                f"{flag_name(Recipe, name)} has no effect: the warm-up of the run is over; --restart warm has another"
            )
        if name not in allowed:
            raise RecipeError(
                f"{flag_name(Recipe, name)} cannot change when a run is trained longer, only its schedule can: "
                f"{', '.join(flag_name(Recipe, n) for n in allowed)}; a new run from its weights can change all: "
                "glocal train DATA --weights RUN"
            )
    done = recipe.total_epochs
    epochs = recipe.merged({"epochs": changes["epochs"]}).epochs
    if epochs <= done:
        raise RecipeError(
            f"--epochs {epochs}: the run has been trained for {done} epochs, and --epochs counts them too; "
            f"to train as long again, --epochs {done + recipe.epochs}"
        )
    return recipe.but({**changes, "restarts": (*recipe.restarts, done)} if restart else changes)


def continue_run(
    old: RunFolder, record: RunRecord, data: Data, *, wanted: Path, machine: Machine, console: Console | None
) -> Run:
    """Creates the folder of a run that continues `old`, copies the state of `old` into it, and trains it to its end.

    RunError where `old` has another state than `record.parent` names, or its teacher other weights.
    """
    recipe, parent, numbers = record.recipe, record.parent, read_numbers(old.state)
    if parent is None or numbers["checksum"] != parent.state:
        raise RunError(f"{old.path} has another state than the one that was continued")
    steps = numbers["step"] // parent.epochs
    check_warmup(recipe, steps_per_epoch=steps)
    check_optimizer(recipe, sharded=machine.sharded)
    arch = old.architecture()
    teacher = StartingPoint(data, arch, recipe).teacher(machine)
    check_teacher(teacher, record, run=old)
    run = machine.broadcast(RunFolder.claim(wanted) if machine.main else RunFolder(wanted))
    record = replace(record, environment=run_environment(machine))
    rate = lr_at(recipe, numbers["step"], steps_per_epoch=steps)
    how = "the schedule starts again" if parent.restart else f"the schedule is that of {recipe.epochs} epochs"
    note = f"continues {old.path} after {parent.epochs} epochs; {how}, now at a learning rate of {rate:.2g}"
    with held(run.path, main=machine.main):
        if machine.main:
            _copy(old, run)
            run.start(record.to_json(), arch, data.manifest())
        machine.gathered(None)  # the others wait until the state is there
        return Execution(record, data, arch, run, machine, console, teacher).to_end(notes=[note])


def _folder_of(old: RunFolder, where: Place, *, given: Mapping[str, Any], name: str) -> Path:
    """The folder for the longer run: beside the old one, unless `given` names another."""
    return (where.output if "output" in given else old.path.parent) / (where.name or name)


def _refuse_a_second(wanted: Path, record: RunRecord) -> None:
    """RunError where the folder has the same run, stopped before its end: the command was probably meant to resume it."""
    run = RunFolder(wanted)
    if not run.settings.is_file():
        return
    there = RunRecord.read(run)
    if (there.recipe, there.parent) != (record.recipe, record.parent):
        return
    if not run.state.exists() or len(read_numbers(run.state)["rows"]) < record.recipe.total_epochs:
        line = command("train", options=[("--resume", run.path)])
        raise RunError(f"{run.path} is this run, and was stopped; continue it: {line}\n--name makes another one")


def _copy(old: RunFolder, new: RunFolder) -> None:
    shutil.copytree(old.state.parent, new.state.parent, ignore=shutil.ignore_patterns(".*"))
    for name in COPIED:
        if (file := old.path / name).is_file():
            (new.path / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(file, new.path / name)
