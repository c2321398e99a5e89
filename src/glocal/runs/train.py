"""The verb train: from a source of pictures and settings to a finished run. The steps themselves are in `training.loop`."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.artifacts.environment import environment
from glocal.artifacts.holding import held
from glocal.artifacts.run_folder import RunFolder
from glocal.command_line import typed_command
from glocal.data import Data, check
from glocal.data.checks.scan import Progress
from glocal.data.options import DataOptions
from glocal.files import name_of_source
from glocal.machine.processes import Machine
from glocal.recipes import suggest
from glocal.recipes.schedule import check_warmup
from glocal.recipes.schema import Recipe
from glocal.runs.execution import Execution
from glocal.runs.layout import with_measured_layout
from glocal.runs.place import Place
from glocal.runs.record import RunRecord, lasting
from glocal.runs.run import Run
from glocal.runs.settings import Request, check_early, resolve, run_architecture
from glocal.runs.starting_point import StartingPoint, weights_record, with_lasting_paths
from glocal.settings import divide, merge
from glocal.training.mixing import check_labels
from glocal.training.optimizer import check_optimizer
from glocal.weights import AnyArchitecture


def train(
    source: str | Path,
    *,
    recipe: str | Recipe | None = None,
    config: str | Path | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Trains a network on a source of pictures (docs/data.md) and returns the finished run.

    `settings` are fields of `Recipe` (epochs=20, weights="timm:convnext_tiny"), of `Place` (device, workers, output, name)
    and of `DataOptions` (val_fraction, group_by). Those of the recipe come from, in rising order: its defaults, the recipe
    (by default the one that suits the pictures), `config` (a run.yaml), `settings`. `progress` is called with the pictures
    read and the number of all; `console` prints what happens.

    Raises DataError, RecipeError, ArchitectureError, WeightError or RunError. A loss that is not finite leaves the last good
    state in the run's folder, and so does a signal, which raises Stopped.
    """
    changes, place, options = divide(settings, Recipe, Place, DataOptions)
    return train_request(
        source,
        Request(recipe, config, changes),
        place=merge(Place(), place),
        options=merge(DataOptions(), options),
        console=console,
        progress=progress,
    )


def train_request(
    source: str | Path,
    request: Request,
    *,
    place: Place,
    options: DataOptions,
    console: Console | None = None,
    progress: Progress | None = None,
) -> Run:
    """`train`, with its settings as typed values."""
    machine = place.machine()
    with machine.main_first():
        early = check_early(request)
        check_optimizer(early, sharded=machine.sharded)
        report = check(source, options=options, seed=early.seed, progress=progress if machine.main else None)
        data = report.require_data()
    recipe, origins = _for_labels(request, data)
    recipe = with_lasting_paths(recipe)
    arch = run_architecture(recipe, classes=len(data.classes))
    record = RunRecord(
        source=lasting(data.source),
        recipe=recipe,
        origins=origins,
        options=options,
        place=place,
        fingerprint=data.fingerprint(),
        weights=weights_record(recipe),
    )
    network_name = re.sub(r"[^\w.@-]+", "_", arch.name).strip("_")
    wanted = place.output / (place.name or f"{network_name}-{name_of_source(data.source)}")
    return start_run(record, data, arch, wanted=wanted, machine=machine, console=console)


def _for_labels(request: Request, data: Data) -> tuple[Recipe, dict[str, str]]:
    """The resolved recipe and its origins. Pictures with several labels decide the loss where no setting does."""
    suggested = suggest(data.source, data.typical_size)
    if not data.multi_label or request.recipe or request.config or "loss" in request.single:
        return resolve(request, suggested=suggested)
    recipe, origins = resolve(replace(request, settings={**request.single, "loss": "sigmoid"}), suggested=suggested)
    return recipe, {**origins, "loss": "pictures with several labels"}


def start_run(
    record: RunRecord,
    data: Data,
    arch: AnyArchitecture,
    *,
    wanted: Path,
    machine: Machine,
    console: Console | None,
) -> Run:
    """Creates the folder of a run, writes its files, and trains it. RecipeError, before that, for what the pictures or the
    teacher do not allow."""
    record = with_measured_layout(record, arch, machine)
    recipe = record.recipe
    check_labels(recipe, multi_label=data.multi_label)
    check_warmup(recipe, steps_per_epoch=max(1, len(data.train) // recipe.batch_size))
    teacher = StartingPoint(data, arch, recipe).teacher(machine)
    run = machine.broadcast(RunFolder.claim(wanted) if machine.main else RunFolder(wanted))
    record = replace(record, teacher=teacher.digest if teacher else None, environment=run_environment(machine))
    with held(run.path, main=machine.main):
        if machine.main:
            run.start(record.to_json(), arch, data.manifest())
        return Execution(record, data, arch, run, machine, console, teacher).to_end()


def run_environment(machine: Machine) -> dict[str, Any]:
    """The command, versions and machine of a run, for its run.yaml."""
    return {"command": typed_command(), "processes": machine.processes, **environment()}
