"""A pick as its folder has it: settings, pictures, candidates, machine, and the time that is left of the budget.

run.yaml             settings, recipe, machine, versions
data.json            the pictures and their splits
candidates.json      what was measured of each candidate before the race, and why others were refused
plan.json            the race and the finals as they were decided
spent.json           the time that was spent of the budget
trials.db            the table of trials, unless --storage names another place
trials/NAME/seed-0/  a training run, and its predictions on the held-out pictures after each epoch
test.json            accuracies on the test split, where it was opened; tests.csv counts the openings
pick.json            the pick, the candidates, the verdicts; pick.csv has a row a candidate
report.html          the whole on one page
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from rich.console import Console

from glocal.artifacts.manifests import reopened, save_manifest
from glocal.artifacts.run_folder import RunFolder
from glocal.data import Data
from glocal.data.checks.scan import Progress
from glocal.errors import ComparisonError, RecipeError
from glocal.files import name_of_source, read_as, read_yaml, write_whole
from glocal.picking.candidates import Candidate, Refused, build_all, names_for, with_weights
from glocal.picking.measuring.limits import within_counts
from glocal.picking.recipe import shared_recipe
from glocal.picking.settings import PickSettings
from glocal.recipes.schema import Recipe
from glocal.settings import merge
from glocal.trials.clock import Clock, ending_s
from glocal.trials.open_folder import FolderRecord, OpenFolder, opened, write_record
from glocal.trials.place import TrialPlace

T = TypeVar("T")


class PickRecord(FolderRecord):
    """run.yaml. pick: fields of `PickSettings`."""

    pick: dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenPick(OpenFolder):
    """Everything that running a pick needs. candidates: within the limits that are counted; the others are refused."""

    settings: PickSettings
    recipe: Recipe
    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]

    @classmethod
    def read(
        cls,
        folder: str | Path,
        *,
        started: float,
        data: Data | None = None,
        workers: int | None = None,
        console: Console | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """The pick in a folder; `data` is opened again where it is not given. ComparisonError for another folder."""
        path = Path(folder)
        if not (path / "run.yaml").is_file() or "pick" not in read_yaml(path / "run.yaml"):
            raise ComparisonError(f"{folder} is not the folder of a pick: it has no run.yaml with a section `pick`")
        about = read_as(PickRecord, path / "run.yaml")
        settings = merge(PickSettings(), about.pick)
        data = data or reopened(about.data.source, path / "data.json", progress=progress)
        recipe, candidates, refused = select(data, settings, about.recipe)
        return cls(
            **opened(about, path, workers=workers),
            settings=settings,
            recipe=recipe,
            data=data,
            candidates=candidates,
            refused=refused,
            clock=Clock.read(
                path / "spent.json", settings.budget_s, started=started, end_s=ending_s(settings.budget_s)
            ),
            console=console,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the trials and their results."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "recipe": dict(self.changes),
            "data": self.data.fingerprint(),
            "threads": self.threads,
        }

    def stored(self, name: str, kind: type[T]) -> T | None:
        """What an earlier session wrote to a file of the folder; None where it did not."""
        path = self.folder / name
        return read_as(kind, path) if path.is_file() else None

    def store(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes a file of the folder, whole."""
        write_whole(self.folder / name, json.dumps(values, indent=1, ensure_ascii=False).encode())


def select(
    data: Data, settings: PickSettings, changes: Mapping[str, Any]
) -> tuple[Recipe, tuple[Candidate, ...], tuple[Refused, ...]]:
    """The shared recipe, the candidates that can be built and are within the counted limits, and those that are not.

    ComparisonError where fewer than two are left, with the reasons of those that come nearest.
    """
    if data.multi_label:
        raise ComparisonError(
            f"{data.source}: a pick compares right and wrong, and these pictures may have several labels"
        )
    if settings.max_file_bytes is not None and settings.form == "pytorch":
        raise RecipeError(
            "--max-file has no effect with --form pytorch, which writes no file; give --form onnx or openvino"
        )
    recipe = shared_recipe(data.source, data.typical_size, name=settings.recipe, settings=changes)
    names = names_for(settings.candidates, data.typical_size)
    built, unfit = build_all(names, classes=len(data.classes), channels=len(recipe.mean), size=recipe.img_size)
    if settings.weights_dir is not None:
        built = with_weights(built, settings.weights_dir)
    kept, refused = within_counts(built, settings)
    check_enough(kept, (*unfit, *refused))
    return recipe, kept, (*unfit, *refused)


def check_enough(kept: tuple[Candidate, ...], refused: tuple[Refused, ...]) -> None:
    """ComparisonError where fewer than two candidates are left, with the reasons of some that are not."""
    if len(kept) < 2:
        left = f"only {kept[0].name} is left" if kept else "no candidate is left"
        reasons = "; ".join(f"{each.name}: {each.reason}" for each in refused[:3])
        raise ComparisonError(
            f"{left}, and a race needs two. Widen the limits, or name others with --candidates. {reasons}"
        )


def start_folder(
    data: Data,
    *,
    settings: PickSettings,
    changes: Mapping[str, Any],
    place: TrialPlace,
) -> Path:
    """Claims a folder and writes what the pick is."""
    folder = RunFolder.claim((place.output or Path("runs/pick")) / (place.name or name_of_source(data.source))).path
    save_manifest(data.manifest(), folder / "data.json")
    write_record(folder, data, changes=changes, place=place, pick=settings)
    return folder
