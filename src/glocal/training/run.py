"""The verbs train and resume: from a source and settings to a finished run. The steps themselves are in `loop`."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from glocal.data import Data, check
from glocal.data.remote import is_url
from glocal.data.sources import DIGITS
from glocal.design import Architecture, load
from glocal.errors import DataError, RecipeError, RunError
from glocal.families import vocabulary
from glocal.training.announce import announce
from glocal.training.checkpoint import State
from glocal.training.device import autocasts, keep_memory
from glocal.training.distill import Teacher
from glocal.training.engine import Machine, Parallel
from glocal.training.folder import RunFolder, read_yaml, surroundings
from glocal.training.freezing import told
from glocal.training.log import Log
from glocal.training.loop import Job, fit
from glocal.training.mix import check_labels
from glocal.training.probe import Probe
from glocal.training.recipe import Recipe
from glocal.training.recipes import suggest
from glocal.training.schedule import check_warmup
from glocal.training.scores import Scores
from glocal.training.settings import check_early, network_of, resolve
from glocal.training.signals import Stop
from glocal.training.start import begun_from, network_at_start, probe_of_start, teacher_of
from glocal.training.transfer import misread
from glocal.weights.files import read

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Run:
    """A finished training run. `val` are the scores of the best epoch on the validation split, which chose it."""

    folder: Path
    architecture: Architecture
    classes: tuple[str, ...]
    weights: Path
    epoch: int
    val: Scores
    probe: Probe | None = None  # of the network as it began; None where it would have told nothing

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "folder": str(self.folder),
            "architecture": self.architecture.name,
            "classes": list(self.classes),
            "weights": str(self.weights),
            "epoch": self.epoch,
            "val": self.val.to_json(),
            "probe": self.probe.to_json() if self.probe else None,
        }


def train(
    source: str | Path,
    *,
    recipe: str | Recipe | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    origin: str = "call",
    weights: str | Path | None = None,
    head_rows: str | Path | None = None,
    output: str | Path = "runs/train",
    name: str | None = None,
    device: str = "auto",
    parallel: Parallel = "ddp",
    workers: int | None = None,
    checkpoint_s: float = 60.0,
    val_fraction: float | None = None,
    skip_bad_files: bool = False,
    group_by: str | None = None,
    mlflow: str | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> Run:
    """Trains a network on a source of pictures (docs/data.md) and returns the finished run.

    Settings come from, in rising order: the recipe's defaults, the recipe (by default the one that suits the pictures),
    `config` (a run.yaml), `settings` by the names of `Recipe`. `weights` to start from may be of any source (docs/transfer.md);
    `head_rows` is a file with the rows of their classifier that become ours. `workers` are processes that load pictures;
    `checkpoint_s` the seconds between states written within an epoch; `mlflow` a store that is told the metrics; `progress` is
    told of the pictures read and of all. Under torchrun, `parallel` copies the network to each process ("ddp") or divides it
    ("fsdp").

    Raises DataError, RecipeError, ArchitectureError, WeightError or RunError; a loss that is not finite leaves the last good
    state in the run's folder, and so does a signal, which raises Stopped.
    """
    machine = Machine.start(device, parallel=parallel, workers=workers, checkpoint_s=checkpoint_s)
    if parallel == "fsdp" and machine.processes == 1:
        raise RecipeError(
            "--parallel fsdp divides the network among processes, and there is one; start several: "
            "torchrun --nproc_per_node 2 -m glocal train ..."
        )
    settings = dict(settings or {})
    with machine.main_first():
        early = check_early(recipe, config=config, settings=settings, weights=weights)
        data = check(
            source,
            seed=early.seed,
            val_fraction=val_fraction,
            skip_bad_files=skip_bad_files,
            group_by=group_by,
            progress=progress if machine.main else None,
        ).opened()
    by_labels = data.multi_label and recipe is None and config is None and "loss" not in settings
    resolved, origins = resolve(
        recipe or suggest(data.source, data.typical_size),
        config=config,
        settings={**settings, "loss": "sigmoid"} if by_labels else settings,
        weights=weights,
        origin=origin,
    )
    if by_labels:
        origins["loss"] = "pictures with several labels"
    arch = network_of(resolved, classes=len(data.classes))
    about = {
        "data": {
            "source": _lasting(data.source),
            "val_fraction": val_fraction,
            "skip_bad_files": skip_bad_files,
            "group_by": group_by,
            "fingerprint": data.fingerprint(),
        },
        "weights": begun_from(weights, head_rows=head_rows),
        "machine": {"device": device, "parallel": parallel, "workers": workers, "checkpoint_s": checkpoint_s},
        "mlflow": mlflow,
        "settings": resolved.model_dump(mode="json"),
        "origins": origins,
    }
    source_name = re.sub(r"[^\w-]+", "_", Path(data.source).stem).strip("_")
    wanted = Path(output) / (name or f"{arch.name}-{source_name}")
    return begin(about, data, arch, wanted=wanted, machine=machine, console=console)


def _lasting(source: str) -> str:
    """A source so that it is found from any folder."""
    return source if source == DIGITS or is_url(source) else str(Path(source).resolve())


def resume(folder: str | Path, *, console: Console | None = None, progress: Progress | None = None) -> Run:
    """Goes on with a run that was stopped at any moment, to the same bits as if it had not been (same machine, on a CPU).

    The number of processes may be another. Raises RunError for a folder that is no run, DataError where the pictures are no
    longer those of its manifest.
    """
    run, about = written(folder)
    machine = Machine.start(**about["machine"])
    if machine.main:
        run.sweep()
    data = data_of(run, about, machine=machine, progress=progress)
    arch = load(read_yaml(run.path / "architecture.yaml"), vocabulary())
    with threads(about["threads"]):
        teacher = teacher_of(Recipe().merged(about["settings"]), data, arch, machine)
        if (teacher.digest if teacher else None) != about["teacher"]:
            raise RunError(f"the teacher has other weights than when {run.path} was begun; put those back")
        return _fit(about, data, arch, run=run, machine=machine, console=console, teacher=teacher)


def written(folder: str | Path) -> tuple[RunFolder, dict[str, Any]]:
    """A run's folder, and what its run.yaml says; RunError where it is none."""
    run = RunFolder.find(folder)
    return run, read_yaml(run.settings, "data", "machine", "settings", "threads")


def data_of(run: RunFolder, about: Mapping[str, Any], *, machine: Machine, progress: Progress | None) -> Data:
    """The pictures of a run, split as they were; DataError where they are no longer the same."""
    with machine.main_first():
        return check(
            about["data"]["source"],
            skip_bad_files=about["data"]["skip_bad_files"],
            manifest=run.manifest(),
            progress=progress if machine.main else None,
        ).opened()


@contextmanager
def threads(number: int) -> Iterator[None]:
    """As many threads as a run began with: sums are split among them, so their number touches the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def begin(
    about: Mapping[str, Any],
    data: Data,
    arch: Architecture,
    *,
    wanted: Path,
    machine: Machine,
    console: Console | None,
) -> Run:
    """Claims a folder, writes what the run is, and runs it. RecipeError, before that, for what the pictures or the teacher
    do not allow."""
    recipe = Recipe().merged(about["settings"])
    check_labels(recipe, multi_label=data.multi_label)
    check_warmup(recipe, steps_per_epoch=max(1, len(data.train) // recipe.batch_size))
    teacher = teacher_of(recipe, data, arch, machine)
    run = machine.told(RunFolder.claim(wanted) if machine.main else RunFolder(wanted))
    whole = {
        "command": shlex.join(sys.argv),
        **about,
        "teacher": teacher.digest if teacher else None,
        "processes": machine.processes,
        **surroundings(),
    }
    if machine.main:
        run.begin(whole, arch, data.manifest())
    return _fit(whole, data, arch, run=run, machine=machine, console=console, teacher=teacher)


def _fit(
    about: Mapping[str, Any],
    data: Data,
    arch: Architecture,
    *,
    run: RunFolder,
    machine: Machine,
    console: Console | None,
    teacher: Teacher | None,
) -> Run:
    recipe, started = Recipe().merged(about["settings"]), run.state.exists()
    if machine.device.type == "cpu":
        keep_memory()
    machine = replace(machine, amp=autocasts(recipe.amp, machine.device))
    console = console if machine.main else None
    preprocess = recipe.preprocess((arch.image.h, arch.image.w))
    network, loaded = network_at_start(about, data, arch, recipe)
    lines = [] if loaded is None or started else [*str(loaded).splitlines(), misread(loaded, preprocess)]
    lines += [told(network, recipe), f"learns from {teacher.told}" if teacher else ""]
    state = State.start(network.to(machine.device), recipe, machine)
    if started:
        state.load(run.state)
    if console:
        announce(console, arch, data, recipe, run=run, machine=machine, step=state.step, beginning=lines)
    log = Log(
        run if machine.main else None,
        epochs=recipe.total_epochs,
        val_size=len(data.val),
        console=console,
        start=state.step,
        val=data.val,
        device=machine.device,
        mlflow=about["mlflow"],
    )
    try:
        with Stop().listening() as stop, log:
            fit(state, Job(data, recipe, preprocess, machine, run, log, stop, teacher))
    except DataError as error:  # a file or a network path that was there when the pictures were checked
        raise DataError(f"{error}\nwhen it is back, go on: glocal train --resume {run.path}") from None
    notes = read(run.weights("best")).meta["notes"]
    return Run(
        folder=run.path,
        architecture=arch,
        classes=data.classes,
        weights=run.weights("best"),
        epoch=int(notes["epoch"]),
        val=Scores.from_json(notes["val"]),
        probe=probe_of_start(about, data, arch, recipe, machine) if machine.main else None,
    )
