"""A search as its folder describes it: settings, pictures, machine and plan. Its phases are in `level`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.data import Data, Preprocess, Split
from glocal.design import Architecture, cost
from glocal.design.limits import Pricer
from glocal.design.memory import memory_bytes
from glocal.errors import DivergedError
from glocal.machine.device import autocasts
from glocal.machine.processes import Machine
from glocal.machine.threads import threads
from glocal.net.timing.latency_table import LatencyTable, latency, pieces
from glocal.recipes.schema import Recipe
from glocal.searching.record import Progress, SearchRecord
from glocal.searching.search_data import CachedSplit, calibration
from glocal.searching.settings import SearchSettings
from glocal.searching.supernet.evaluator import SupernetEvaluation, load_space
from glocal.trials.clock import ending_s
from glocal.trials.place import table_name
from glocal.trials.plan import Plan
from glocal.trials.training import Entry, Trained, train_all
from glocal.trials.workers.pool import Engine


@dataclass(frozen=True, eq=False)
class SearchRun:
    """Everything that the phases of a search share."""

    folder: Path
    data: Data
    settings: SearchSettings
    recipe: Recipe
    machine: Machine
    workers: int
    threads: int  # of torch, for this process: as when the search was started, since they touch the last bits
    finalist_threads: int  # of torch, for one finalist, in whichever process it is trained
    engine: Engine
    storage: str
    table: str  # in the storage; that of a level has its name too
    plan: Plan
    console: Console | None
    unit_seconds: dict[tuple[Architecture, str], float] = field(default_factory=dict)  # by space and kind of phase

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        data: Data | None = None,
        workers: int | None = None,
        console: Console | None = None,
        progress: Progress | None = None,
    ) -> "SearchRun":
        """The search of a folder. `data`: its pictures, where they are checked already. SearchError for any other folder, or
        where a file of it is damaged."""
        path = Path(folder)
        record = SearchRecord.read(path)
        machine = record.machine(path)
        settings, recipe = record.settings, record.recipe
        return cls(
            folder=path,
            data=data or record.data(path, progress=progress),
            settings=settings,
            recipe=recipe,
            machine=machine,
            workers=workers or record.workers,
            threads=record.threads,
            finalist_threads=record.threads if record.workers == 1 else 1,
            engine=record.engine,
            storage=record.storage or str(path / "candidates.db"),
            table=table_name(path, record.table),
            plan=Plan.read(
                path / "plan.json",
                settings.phases(recipe.epochs),
                budget_s=settings.budget_s,
                end_s=ending_s(settings.budget_s),
            ),
            console=console,
        )

    def echo(self, line: str) -> None:
        """Prints a line, where there is a console."""
        if self.console:
            self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def space(self, level: str, winner: Architecture | None) -> Architecture:
        """The space of a level, given the winner of the level before."""
        return self.settings.space_of(level, winner, classes=len(self.data.classes), recipe=self.recipe)

    def space_at(self, level: str) -> Architecture:
        """The space of a level that was started."""
        return load_space(self.folder / level)

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the input of every network of the search."""
        _, h, w = self.space(self.settings.level_names()[0], None).image
        return self.recipe.preprocess((h, w))

    @property
    def calibration(self) -> Split:
        """The training pictures from which batch norms compute their statistics for a candidate."""
        return calibration(self.data, self.settings.calibration, seed=self.settings.seed)

    def cached(self, split: Split) -> CachedSplit:
        """A split, ready to be evaluated on again and again."""
        return CachedSplit.of(split, self.preprocess, device=self.machine.device)

    def evaluation(self, level: str) -> SupernetEvaluation:
        """What a worker needs to evaluate candidates of a level."""
        return SupernetEvaluation(
            (self.folder / level).resolve(),
            self.settings.sharing,
            self.data.val,
            self.calibration,
            self.preprocess,
            str(self.machine.device),
            amp=autocasts(self.recipe.amp, self.machine.device),
        )

    def train_all(
        self,
        networks: Mapping[Path, Architecture],
        epochs: int,
        *,
        seed: int | None = None,
        on_trained: Callable[[Entry, Trained], None],
    ) -> list[Trained | DivergedError]:
        """Trains networks from scratch, each in its folder, all with one recipe; resumes those that were started. `seed` is by
        default the recipe's. Gives the error of one that diverged."""
        seed = self.recipe.seed if seed is None else seed
        recipe = self.recipe.merged({"epochs": epochs, "cooldown_epochs": 0, "seed": seed})
        entries = [
            Entry.of(folder, arch, recipe, data=self.data, machine=self.machine, origin="search")
            for folder, arch in networks.items()
        ]
        return train_all(entries, workers=self.workers, threads=self.finalist_threads, on_trained=on_trained)

    def pricer(self, space: Architecture) -> Pricer:
        """Computes the costs that are limited or weighed against accuracy. Latencies of parts are measured once, with one thread,
        and stored in the folder."""
        return _Pricer(self, space)


def origin_of(task: str, folder: Path, level: str) -> dict[str, Any]:
    """What a table says of the task of a level's workers, for `glocal work`: a function of `searching.joining`."""
    return {
        "task": f"glocal.searching.joining:{task}",
        "arguments": {"folder": str(folder.resolve()), "level": level},
    }


@dataclass(frozen=True, eq=False)
class _Pricer:
    search: SearchRun
    space: Architecture

    def __call__(self, arch: Architecture) -> dict[str, float]:
        size, wanted = cost(arch), {*self.search.settings.limits.limited(), self.search.settings.front}
        costs: dict[str, float] = {"macs": size.macs, "params": size.params}
        if "latency_ms" in wanted:
            self._latencies.measure_missing(pieces(arch))
            costs["latency_ms"] = latency(arch, self._latencies)
        if "memory_bytes" in wanted:
            costs["memory_bytes"] = memory_bytes(arch)
        return costs

    @cached_property
    def _latencies(self) -> LatencyTable:
        """Measured when the first network is priced."""
        with threads(1):
            table = LatencyTable(self.search.folder / "latency.json", self.search.machine.device)
        table.fill(self.space, echo=self.search.echo)
        return table
