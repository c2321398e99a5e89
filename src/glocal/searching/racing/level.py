"""A level of a search without a supernet: candidates are proposed, trained alone and raced, and the best of them wins."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glocal.comparing.racing.race import Race, TimeOverError
from glocal.design import Architecture, decide, dump
from glocal.design.space import size
from glocal.design.text import count
from glocal.errors import RecipeError, SearchError
from glocal.files import read_as, write_whole, write_yaml
from glocal.monitoring.eta import clock
from glocal.searching.candidates.candidate import Candidate, format_answers
from glocal.searching.candidates.candidate_table import write_csv
from glocal.searching.candidates.methods import RandomSearch
from glocal.searching.candidates.methods import Strategy as Proposals
from glocal.searching.candidates.proposals import propose
from glocal.searching.finalists import write_finalists
from glocal.searching.level import Winner
from glocal.searching.racing.guidance import Guidance
from glocal.searching.racing.trial import TrainNetworks
from glocal.searching.racing.workbench import FolderBench
from glocal.searching.sampling import corners
from glocal.searching.search_run import SearchRun, origin_of
from glocal.searching.strategies.strategy import Found, Strategy, run, rungs_of, strategies
from glocal.searching.unit_seconds import unit_seconds
from glocal.trials.coordinator import coordinate
from glocal.trials.table import Table
from glocal.trials.training import finished, so_far
from glocal.trials.trial import Scalar

CANDIDATES = 200
"""Networks that a proxy chooses from, unless the search says how many."""

LATE = 4 / 3
"""How much longer than planned a rung may take before the networks that it has not reached are left out."""


@dataclass(frozen=True, eq=False)
class RacedLevel:
    """A level of a search, with its space."""

    search: SearchRun
    name: str
    space: Architecture

    @property
    def path(self) -> Path:
        """The level's folder."""
        return self.search.folder / self.name

    @property
    def phase(self) -> str:
        """Of the plan."""
        return f"{self.name}/race"

    def winner(self) -> Winner:
        """Runs the race from where it is; what was trained is not trained again."""
        search, settings = self.search, self.search.settings
        if search.data.multi_label:
            raise RecipeError(
                f"--strategy {settings.strategy} compares pictures of one label each; use --strategy supernet"
            )
        settings.limits.check_feasible(self.space)
        write_yaml(self.path / "space.yaml", dump(self.space))
        search.echo(f"level {self.name}: {self.space.name}, {count(size(self.space))} networks")
        epochs = search.plan.decide(self.phase, unit_seconds(search, self.space))
        horizon = settings.horizon(epochs, search.recipe.epochs)
        candidates = self._candidates(epochs)
        search.echo(
            f"  {settings.strategy}: {epochs:,} epochs for {len(candidates):,} candidates, {horizon} for a full training"
        )
        with search.plan.spending(self.phase):
            found = self._race(candidates, epochs=epochs, horizon=horizon)
        return self._finish(candidates, found)

    def _candidates(self, epochs: int) -> Sequence[Candidate]:
        settings = self.search.settings
        n = settings.candidates or (epochs if self._strategy.guide is None else CANDIDATES)
        n = min(n, size(self.space))
        strategy = Proposals(
            self.space, RandomSearch(n, n), settings.limits, self.search.pricer(self.space), settings.seed
        )
        first = corners(self.space)[: n // 2] if self._strategy.doubts else ()
        # Those beyond the epochs could not race; they are for the proxy to choose from, and fewer of them will do.
        least = settings.candidates or min(n, epochs)
        return propose(strategy, generation=0, done=(), first=first, least=least)

    @property
    def task(self) -> TrainNetworks:
        """The task of the workers; the race must be planned."""
        search = self.search
        horizon = search.settings.horizon(search.plan.decided[self.phase], search.recipe.epochs)
        recipe = search.recipe.merged({"epochs": horizon, "cooldown_epochs": 0})
        folder = (self.path / "race").resolve()
        ends_at = self._ends_at(rungs_of(self._strategy, horizon))
        return TrainNetworks(folder, self.space, recipe, search.data, search.machine, search.finalist_threads, ends_at)

    @property
    def _strategy(self) -> Strategy:
        return strategies(self.search.settings.proxy)[self.search.settings.strategy]

    def _ends_at(self, rungs: Sequence[int]) -> dict[int, float]:
        """When the trainings of each rung must end, of `time.time`: at the end of its share of the race, and a third later."""
        plan = self.search.plan
        if self.phase not in plan.ends_at:
            return {}
        end, whole_s = plan.ends_at[self.phase], plan.seconds_for(self.phase, plan.spent_s)
        shares = [(n + 1) / len(rungs) if self._strategy.barriers else 1.0 for n in range(len(rungs))]
        return {rung: end - max(0.0, 1 - LATE * share) * whole_s for rung, share in zip(rungs, shares, strict=True)}

    def _race(self, candidates: Sequence[Candidate], *, epochs: int, horizon: int) -> Found:
        search, task = self.search, self.task
        names = [format_answers(each.answers) for each in candidates]
        identity = {
            "space": dump(self.space),
            "recipe": task.recipe.model_dump(mode="json"),
            "pictures": search.data.fingerprint(),
        }
        choices: dict[str, Sequence[Scalar]] = {"network": names, "epochs": range(1, horizon + 1)}
        origin = origin_of("race_task", search.folder, self.name)
        with (
            Table.open(
                search.storage,
                f"{search.table}/{self.name}",
                identity=identity,
                choices=choices,
                value="accuracy",
                origin=origin,
            ) as table,
            coordinate(task, table, workers=search.workers, engine=search.engine) as coordinator,
        ):
            bench = FolderBench(search, self.phase, self.path, self.space, candidates, task, coordinator)
            try:
                return run(self._strategy, bench, budget_s=epochs, horizon=horizon)
            except TimeOverError:
                raise SearchError(
                    f"--budget {clock(search.settings.budget_s or 0)} ended before any network was trained for as long as the "
                    "first comparison needs; give more time"
                ) from None

    def _finish(self, candidates: Sequence[Candidate], found: Found) -> Winner:
        """Writes what came of the race, and the finalists: the best that were trained in full."""
        by_name = {format_answers(each.answers): each for each in candidates}
        raced = [_measured(each, found, n=len(self.search.data.val)) for each in candidates]
        write_csv(self.path / "candidates.csv", self.name, [each for each in raced if each.accuracy is not None])
        if found.race:
            write_whole(
                self.path / "race.json", json.dumps([rung.to_json() for rung in found.race.rungs], indent=1).encode()
            )
        proxy = self._strategy.guide
        if proxy and (scores := read_as(dict[str, float], self.path / f"{proxy}.json")):
            guidance = Guidance.of(proxy, scores, found.race, found.winner)
            write_whole(self.path / "guidance.json", json.dumps(guidance.to_json(), indent=1).encode())
            self.search.echo(f"  {guidance}")
        rows, task = [], self.task
        if not found.trained:
            self.search.echo(f"  no network was trained in full; the winner is {found.winner}, which leads so far")
        for name in found.trained[: self.search.settings.finalists] or [found.winner]:
            answers = by_name[name].answers
            folder = task.entry(answers).folder
            trained = finished(folder, task.recipe) if found.trained else so_far(folder)
            if trained is None:
                raise SearchError(
                    f"{folder} is not whole any more, and was trained for the race: bring it back, or "
                    f"remove {self.path} and resume"
                )
            arch = replace(decide(self.space, answers), name=f"{self.space.name}_{name}")
            self.search.echo(f"  {name}: {trained.val}")
            rows.append((next(each for each in raced if each.answers == answers), arch, trained))
        write_finalists(self.path / "finalists.csv", rows, winner=0)  # the order of the race, after equal epochs
        candidate, arch, trained = rows[0]
        self.search.echo(f"  winner of {self.name}: {format_answers(candidate.answers)}, {trained.val.top1:.2%}\n")
        return Winner(candidate.answers, arch, trained)


def _measured(candidate: Candidate, found: Found, *, n: int) -> Candidate:
    """A candidate with the last accuracy that the race measured of it; without one where it did not take part."""
    name = format_answers(candidate.answers)
    standings = _standings(found.race)
    if name not in standings:
        return candidate
    return replace(candidate, accuracy=standings[name], n=n)


def _standings(race: Race) -> dict[str, float]:
    return {each.arm: each.accuracy for rung in race.rungs for each in rung.standings}
