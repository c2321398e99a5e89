"""A search as its folder has it: what was asked, the pictures, the machine, the plan. What is done with it stands in `levels`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from glocal.data import Data, Preprocess, Split, check
from glocal.design import Architecture, cost
from glocal.design.memory import memory_bytes
from glocal.errors import SearchError
from glocal.net.latency_table import LatencyTable, latency, pieces
from glocal.searching.evolve import Engine
from glocal.searching.judging import Judging, load_space
from glocal.searching.limits import Pricer
from glocal.searching.pictures import Resident, calibration, search_data
from glocal.searching.plan import Plan
from glocal.searching.settings import Search
from glocal.training.device import autocasts
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder, read_yaml
from glocal.training.recipe import Recipe
from glocal.training.run import threads

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class OpenSearch:
    """Everything that the phases of a search share."""

    folder: Path
    data: Data
    asked: Search
    recipe: Recipe
    machine: Machine
    workers: int
    threads: int  # of this process, whatever they are today: they touch the last bits
    threads_alone: int  # that one finalist is trained with, by whichever process
    engine: Engine
    storage: str
    plan: Plan
    console: Console | None

    @classmethod
    def of(
        cls,
        folder: str | Path,
        *,
        data: Data | None = None,
        workers: int | None = None,
        console: Console | None = None,
        progress: Progress | None = None,
    ) -> "OpenSearch":
        """The search that a folder holds; `data`, where its pictures are open already. SearchError for any other folder."""
        path = Path(folder)
        if not (path / "search.yaml").is_file():
            raise SearchError(f"{folder} is not the folder of a search: it has no search.yaml")
        about = read_yaml(path / "search.yaml", "settings", "recipe", "machine", "source", "threads")
        if data is None:
            manifest = RunFolder(path).manifest()
            opened = check(about["source"], manifest=manifest, skip_bad_files=True, progress=progress).opened()
            data = search_data(opened, seed=manifest.seed)
        asked, where = Search.of(about["settings"]), about["machine"]
        machine, recipe = Machine.start(where["device"]), Recipe().merged(about["recipe"])
        if machine.processes > 1:
            raise SearchError("a search is one process, which starts its own workers (--workers); leave torchrun out")
        return cls(
            folder=path,
            data=data,
            asked=asked,
            recipe=recipe,
            machine=machine,
            workers=workers or where["workers"],
            threads=about["threads"],
            threads_alone=about["threads"] if where["workers"] == 1 else 1,
            engine=where["engine"],
            storage=where["storage"] or str(path / "candidates.db"),
            plan=Plan.of(
                path / "plan.json", levels=asked.names(), wanted=asked.wanted(recipe.epochs), budget_s=asked.budget_s
            ),
            console=console,
        )

    def say(self, line: str) -> None:
        """Prints a line, where anybody listens."""
        if self.console:
            self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def space(self, level: str, winner: Architecture | None) -> Architecture:
        """The space of a level, given the winner of the one before."""
        return self.asked.space_of(level, winner, classes=len(self.data.classes), recipe=self.recipe)

    def space_at(self, level: str) -> Architecture:
        """The space of a level that was begun."""
        return load_space(self.folder / level)

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the input of every network of the search."""
        _, h, w = self.space(self.asked.names()[0], None).image
        return self.recipe.preprocess((h, w))

    @property
    def calibration(self) -> Split:
        """The training pictures of which batch norms take their statistics for a candidate."""
        return calibration(self.data, self.asked.calibration, seed=self.asked.seed)

    def resident(self, split: Split) -> Resident:
        """A split, ready to be evaluated on again and again."""
        return Resident.of(split, self.preprocess, device=self.machine.device)

    def judging(self, level: str) -> Judging:
        """What a worker needs to judge candidates of a level."""
        return Judging(
            (self.folder / level).resolve(),
            self.asked.sharing,
            self.data.val,
            self.calibration,
            self.preprocess,
            str(self.machine.device),
            amp=autocasts(self.recipe.amp, self.machine.device),
        )

    def pricer(self, space: Architecture) -> Pricer:
        """Counts what is limited or weighed against accuracy. Latencies of parts are measured once, with one thread, and kept
        in the folder."""
        asked = {*self.asked.limits.limited(), self.asked.front}
        table = None
        if "latency_ms" in asked:
            with threads(1):
                table = LatencyTable(self.folder / "latency.json", self.machine.device)
            table.fill(space, tell=self.say)
        return partial(_priced, memory="memory_bytes" in asked, table=table)


def _priced(arch: Architecture, *, memory: bool, table: LatencyTable | None) -> dict[str, float]:
    size = cost(arch)
    costs: dict[str, float] = {"macs": size.macs, "params": size.params}
    if table is not None:
        table.measure_missing(pieces(arch))
        costs["latency_ms"] = latency(arch, table)
    if memory:
        costs["memory_bytes"] = memory_bytes(arch)
    return costs
