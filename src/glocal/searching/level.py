"""One level of a search: train its supernet, evaluate its candidates, train its finalists, and select the winner.

Each phase starts from what its files say is done, so that a search that was killed continues where it was.
"""

import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.design import Architecture, decide, dump
from glocal.design.space import Answers, size
from glocal.design.text import count
from glocal.errors import DivergedError, SearchError
from glocal.files import write_yaml
from glocal.machine.signals import Stop
from glocal.machine.threads import threads
from glocal.monitoring.log import Log
from glocal.recipes.schema import Recipe
from glocal.searching.candidates.candidate import Candidate, best, format_answers
from glocal.searching.candidates.candidate_table import candidates, open_candidates, write_csv
from glocal.searching.candidates.front import crowded
from glocal.searching.candidates.loop import evolve
from glocal.searching.candidates.methods import Strategy, competing
from glocal.searching.display import SearchDisplay
from glocal.searching.finalists import most_accurate, write_finalists
from glocal.searching.search_run import SearchRun, origin_of
from glocal.searching.supernet.evaluator import PathEvaluator
from glocal.searching.supernet.paths import monitored, trained_paths
from glocal.searching.supernet.supernet import Supernet
from glocal.searching.supernet.training import start, train_supernet
from glocal.searching.unit_seconds import MONITORED, MONITORED_ON, unit_seconds
from glocal.training.loop import Job
from glocal.trials.table import Table
from glocal.trials.training import Trained
from glocal.weights.files import save


@dataclass(frozen=True, eq=False)
class Winner:
    """The best finalist of a level."""

    answers: Answers
    architecture: Architecture
    trained: Trained


@dataclass(frozen=True, eq=False)
class Level:
    """A level of a search, with its space."""

    search: SearchRun
    name: str
    space: Architecture

    def winner(self) -> Winner:
        """Runs the phases, from where they are."""
        self.search.settings.limits.check_feasible(self.space)
        write_yaml(self.path / "space.yaml", dump(self.space))
        self.search.echo(f"level {self.name}: {self.space.name}, {count(size(self.space))} networks")
        spending = self.search.plan.spending
        with spending(f"{self.name}/supernet"):
            self._train_supernet()
        with spending(f"{self.name}/candidates"):
            finalists = self._select_finalists()
        with spending(f"{self.name}/finalists"):
            return self._train_finalists(finalists)

    @property
    def path(self) -> Path:
        """The level's folder."""
        return self.search.folder / self.name

    def _units(self, phase: str) -> int:
        """How many units a phase has."""
        return self.search.plan.decide(f"{self.name}/{phase}", unit_seconds(self.search, self.space))

    def _train_supernet(self) -> None:
        search, path = self.search, self.path / "supernet.safetensors"
        run = RunFolder(self.path / "supernet")
        if path.exists():
            shutil.rmtree(run.state.parent, ignore_errors=True)
            return
        recipe = search.recipe.merged({"epochs": self._units("supernet"), "cooldown_epochs": 0})
        if not run.settings.exists():
            about = {"supernet": self.space.name, "settings": recipe.model_dump(mode="json")}
            run.start(about, self.space, search.data.manifest())
        torch.manual_seed(search.settings.seed)
        supernet = Supernet(self.space, sharing=search.settings.sharing)
        parameters = count(sum(p.numel() for p in supernet.parameters()))
        epochs = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
        search.echo(f"  supernet: {parameters} parameters, {search.settings.sharing}; {epochs}, one path in each step")
        self._train(supernet, recipe, run)
        save(path, supernet.state_dict(), meta={"sharing": search.settings.sharing})
        shutil.rmtree(run.state.parent)  # half of it is the optimiser's, and nobody needs it any more

    def _train(self, supernet: Supernet, recipe: Recipe, run: RunFolder) -> None:
        search, settings = self.search, self.search.settings
        schedule = settings.path_schedule(self.space)
        val = search.data.val.spread(MONITORED_ON)
        state = start(supernet, recipe, machine=search.machine, run=run)
        evaluator = PathEvaluator(supernet, search.cached(val), search.cached(search.calibration))
        log = Log(
            run,
            epochs=recipe.epochs,
            val=val,
            console=search.console,
            start=state.step,
            rows=state.rows,
            device=search.machine.device,
        )
        with Stop().listening() as stop, log:
            job = Job(
                search.data,
                recipe,
                search.preprocess,
                search.machine,
                run,
                log,
                stop,
                paths=trained_paths(supernet, schedule),
            )
            train_supernet(
                state, job, evaluator=evaluator, monitored=monitored(self.space, seed=settings.seed, n=MONITORED)
            )

    def _select_finalists(self) -> list[Candidate]:
        """The candidates that become finalists: the most accurate, or, where a cost is weighed too, some all along the front."""
        search, settings = self.search, self.search.settings
        method = settings.search_method(self._units("candidates"))
        strategy = Strategy(self.space, method, settings.limits, search.pricer(self.space), settings.seed)
        with (self.path / "supernet.safetensors").open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        search.echo(f"  candidates: {sum(method.batches):,} by {settings.method}, {settings.limits.named()}")
        path, name = self.path / "candidates.csv", f"{search.table}/{self.name}"
        more, origin = {"supernet": checksum}, origin_of("candidates_task", search.folder, self.name)
        with open_candidates(search.storage, name, strategy, more=more, origin=origin) as table:
            done = candidates(table)
            if not (done and path.exists()):  # a phase that has ended stays so, whatever time there is now
                done = self._evaluate_candidates(table, strategy)
                write_csv(path, self.name, done)
            table.complete()
        competitors = competing(done, method)
        ranked = crowded(competitors, settings.front) if settings.front else best(competitors, settings.finalists)
        return ranked[: settings.finalists]

    def _evaluate_candidates(self, table: Table, strategy: Strategy) -> list[Candidate]:
        search, method, deadline = self.search, strategy.method, None
        if search.settings.budget_s is not None:  # twice what was measured: then the machine is slower than it was
            share_s = search.plan.seconds_for(f"{self.name}/candidates", search.plan.spent_s)
            deadline = time.monotonic() + 2 * share_s
        display = SearchDisplay(
            search.console,
            generations=len(method.batches),
            population=method.population,
            cost=search.settings.front or "macs",
        )
        with display, threads(search.threads):  # evaluating in this process sets one thread
            return evolve(
                strategy,
                search.evaluation(self.name),
                table=table,
                workers=search.workers,
                engine=search.engine,
                deadline=deadline,
                on_generation=lambda batch: display.generation(batch[0].generation, batch),
            )

    def _train_finalists(self, finalists: Sequence[Candidate]) -> Winner:
        search, epochs = self.search, self._units("finalists")
        archs = [
            replace(decide(self.space, c.answers), name=f"{self.space.name}_{format_answers(c.answers)}")
            for c in finalists
        ]
        networks = {self.path / "finalists" / str(i): arch for i, arch in enumerate(archs, 1)}
        search.echo(
            f"  finalists: the best {len(archs)}, trained from scratch, {epochs} epoch{'s' * (epochs > 1)} each"
        )
        trained = search.train_all(
            networks, epochs, on_trained=lambda entry, one: search.echo(f"  {entry.folder.name}: {one.val}")
        )
        rows = []
        for candidate, arch, one in zip(finalists, archs, trained, strict=True):
            if isinstance(one, DivergedError):
                search.echo(f"  {format_answers(candidate.answers)} diverged: {one}")
            else:
                rows.append((candidate, arch, one))
        if not rows:
            raise SearchError(f"every finalist of {self.name} diverged: {trained[0]}")
        first = most_accurate(rows)
        write_finalists(self.path / "finalists.csv", rows, winner=first)
        candidate, arch, winner = rows[first]
        search.echo(f"  winner of {self.name}: {format_answers(candidate.answers)}, {winner.val.top1:.2%}\n")
        return Winner(candidate.answers, arch, winner)
