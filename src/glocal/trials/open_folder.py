"""A folder of many trials that is open: what a study and a pick share, and the part of run.yaml that says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.console import Console

from glocal.artifacts.environment import environment
from glocal.command_line import typed_command
from glocal.data import Data
from glocal.files import write_yaml
from glocal.machine.processes import Machine
from glocal.runs.record import lasting
from glocal.trials.clock import Clock
from glocal.trials.place import PlaceRecord, TrialPlace, table_name
from glocal.trials.workers.pool import Engine


class FolderRecord(BaseModel):
    """What run.yaml says of the source of the pictures, the changes of the recipe, and the place."""

    class Source(BaseModel):
        """Where the pictures are."""

        source: str

    data: Source
    recipe: dict[str, Any]
    machine: PlaceRecord


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenFolder:
    """Where the trials of a folder run, on which pictures, and in what time.

    changes: of the recipe. threads: of torch for each training; they touch the last bits, and the number of workers does not.
    """

    folder: Path
    data: Data
    changes: Mapping[str, Any]
    machine: Machine
    workers: int
    threads: int
    engine: Engine
    storage: str
    table: str
    clock: Clock
    console: Console | None

    def print(self, line: str = "") -> None:
        """Prints a line, where there is a console."""
        if self.console:
            self.console.print(line, highlight=False, soft_wrap=True, markup=False)


def opened(record: FolderRecord, folder: Path, *, workers: int | None) -> dict[str, Any]:
    """The fields of an `OpenFolder` that its record decides, for a session with so many workers; None for as many as before."""
    place = record.machine
    return {
        "folder": folder,
        "changes": record.recipe,
        "machine": Machine.start(place.device),
        "workers": workers or place.workers,
        "threads": place.threads,
        "engine": place.engine,
        "storage": place.storage or str(folder / "trials.db"),
        "table": table_name(folder, place.table),
    }


def write_record(
    folder: Path,
    data: Data,
    *,
    changes: Mapping[str, Any],
    place: TrialPlace,
    **settings: BaseModel,
) -> None:
    """Writes run.yaml, which comes last, so that where it is, all is. settings: of the verb, by the name of their section."""
    about = {
        "command": typed_command(),
        **environment(),
        "data": {"source": lasting(data.source), "split_rule": data.split_rule, "fingerprint": data.fingerprint()},
        **{name: values.model_dump(mode="json") for name, values in settings.items()},
        "recipe": dict(changes),
        "machine": place.record().model_dump(),
    }
    write_yaml(folder / "run.yaml", about)
