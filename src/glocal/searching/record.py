"""What search.yaml holds: all that decides a search, so that it can be resumed. Damaged files are errors that name them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, get_args

from glocal.artifacts.manifests import load_manifest
from glocal.data import Data, Manifest, check
from glocal.errors import DataError, GlocalError, RecipeError, RunError, SearchError
from glocal.files import read_yaml, write_yaml
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.searching.search_data import search_data
from glocal.searching.settings import SearchSettings
from glocal.trials.workers.pool import Engine

Progress = Callable[[int, int], None]
"""Called with the pictures read and the number of all."""

_KEYS = ("settings", "recipe", "machine", "source", "threads")


@dataclass(frozen=True)
class SearchRecord:
    """All that decides a search.

    device, workers, engine, storage: as `TrialPlace` has them, with the number of workers that they came to.
    threads: of torch, when the search was started.
    about: what is written for people only: the command, classes, versions.
    """

    source: str
    settings: SearchSettings
    recipe: Recipe
    device: str
    workers: int
    engine: Engine
    storage: str | None
    table: str
    threads: int
    about: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes search.yaml."""
        values = {
            **self.about,
            "source": self.source,
            "settings": self.settings.to_json(),
            "recipe": self.recipe.model_dump(mode="json"),
            "machine": {
                "device": self.device,
                "storage": self.storage,
                "engine": self.engine,
                "workers": self.workers,
                "table": self.table,
            },
            "threads": self.threads,
        }
        write_yaml(folder / "search.yaml", values)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record of a search. SearchError for a folder that is no search's, or whose search.yaml is not whole."""
        path = folder / "search.yaml"
        if not path.is_file():
            raise SearchError(f"{folder} is not the folder of a search: it has no search.yaml")
        try:
            values = read_yaml(path, *_KEYS)
            machine = values["machine"]
            record = cls(
                source=str(values["source"]),
                settings=SearchSettings.of(values["settings"]),
                recipe=Recipe().merged(values["recipe"]),
                device=str(machine["device"]),
                workers=int(machine["workers"]),
                engine=machine["engine"],
                storage=machine["storage"],
                table=str(machine.get("table", "")),
                threads=int(values["threads"]),
            )
        except RunError:
            raise
        except GlocalError as error:
            raise SearchError(f"{path} is not whole: {error}") from None
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise SearchError(f"{path} is not whole: {type(error).__name__}: {error}") from None
        whole = record.engine in get_args(Engine) and isinstance(record.storage, str | None)
        if not whole or min(record.workers, record.threads) < 1:
            raise SearchError(f"{path} is not whole: its machine or its threads have values that no search writes")
        return record

    def manifest(self, folder: Path) -> Manifest:
        """The pictures and their splits. RunError where data.json is not whole."""
        return load_manifest(folder / "data.json")

    def data(self, folder: Path, *, progress: Progress | None) -> Data:
        """The pictures, split as they were; DataError where they are no longer the same."""
        manifest = self.manifest(folder)
        try:
            report = check(self.source, manifest=manifest, skip_bad_files=True, progress=progress)
            return search_data(report.require_data(), seed=manifest.seed)
        except (DataError, OSError, ValueError) as error:  # a path may be one that no file can have
            raise DataError(f"the pictures of {folder / 'data.json'}: {error}") from None

    def machine(self, folder: Path) -> Machine:
        """This process, with the device of the search. SearchError under torchrun, or where the device is not there."""
        try:
            machine = Machine.start(self.device)
        except RecipeError as error:
            raise SearchError(f"the device of {folder / 'search.yaml'}: {error}") from None
        if machine.processes > 1:
            raise SearchError(
                "a search is one process, which starts its own workers (--workers); run it without torchrun"
            )
        return machine
