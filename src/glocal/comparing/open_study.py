"""A study as its folder has it: what was asked, the pictures, the arms, the machine. What is done with it is in `run_study`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from glocal.artifacts.manifests import reopened, save_manifest
from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.arms import BuiltArm, build_arms
from glocal.comparing.settings import StudySettings
from glocal.comparing.statistics.looks import Looks
from glocal.comparing.study import Study
from glocal.comparing.study_text import dump_study, load_study
from glocal.comparing.trial import StudyTask
from glocal.data import Data
from glocal.data.checks.scan import Progress
from glocal.errors import ComparisonError
from glocal.files import name_of_source, read_as, write_yaml
from glocal.settings import merge
from glocal.trials.clock import Clock
from glocal.trials.open_folder import FolderRecord, OpenFolder, opened, write_record
from glocal.trials.place import TrialPlace


class StudyRecord(FolderRecord):
    """run.yaml. settings: fields of `StudySettings`."""

    settings: dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenStudy(OpenFolder):
    """Everything that running a study needs. epochs: of every training, decided once."""

    study: Study
    settings: StudySettings
    first_data: Data | None
    arms: tuple[BuiltArm, ...]
    more_seeds: int | None = None  # with which a study that was started without a number of seeds goes on

    @classmethod
    def read(
        cls,
        folder: str | Path,
        *,
        data: Data | None = None,
        first_data: Data | None = None,
        workers: int | None = None,
        seeds: int | None = None,
        started: float | None = None,
        console: Console | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """The study in a folder. `data` and `first_data` are opened again where they are not given."""
        path = Path(folder)
        if not (path / "run.yaml").is_file() or not (path / "study.yaml").is_file():
            raise ComparisonError(f"{folder} is not the folder of a study: it has no study.yaml")
        about = read_as(StudyRecord, path / "run.yaml")
        settings = merge(StudySettings(), about.settings)
        study = load_study(path / "study.yaml")
        if seeds is not None:
            _check_more(seeds, study, settings)
        data = data or reopened(about.data.source, path / "data.json", progress=progress)
        if first_data is None and settings.pretrain_on is not None:
            first_data = reopened(settings.pretrain_on, path / "first_data.json", progress=progress)
        return cls(
            **opened(about, path, workers=workers),
            study=study,
            settings=settings,
            data=data,
            first_data=first_data,
            arms=build_arms(study, data, scale=settings.scale, settings=about.recipe),
            console=console,
            clock=Clock.read(path / "spent.json", settings.budget_s, started=started or time.monotonic()),
            more_seeds=seeds,
        )

    @property
    def epochs(self) -> int:
        """Epochs of the first arm; arms of other lengths say so in their settings."""
        return self.arms[0].recipe.total_epochs

    @property
    def looks(self) -> Looks:
        """After how many seeds the comparisons are judged: up to those that were asked for, so that the level is shared by no
        others; else those of the study, of which some may be taken later."""
        looks, most = self.study.looks, self.settings.seeds
        return looks if most is None or most < looks.at[0] else looks.up_to(most)

    @property
    def most_seeds(self) -> int:
        """Seeds of an arm at most."""
        return self.more_seeds or self.settings.most_seeds

    @property
    def task(self) -> StudyTask:
        """What workers are sent."""
        return StudyTask(self.folder, self.arms, self.machine, self.threads, self.first_data)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the trials and their results."""
        return {
            "study": dump_study(self.study),
            "scale": self.settings.scale,
            "recipe": dict(self.changes),
            "data": self.data.fingerprint(),
            "first_data": self.first_data.fingerprint() if self.first_data else None,
            "threads": self.threads,
        }


def _check_more(seeds: int, study: Study, settings: StudySettings) -> None:
    """ComparisonError where seeds cannot be added without more false verdicts than the study promises."""
    if settings.seeds is not None:
        raise ComparisonError(
            f"{study.name} was started with --seeds {settings.seeds}, and its level is shared by the looks up to there. Start a "
            "study without --seeds to add some later"
        )
    if seeds not in study.looks.at:
        raise ComparisonError(f"--seeds {seeds}: {study.name} looks after {study.looks.at} seeds; give one of these")


def start_folder(
    study: Study,
    data: Data,
    *,
    first_data: Data | None,
    settings: StudySettings,
    changes: Mapping[str, Any],
    place: TrialPlace,
) -> Path:
    """Claims a folder and writes what the study is."""
    name = place.name or f"{study.name}-{name_of_source(data.source)}"
    folder = RunFolder.claim((place.output or Path("runs/study")) / name).path
    write_yaml(folder / "study.yaml", dump_study(study))
    for file, each in (("data.json", data), ("first_data.json", first_data)):
        if each is not None:
            save_manifest(each.manifest(), folder / file)
    write_record(folder, data, changes=changes, place=place, settings=settings)
    return folder
