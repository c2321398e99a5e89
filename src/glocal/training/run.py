"""The verbs train and resume: from a source of pictures and settings to a finished run. The steps themselves are in `loop`."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console

from glocal.data import Data, check
from glocal.design import Architecture, adapt, cost, load
from glocal.design.text import count
from glocal.errors import RecipeError, WeightError
from glocal.families import architecture, vocabulary
from glocal.net import Network
from glocal.training.checkpoint import State
from glocal.training.device import autocasts, keep_memory, pick_device
from glocal.training.folder import RunFolder, surroundings
from glocal.training.log import Log
from glocal.training.loop import Machine, fit
from glocal.training.recipe import Recipe
from glocal.training.recipes import recipe as named_recipe
from glocal.training.recipes import suggest
from glocal.training.scores import Scores
from glocal.weights import create_model
from glocal.weights.files import read


@dataclass(frozen=True)
class Run:
    """A finished training run. `val` are the scores of the best epoch on the validation split, which chose it."""

    folder: Path
    architecture: Architecture
    classes: tuple[str, ...]
    weights: Path
    epoch: int
    val: Scores

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "folder": str(self.folder),
            "architecture": self.architecture.name,
            "classes": list(self.classes),
            "weights": str(self.weights),
            "epoch": self.epoch,
            "val": self.val.to_json(),
        }


def train(
    source: str | Path,
    *,
    recipe: str | Recipe | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    origin: str = "call",
    weights: str | Path | None = None,
    output: str | Path = "runs/train",
    name: str | None = None,
    device: str = "auto",
    workers: int = 0,
    checkpoint_s: float = 60.0,
    val_fraction: float | None = None,
    skip_bad_files: bool = False,
    group_by: str | None = None,
    console: Console | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Trains a network on a folder of pictures or on "digits" and returns the finished run.

    Settings come from, in rising order: the recipe's defaults, the recipe (by default the one that suits the pictures),
    `config` (a run.yaml), `settings` by the names of `Recipe`. `weights` is a file to start from; `workers` are processes
    that load pictures; `checkpoint_s` the seconds between states written within an epoch; `progress` is told of the pictures
    read and of all. Raises DataError, RecipeError, ArchitectureError, WeightError or RunError; a loss that is not finite
    leaves the last good state in the run's folder.
    """
    settings = dict(settings or {})
    early = _check_early(recipe, config=config, settings=settings, weights=weights, device=device)
    data = check(
        source,
        seed=early.seed,
        val_fraction=val_fraction,
        skip_bad_files=skip_bad_files,
        group_by=group_by,
        progress=progress,
    ).opened()
    resolved, origins = resolve(
        recipe or suggest(data.source, data.typical_size), config=config, settings=settings, origin=origin
    )
    arch = _network_of(resolved, classes=len(data.classes))
    torch.manual_seed(resolved.seed)
    network = create_model(arch, num_classes=len(data.classes), weights=weights)
    run = RunFolder.claim(Path(output) / (name or f"{arch.name}-{Path(data.source).name}"))
    about = {
        "command": shlex.join(sys.argv),
        "data": {
            "source": data.source if data.source == "digits" else str(Path(source).resolve()),
            "val_fraction": val_fraction,
            "skip_bad_files": skip_bad_files,
            "group_by": group_by,
            "fingerprint": data.fingerprint(),
        },
        "weights": str(Path(weights).resolve()) if weights else None,
        "machine": {"device": device, "workers": workers, "checkpoint_s": checkpoint_s},
        "settings": resolved.model_dump(mode="json"),
        "origins": origins,
        **surroundings(),
    }
    run.begin(about, arch, data.manifest())
    return _fit(network, data, resolved, run=run, machine=about["machine"], console=console)


def resume(
    folder: str | Path, *, console: Console | None = None, progress: Callable[[int, int], None] | None = None
) -> Run:
    """Goes on with a run that was stopped at any moment, to the same bits as if it had not been (same machine, on a CPU).

    Raises RunError for a folder that is no run, DataError where the pictures are no longer those of its manifest.
    """
    run = RunFolder.find(folder)
    run.sweep()
    about = yaml.safe_load(run.settings.read_text())
    data = check(
        about["data"]["source"],
        skip_bad_files=about["data"]["skip_bad_files"],
        manifest=run.manifest(),
        progress=progress,
    ).opened()
    recipe = Recipe().merged(about["settings"])
    arch = load(yaml.safe_load((run.path / "architecture.yaml").read_text()), vocabulary())
    torch.manual_seed(recipe.seed)
    weights = None if run.state.exists() else about["weights"]
    network = create_model(arch, num_classes=len(data.classes), weights=weights)
    return _fit(network, data, recipe, run=run, machine=about["machine"], console=console)


def _network_of(recipe: Recipe, *, classes: int | None) -> Architecture:
    return adapt(
        architecture(recipe.model),
        classes=classes,
        channels=len(recipe.mean),
        size=recipe.img_size,
        drop_path=recipe.drop_path,
        attention_dropout=recipe.attention_dropout,
    )


def _check_early(
    recipe: str | Recipe | None,
    *,
    config: str | Path | None,
    settings: Mapping[str, Any],
    weights: str | Path | None,
    device: str,
) -> Recipe:
    """Finds what is misspelt, missing or does not fit before the pictures are read, and settles the seed of the split."""
    pick_device(device)
    told = named_recipe(recipe) if isinstance(recipe, str) else recipe or Recipe()
    told = told.merged(read_config(config) if config else {}).merged(settings)
    _network_of(told, classes=None)
    if weights is not None and not Path(weights).is_file():
        raise WeightError(f"{weights}: no such file of weights")
    return told


def resolve(
    recipe: str | Recipe, *, config: str | Path | None, settings: Mapping[str, Any], origin: str
) -> tuple[Recipe, dict[str, str]]:
    """The settings of a run, and for each of them where it came from."""
    base = named_recipe(recipe) if isinstance(recipe, str) else recipe
    label = f"recipe {recipe}" if isinstance(recipe, str) else "recipe"
    plain = Recipe()
    origins = {k: label if getattr(base, k) != getattr(plain, k) else "default" for k in Recipe.model_fields}
    written = read_config(config) if config else {}
    resolved = base.merged(written).but(settings)
    origins |= dict.fromkeys(written, f"config {config}") | dict.fromkeys(settings, origin)
    return resolved, origins


def read_config(path: str | Path, section: str = "settings") -> dict[str, Any]:
    """A section of a run.yaml; RecipeError where there is none."""
    try:
        found = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"--config {path} cannot be read: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get(section), dict):
        raise RecipeError(f"--config {path} has no section `{section}:`; a run writes one to its run.yaml")
    return found[section]


def _fit(
    network: Network, data: Data, recipe: Recipe, *, run: RunFolder, machine: Mapping[str, Any], console: Console | None
) -> Run:
    device, started = pick_device(machine["device"]), run.state.exists()
    if device.type == "cpu":
        keep_memory()
    preprocess = recipe.preprocess((network.arch.image.h, network.arch.image.w))
    state = State.start(network.to(device), recipe)
    if started:
        state.load(run.state)
    where = Machine(
        device, amp=autocasts(recipe.amp, device), workers=machine["workers"], checkpoint_s=machine["checkpoint_s"]
    )
    if console:
        _announce(console, network, data, recipe, run=run, machine=where, step=state.step)
    try:
        with Log(run, epochs=recipe.total_epochs, val_size=len(data.val), console=console) as log:
            fit(state, data, recipe, preprocess=preprocess, run=run, machine=where, log=log)
    except KeyboardInterrupt:
        if console:
            console.print(f"to go on: glocal train --resume {run.path}", highlight=False, soft_wrap=True, markup=False)
        raise
    notes = read(run.weights("best")).meta["notes"]
    return Run(
        folder=run.path,
        architecture=network.arch,
        classes=data.classes,
        weights=run.weights("best"),
        epoch=int(notes["epoch"]),
        val=Scores.from_json(notes["val"]),
    )


def _announce(
    console: Console, network: Network, data: Data, recipe: Recipe, *, run: RunFolder, machine: Machine, step: int
) -> None:
    """What is about to be done, in a few lines: pictures, network, recipe, machine, folder."""
    size, arch = cost(network.arch), network.arch
    c, h, w = arch.image
    lines = [
        f"pictures  {data.source}: {len(data.train):,} to train, {len(data.val):,} to validate, {len(data.classes)} classes",
        f"          {data.split_rule}",
        *_faults_told(data, run),
        f"          scaled to cover {h}x{w} and cropped to it, {c} channel{'s' * (c > 1)}",
        f"network   {arch.name}: {count(size.params)} weights, {count(size.macs)} multiply-adds a picture",
        f"recipe    {recipe.total_epochs} epochs of batches of {recipe.batch_size}, {recipe.opt}, peak rate {recipe.lr:g}, "
        f"seed {recipe.seed}",
        f"machine   {machine.device}, {torch.get_num_threads()} threads, {'bf16' if machine.amp else 'fp32'}",
        f"folder    {run.path}" + (f", resuming after step {step:,}" if step else ""),
        "",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _faults_told(data: Data, run: RunFolder) -> list[str]:
    """What the check found: how much of each kind, and by path what may bend a number."""
    kinds = Counter((fault.severity, fault.kind) for fault in data.faults)
    lines = [f"          {severity}: {kind}, {n:,}" for (severity, kind), n in kinds.items()]
    grave = [f for f in data.faults if f.severity in ("warning", "dropped") or f.kind == "class map"]
    lines += [f"            {fault}" for fault in grave[:5]]
    if len(grave) > 5:
        lines.append(f"            and {len(grave) - 5:,} more; {run.path / 'data.json'} names them all")
    return lines
