"""What a run starts from: its network with its weights, and its teacher; the same each time that it is made."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Data, Preprocess
from glocal.errors import RunError
from glocal.evaluation.probe import Probe, pictures_for, probe
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.runs.layout import set_layout
from glocal.runs.record import RunRecord
from glocal.training.distillation import Teacher
from glocal.weights import AnyArchitecture, AnyNetwork, Loaded, build_network, find_weights, start_from
from glocal.weights.networks.any_network import adapt_any
from glocal.weights.networks.timm_architecture import weights_file, without_file
from glocal.weights.start import scale_classifier


def weights_record(recipe: Recipe) -> dict[str, Any] | None:
    """The weights that a run starts from, for its run.yaml: their source, and a checksum of the file."""
    if recipe.weights is None:
        return None
    with find_weights(recipe.weights).open("rb") as file:
        return {"source": recipe.weights, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def with_lasting_paths(recipe: Recipe) -> Recipe:
    """The recipe with absolute paths of its files, so that a run can be resumed from any folder."""
    paths = {name: getattr(recipe, name) for name in ("weights", "head_rows", "teacher")}
    given = {name: value for name, value in paths.items() if value}
    changes = {name: str(Path(value).resolve()) for name, value in given.items() if Path(value).exists()}
    for name, value in given.items():
        if file := weights_file(value):
            changes[name] = f"{without_file(value)}@{file.resolve()}"
    return recipe.merged(changes)


@dataclass(frozen=True)
class StartingPoint:
    """Pictures, architecture and recipe of a run, which decide its network before the first step."""

    data: Data
    architecture: AnyArchitecture
    recipe: Recipe

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the input of the network."""
        return self.recipe.preprocess((self.architecture.image.h, self.architecture.image.w))

    def network(self) -> tuple[AnyNetwork, Loaded | None]:
        """The network before its first step, and what was loaded into it."""
        recipe, classes = self.recipe, self.data.classes
        torch.manual_seed(recipe.seed)
        if recipe.weights is None:
            model = build_network(adapt_any(self.architecture, classes=len(classes)))
            scale_classifier(model, recipe.head_init_scale)
            set_layout(model, recipe)
            return model, None
        model, loaded = start_from(
            self.architecture,
            recipe.weights,
            classes=classes,
            head_rows=recipe.head_rows,
            head_init_scale=recipe.head_init_scale,
        )
        set_layout(model, recipe)
        return model, loaded

    def teacher(self, machine: Machine) -> Teacher | None:
        """The teacher of the recipe, if it has one; RecipeError where the teacher does not know the classes."""
        if not self.recipe.teacher:
            return None
        return Teacher.load(
            self.recipe.teacher,
            classes=self.data.classes,
            preprocess=self.preprocess,
            device=machine.device,
            multi_label=self.data.multi_label,
        )

    def probe(self, machine: Machine) -> Probe | None:
        """A linear probe of the network before its first step, on so few pictures that it takes little of the run's time."""
        if not (pictures := pictures_for(self.recipe, self.data)):
            return None
        network, _ = self.network()
        return probe(
            network.to(machine.device),
            self.data,
            preprocess=self.preprocess,
            machine=machine,
            pictures=pictures,
            seed=self.recipe.seed,
        )


def normalisation_mismatch(loaded: Loaded, preprocess: Preprocess) -> str:
    """A sentence where pictures are normalised differently than for the pretrained weights; empty where they are not, or it is
    unknown."""
    theirs = loaded.preprocess or {}
    other = [name for name in ("mean", "std") if name in theirs and tuple(theirs[name]) != getattr(preprocess, name)]
    values = ", ".join(f"{name} {tuple(theirs[name])}, here {getattr(preprocess, name)}" for name in other)
    return f"the pretrained weights expect pictures normalised by another {values}" if other else ""


def check_teacher(teacher: Teacher | None, record: RunRecord, *, run: RunFolder) -> None:
    """RunError where the teacher is another than when a run was started."""
    if (teacher.digest if teacher else None) != record.teacher:
        raise RunError(f"the teacher has other weights than when {run.path} was started; put those back")
