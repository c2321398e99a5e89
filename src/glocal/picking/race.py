"""The race of a pick: rungs are trainings of the table's workers, and the time that is left decides what the next may take."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from glocal.comparing.racing.decision import Exit, Measured, Rung
from glocal.comparing.racing.race import Heat, Race, TimeOverError, race
from glocal.errors import ComparisonError
from glocal.monitoring.eta import clock
from glocal.picking.open_pick import OpenPick
from glocal.picking.plan import Decisions, Finals, RacePlan, choose_finals, rung_allowance
from glocal.picking.trial import Part, is_finished, read_epochs, training_seconds
from glocal.trials.coordinator import Coordinator
from glocal.trials.trial import Trial

FILE = "plan.json"


@dataclass(eq=False)
class Racing:
    """A race that goes on. memory: plan.json, where each decision that depended on the time is kept, so that a session after a
    kill decides alike."""

    opened: OpenPick
    coordinator: Coordinator
    plan: RacePlan
    memory: Decisions
    failures: dict[str, str] = field(default_factory=dict)  # of networks whose training failed, and why
    unfinished: dict[str, str] = field(default_factory=dict)  # of those that the time did not suffice for

    def run(self) -> Race:
        """The race as far as the time goes. ComparisonError where it ends before the first decision."""
        plan = self.plan
        try:
            return race(
                plan.entrants, self._measure, rules=plan.rules, allowance_s=self._allowance, on_rung=self._print
            )
        except ComparisonError as error:
            if not self.failures:
                raise
            name, why = next(iter(self.failures.items()))
            raise ComparisonError(f"{error}; {name}: {why}") from None
        except TimeOverError:
            raise ComparisonError(
                f"--budget {clock(self.opened.settings.budget_s)} ended before any network had its {plan.rules.rungs[0]} "
                "epochs; give more time, or fewer --candidates"
            ) from None

    def _measure(self, heats: Sequence[Heat]) -> Measured:
        parts = [Part(heat.arm, 0, heat.epochs, self.plan.horizon) for heat in heats]
        trials = self.coordinator.run([part.trial for part in parts])
        self.opened.clock.save()
        finished = [part for part, trial in zip(parts, trials, strict=True) if is_finished(trial)]
        self._note(trials)
        if not finished and not any(trial.result and trial.result["failure"] for trial in trials):
            raise TimeOverError
        return {part.candidate: read_epochs(self.opened.folder, part) for part in finished}

    def train_in_full(self, finals: Finals) -> None:
        """Has the workers train the finalists with all their seeds."""
        seeds, horizon = range(finals.seeds), self.plan.horizon
        parts = [Part(name, seed, horizon, horizon) for seed in seeds for name in finals.names]
        self._note(self.coordinator.run([part.trial for part in parts]))

    def _note(self, trials: Sequence[Trial]) -> None:
        """Keeps why trainings failed, and why others did not reach their epochs."""
        for trial in trials:
            assert trial.result is not None
            name, why = trial.settings["candidate"], trial.result["failure"]
            if why:
                self.failures[name] = f"its training with seed {trial.settings['seed']} failed: {why}"
            elif not is_finished(trial):
                epochs = f"{trial.result['epochs']} of its {trial.settings['epochs']} epochs"
                self.unfinished[name] = f"the time ended after {epochs}"

    def _allowance(self, rung: int) -> float:
        """Seconds that a rung may take, in those of the quote: what is left of the budget without the finals."""
        kept = self.memory.allowances
        if rung not in kept:
            kept[rung] = rung_allowance(self.plan, self.opened.clock.left_s / self.pace)
            self.opened.store(FILE, asdict(self.memory))
        return kept[rung]

    @property
    def pace(self) -> float:
        """How much longer trainings took than they were timed for: 1 as quoted. The machine may be busier than it was."""
        trials = self.coordinator.table.trials()
        epoch_s = {each.name: each.epoch_s for each in self.plan.entrants}
        most: dict[tuple[str, int], int] = {}
        for each in trials:
            if each.result is not None:
                key = each.settings["candidate"], each.settings["seed"]
                most[key] = max(most.get(key, 0), each.result["epochs"])
        quoted = sum(epochs * epoch_s[name] for (name, _), epochs in most.items())
        return sum(training_seconds(trials).values()) / quoted if quoted else 1.0

    def finals(self, raced: Race) -> Finals:
        """The networks that are trained in full and the seeds of each: as many as fit what is left."""
        if self.memory.finals is None:
            self.memory.finals = choose_finals(
                raced.finalists,
                {each.name: each.epoch_s for each in self.plan.entrants},
                horizon=self.plan.horizon,
                done=self.plan.rules.epochs(self.plan.entrants, len(raced.rungs) - 1),
                seeds=self.opened.settings.seeds,
                seconds=self.opened.clock.left_s / self.pace,
                workers=self.plan.workers,
            )
            self.opened.store(FILE, asdict(self.memory))
        return self.memory.finals

    def _print(self, rung: Rung) -> None:
        gone = [each for each in rung.standings if each.exit]
        most = max(each.epochs for each in rung.standings)
        epochs = f"{most} epoch{'s' * (most > 1)}"
        best = next(each for each in rung.standings if each.arm == rung.leader)
        self.opened.print(
            f"after {epochs} ({clock(self.opened.clock.spent_s)}): {rung.leader} leads with {best.accuracy:.2%}; "
            f"{len(rung.survivors)} of {len(rung.standings)} go on"
        )
        for each in gone:
            low, high = (f"{100 * end:+.1f}" for end in each.interval)
            self.opened.print(
                f"  {each.arm}: {100 * each.difference:+.1f} ({low} to {high}) points, {REASONS[each.exit]}"
            )
        self.opened.print()


REASONS = {
    Exit.BEHIND: "its interval is below the margin",
    Exit.TIME: "the time does not suffice for it beside those that rank above it",
    Exit.PLACES: "those that rank above it take the places of the finals",
    None: "",
}
