"""The workbench of a real search: candidates of a space, proxies computed here, trainings by the workers of a table."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path

from glocal.comparing.racing.decision import Measured, Right
from glocal.comparing.racing.race import Heat, TimeOverError
from glocal.data.batches.loader import Batch, Batches
from glocal.design import Architecture, decide
from glocal.errors import SearchError
from glocal.files import read_as, write_whole
from glocal.searching.candidates.candidate import Candidate, format_answers
from glocal.searching.racing.trial import TrainNetworks, as_trial
from glocal.searching.ranking.proxies import PROXIES, STEPS, ProxyName, proxy_score
from glocal.searching.search_run import SearchRun
from glocal.searching.strategies.asha import Asha
from glocal.training.loop import Augmented
from glocal.trials.coordinator import Coordinator
from glocal.trials.trial import Trial


@dataclass(eq=False)
class FolderBench:
    """Networks are trained in a folder. Time is counted in epochs of one network, as planned, so that a search that is killed, or
    run by other workers, decides alike. Where the clock of a budget leaves fewer epochs than were planned, the rest of the race
    has these, and plan.json keeps how many they were."""

    search: SearchRun
    phase: str  # of the plan
    folder: Path
    space: Architecture
    candidates: Sequence[Candidate]
    task: TrainNetworks
    coordinator: Coordinator
    spent_s: float = 0.0  # in epochs
    _measured: dict[str, dict[int, Right]] = field(default_factory=dict)
    _left: set[str] = field(default_factory=set)  # networks whose training failed, or was ended by the budget

    @cached_property
    def networks(self) -> Sequence[str]:
        """The candidates in the order in which they were proposed: corners, then random ones."""
        return list(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, Candidate]:
        return {format_answers(each.answers): each for each in self.candidates}

    def epoch_s(self, network: str) -> float:
        """One epoch."""
        return 1.0

    def left_s(self, budget_s: float, *, rung: int) -> float:
        """Epochs, as an earlier session found them too: as planned, or as many as the clock leaves at the pace so far."""
        planned = budget_s - self.spent_s
        name = f"{self.phase}/left before rung {rung}"
        left = self.search.plan.once(name, lambda: max(1, int(self._clocked(planned))))
        if left < int(planned):
            self.search.echo(f"  epochs take longer than they were timed: {left:,} of {int(planned):,} are left")
        return left

    def _clocked(self, planned: float) -> float:
        plan = self.search.plan
        left_s = plan.left_s(self.phase)
        return min(planned, left_s / (plan.spent_s[self.phase] / self.spent_s)) if left_s < inf else planned

    def guide(self, name: str, *, budget_s: float) -> Mapping[str, float]:
        """The scores of a proxy, which are saved in NAME.json: of as many candidates as may be scored, in their order."""
        proxy = next((known for known in PROXIES if known == name), None)
        if proxy is None:
            raise SearchError(f"{name} is no proxy; give one of {', '.join(PROXIES)}")
        each = STEPS[proxy] / max(1, len(self.search.data.train) // self.search.recipe.batch_size)
        scored = self.networks[: int(budget_s / each)] if each else self.networks
        epochs = len(scored) * each
        self.spent_s += epochs
        path = self.folder / f"{name}.json"
        if path.exists():
            return read_as(dict[str, float], path)
        self.search.echo(f"  {name} scores {len(scored):,} candidates, which counts as {epochs:.1f} epochs")
        scores = self._scores(proxy, scored)
        write_whole(path, json.dumps(scores).encode())
        return scores

    def _scores(self, proxy: ProxyName, names: Sequence[str]) -> dict[str, float]:
        recipe, normalise = self.search.recipe, self.search.preprocess.normalise
        inputs = [(normalise(x), y) for x, y in _first_batches(self.search, STEPS[proxy])]
        return {
            name: proxy_score(proxy, decide(self.space, self._by_name[name].answers), inputs, recipe=recipe)
            for name in names
        }

    def train(self, heats: Sequence[Heat], *, continued: bool) -> Measured:
        """Has the workers train what is missing."""
        assert continued, "trainings of a search continue from rung to rung"
        trials = self.coordinator.run([as_trial(self._by_name[heat.arm].answers, heat.epochs) for heat in heats])
        self._measure(trials)
        if not any(_reached(trial) or _failure_of(trial) for trial in trials):
            raise TimeOverError
        return {name: known for name, known in self._measured.items() if name not in self._left}

    def climb(self, asha: Asha) -> Measured:
        """Has the workers train what follows. The table says of each promotion which place of how many the network had."""
        plan, planned = self.search.plan, asha.budget_s
        assert planned is not None

        def following(trials: Sequence[Trial]) -> Trial | None:
            for trial in trials:
                name, epochs = _network_of(trial)
                asha.begin(name, asha.rungs.index(epochs))
                if trial.result and not _reached(trial):
                    asha.fail(name)
                elif trial.result:
                    asha.finish(name, asha.rungs.index(epochs), trial.result["accuracy"])
            if (left_s := plan.left_s(self.phase)) < inf:
                asha.shorten(planned, elapsed_s=plan.spent_s[self.phase], left_s=left_s)
            if (job := asha.next()) is None:
                return None
            if left_s < inf:
                plan.save()
            name, rung = job
            place, of = asha.place(name, rung - 1) if rung else (0, 0)
            promoted = {"after": asha.rungs[rung - 1], "place": place, "of": of} if rung else None
            return as_trial(self._by_name[name].answers, asha.rungs[rung], promoted=promoted)

        self._measure(self.coordinator.run_following(following))
        return self._measured

    def _measure(self, trials: Iterable[Trial]) -> None:
        """Keeps what was measured, and says which networks left the race and why, those of one reason together."""
        leaving: dict[str, list[str]] = {}
        for trial in trials:
            assert trial.result is not None
            name, epochs = _network_of(trial)
            known, trained = self._measured.setdefault(name, {}), int(trial.result["epochs"])
            self.spent_s += trained - max(known, default=0)
            if _reached(trial):
                known[epochs] = self.task.right(self._by_name[name].answers, epochs)
            elif name not in self._left:
                failure, ended = _failure_of(trial), f"the budget ended after {trained} of {epochs} epochs"
                leaving.setdefault(f"its training failed: {failure}" if failure else ended, []).append(name)
        for why, names in leaving.items():
            self._left.update(names)
            self.search.echo(f"  {', '.join(names)} left the race: {why}")


def _reached(trial: Trial) -> bool:
    """Whether the network of a finished trial was trained to its epochs."""
    assert trial.result is not None
    return not _failure_of(trial) and int(trial.result["epochs"]) >= int(trial.settings["epochs"])


def _failure_of(trial: Trial) -> str:
    assert trial.result is not None
    return str(trial.result["failure"])


def _network_of(trial: Trial) -> tuple[str, int]:
    """The network of a trial, and the epochs to which it is trained."""
    return format_answers(tuple(trial.settings["answers"])), int(trial.settings["epochs"])


def _first_batches(search: SearchRun, n: int) -> list[Batch]:
    """The first training batches, as a training has them."""
    recipe, preprocess, found = search.recipe, search.preprocess, list[Batch]()
    augmented = Augmented(recipe.augment(), size=recipe.training_size(preprocess.size), channels=preprocess.channels)
    for epoch in range(n):
        batches = Batches(
            search.data.train,
            batch_size=min(recipe.batch_size, len(search.data.train)),
            seed=recipe.seed,
            epoch=epoch,
            train=True,
            transform=augmented,
            workers=search.machine.workers,
            drop_last=True,
        )
        for batch in batches:
            found.append(batch)
            if len(found) == n:
                return found
    return found
