"""What run.yaml holds: the pictures, the recipe and the place of a run, so that it can be resumed and repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Data, check
from glocal.data.checks.scan import Progress
from glocal.data.options import DataOptions
from glocal.data.reading import DIGITS
from glocal.data.sources.remote import is_url
from glocal.errors import RecipeError, RunError
from glocal.files import read_yaml, reason_of
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.runs.place import Place
from glocal.settings import merge

_PLACE = ("device", "parallel", "workers", "checkpoint_s", "mlflow")


class Parent(BaseModel):
    """The run that another one was trained longer from."""

    model_config = ConfigDict(frozen=True)

    folder: str
    epochs: int = Field(ge=1)  # that it was trained for
    state: int  # checksum of the state that was continued
    restart: str | None = None  # "warm", or None where the schedule was continued


class _Sections(BaseModel):
    """The types of run.yaml's sections."""

    model_config = ConfigDict(extra="allow")

    class Pictures(BaseModel):
        """The section `data`."""

        model_config = ConfigDict(extra="allow")

        source: str
        fingerprint: str

    data: Pictures
    weights: dict[str, Any] | None
    teacher: str | None
    machine: dict[str, Any]
    settings: dict[str, Any]
    origins: dict[str, str]
    threads: int = Field(ge=1, le=10_000)
    parent: Parent | None = None


@dataclass(frozen=True)
class RunRecord:
    """What decides a run, as its run.yaml has it."""

    source: str
    recipe: Recipe
    origins: Mapping[str, str]  # of each setting of the recipe
    options: DataOptions = field(default_factory=DataOptions)
    place: Place = field(default_factory=Place)
    fingerprint: str = ""  # of the pictures and their splits
    weights: Mapping[str, Any] | None = None  # that the run starts from: source and checksum
    teacher: str | None = None  # checksum of the teacher's weights
    parent: Parent | None = None  # the run that this one continues
    environment: Mapping[str, Any] = field(default_factory=dict)  # command, versions, threads, git

    @classmethod
    def read(cls, run: RunFolder) -> Self:
        """The record of a run; RunError where its run.yaml is not whole."""
        values = read_yaml(run.settings)
        try:
            found = _Sections.model_validate(values)
            data = found.data.model_dump()
            options = {name: value for name, value in data.items() if name in DataOptions.model_fields}
            recipe, options_of_data = Recipe().merged(found.settings), merge(DataOptions(), options)
            place = merge(Place(), found.machine)
        except ValidationError as error:
            (first, *_) = error.errors()
            section = ".".join(map(str, first["loc"]))
            raise RunError(f"{run.settings} is not whole: {section}: {first['msg']}") from None
        except RecipeError as error:
            raise RunError(f"{run.settings}: {reason_of(error)}") from None
        return cls(
            source=found.data.source,
            recipe=recipe,
            origins=found.origins,
            options=options_of_data,
            place=place,
            fingerprint=found.data.fingerprint,
            weights=found.weights,
            teacher=found.teacher,
            parent=found.parent,
            environment={name: value for name, value in values.items() if name not in _NOT_ENVIRONMENT},
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, as run.yaml has it."""
        place = self.place.model_dump(mode="json", include=set(_PLACE))
        return {
            **self.environment,
            **({"parent": self.parent.model_dump()} if self.parent else {}),
            "data": {"source": self.source, **self.options.to_json(), "fingerprint": self.fingerprint},
            "weights": self.weights,
            "teacher": self.teacher,
            "machine": {name: place[name] for name in _PLACE},
            "settings": self.recipe.model_dump(mode="json"),
            "origins": dict(self.origins),
        }

    @property
    def threads(self) -> int:
        """The number of threads of torch that the run was started with."""
        return int(self.environment["threads"])

    def load_data(self, run: RunFolder, *, machine: Machine, progress: Progress | None) -> Data:
        """The pictures of a run with their splits; DataError where they are no longer the same."""
        with machine.main_first():
            report = check(
                self.source,
                skip_bad_files=self.options.skip_bad_files,
                manifest=run.manifest(),
                progress=progress if machine.main else None,
            )
        return report.require_data()


_NOT_ENVIRONMENT = {*_Sections.model_fields} - {"threads"}


def lasting(source: str) -> str:
    """A source of pictures that can be found from any current folder: paths are made absolute."""
    return source if source == DIGITS or is_url(source) else str(Path(source).resolve())
