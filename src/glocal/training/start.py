"""What a run starts from, as its run.yaml says: the network, the weights in it, its teacher; the same whenever asked for."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from glocal.data import Data
from glocal.design import Architecture
from glocal.net import Network
from glocal.training.distill import Teacher
from glocal.training.engine import Machine
from glocal.training.probe import Probe, pictures_for, probe
from glocal.training.recipe import Recipe
from glocal.weights import Loaded, create_model, find_weights, start_from


def begun_from(weights: str | Path | None, *, head_rows: str | Path | None) -> dict[str, Any] | None:
    """The weights that a run starts from, for its run.yaml: where they are, and what tells whether they are still the same."""
    if weights is None:
        return None
    with find_weights(weights).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    source = str(Path(weights).resolve()) if Path(weights).exists() else str(weights)
    return {"source": source, "sha256": digest, "head_rows": str(Path(head_rows).resolve()) if head_rows else None}


def network_at_start(
    about: Mapping[str, Any], data: Data, arch: Architecture, recipe: Recipe
) -> tuple[Network, Loaded | None]:
    """The network before its first step, and what was made of the weights that it starts from."""
    torch.manual_seed(recipe.seed)
    began = about["weights"]
    if began is None:
        return create_model(arch, num_classes=len(data.classes), head_init_scale=recipe.head_init_scale), None
    return start_from(
        arch,
        began["source"],
        classes=data.classes,
        head_rows=began["head_rows"],
        head_init_scale=recipe.head_init_scale,
    )


def teacher_of(recipe: Recipe, data: Data, arch: Architecture, machine: Machine) -> Teacher | None:
    """The teacher that the recipe names, if any; RecipeError where it does not know the classes."""
    if not recipe.teacher:
        return None
    return Teacher.open(
        recipe.teacher,
        classes=data.classes,
        preprocess=recipe.preprocess((arch.image.h, arch.image.w)),
        device=machine.device,
        multi_label=data.multi_label,
    )


def probe_of_start(
    about: Mapping[str, Any], data: Data, arch: Architecture, recipe: Recipe, machine: Machine
) -> Probe | None:
    """A linear probe of the network as it began, on so many pictures that it costs little beside the training."""
    if not (pictures := pictures_for(recipe, data)):
        return None
    network, _ = network_at_start(about, data, arch, recipe)
    return probe(
        network.to(machine.device),
        data,
        preprocess=recipe.preprocess((arch.image.h, arch.image.w)),
        device=machine.device,
        pictures=pictures,
        seed=recipe.seed,
        workers=machine.workers,
        amp=machine.amp,
    )
