"""From the trials of a pick to its result: verdicts on the finalists, a row a candidate, and what was left out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.racing.decision import Exit, Right, Standing
from glocal.comparing.racing.race import Race
from glocal.comparing.statistics.paired import Interval
from glocal.comparing.statistics.several import Pair, compare_pairs
from glocal.comparing.statistics.verdicts import Verdict
from glocal.comparing.study import Evaluation
from glocal.comparing.testing import require_test, tested_once
from glocal.comparing.trial import evaluate_arm, read_right
from glocal.errors import ComparisonError
from glocal.monitoring.eta import clock
from glocal.picking.candidates import Candidate
from glocal.picking.measuring.survey import Survey
from glocal.picking.open_pick import OpenPick
from glocal.picking.plan import Finals, RacePlan
from glocal.picking.race import REASONS
from glocal.picking.result import CandidateRow, PickResult, front_of
from glocal.picking.trial import Part, predictions_file, training_seconds
from glocal.trials.trial import Trial


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything that the result is made of.

    left: why networks left without a decision; failed: those of them whose training failed.
    right: of each finalist that did not fail (seeds, pictures), the seeds that all of them have.
    """

    opened: OpenPick
    surveyed: Survey
    plan: RacePlan
    raced: Race
    finals: Finals
    trials: tuple[Trial, ...]
    left: Mapping[str, str]
    failed: Collection[str]
    right: Mapping[str, Right]
    pick: str
    verdicts: tuple[Verdict, ...]


def decide_finals(
    opened: OpenPick,
    surveyed: Survey,
    plan: RacePlan,
    raced: Race,
    *,
    finals: Finals,
    trials: Sequence[Trial],
    left: Mapping[str, str],
    failed: Collection[str],
) -> Outcome:
    """The finalist with the highest mean accuracy over the seeds that all have; the quicker of equals. ComparisonError where the
    training of every finalist failed."""
    sound = [name for name in raced.finalists if name not in failed]
    if not sound:
        reasons = "; ".join(f"{name}: {left[name]}" for name in raced.finalists)
        raise ComparisonError(f"every network that could be picked failed in training: {reasons}")
    names = [name for name in finals.names if name in sound]
    right = finished_right(opened, plan, names, finals.seeds, trials)
    latency = {name: surveyed.footprints[name].p50_ms for name in names}
    ranked = sorted(right, key=lambda name: (-float(np.mean(right[name])), latency[name]))
    pick = ranked[0] if ranked else sound[0]
    found = (
        compare_pairs(right, [Pair(pick, name) for name in ranked[1:]], margin=plan.rules.margin) if ranked[1:] else {}
    )
    return Outcome(
        opened, surveyed, plan, raced, finals, tuple(trials), left, failed, right, pick, tuple(found.values())
    )  # fmt: skip


def finished_right(
    opened: OpenPick, plan: RacePlan, names: Sequence[str], seeds: int, trials: Sequence[Trial]
) -> dict[str, Right]:
    """What each finalist predicted right after its training in full: of those that have a seed, the seeds that all have."""
    done = {
        (t.settings["candidate"], t.settings["seed"])
        for t in trials
        if t.result is not None and t.result["epochs"] >= plan.horizon
    }
    have = {name: _prefix([(name, seed) in done for seed in range(seeds)]) for name in names}
    trained = [name for name in names if have[name]]
    common = min((have[name] for name in trained), default=0)
    found = {}
    for name in trained:
        parts = [Part(name, seed, plan.horizon, plan.horizon) for seed in range(common)]
        found[name] = np.stack([read_right(predictions_file(opened.folder, part, plan.horizon)) for part in parts])
    return found


def _prefix(finished: Sequence[bool]) -> int:
    return len(list(takewhile(bool, finished)))


def result_of(outcome: Outcome) -> PickResult:
    """The value that `glocal.pick` returns."""
    opened, surveyed, plan = outcome.opened, outcome.surveyed, outcome.plan
    rows = [_row(outcome, each) for each in surveyed.candidates]
    rows += [_refused(outcome, each.name, each.reason) for each in surveyed.refused]
    stages = ("picked", "finalist", "raced", "refused")
    rows.sort(key=lambda row: (stages.index(row.stage), -row.epochs, -(row.mean or 0), -(row.difference or -2)))
    return PickResult(
        folder=opened.folder,
        pick=outcome.pick,
        rows=tuple(rows),
        verdicts=outcome.verdicts,
        front=front_of(rows),
        notes=_notes(outcome),
        alone=_alone(outcome, rows),
        horizon=plan.horizon,
        rungs=tuple({**rung.to_json(), "epochs": plan.rules.rungs[rung.number]} for rung in outcome.raced.rungs),
        pictures=len(opened.data.val),
        margin=plan.rules.margin,
        budget_s=opened.settings.budget_s,
        spent_s=opened.clock.spent_s,
        run=opened.folder / Part(outcome.pick, 0, 0, 0).folder / "run",
    )


def _row(outcome: Outcome, candidate: Candidate) -> CandidateRow:
    name, surveyed = candidate.name, outcome.surveyed
    right, standing = outcome.right.get(name), outcome.raced.last_standing(name)
    left_out = {each.name: each.reason for each in outcome.plan.left_out}
    row = CandidateRow(
        name=name,
        stage="refused" if name in left_out else "raced",
        reason=left_out.get(name) or outcome.left.get(name) or _race_reason(standing),
        params=candidate.cost.params,
        macs=candidate.cost.macs,
        footprint=surveyed.footprints.get(name),
        epoch_s=surveyed.epoch_s.get(name),
        probe=surveyed.probes.get(name),
        epochs=_epochs(outcome, name),
        seconds=training_seconds(outcome.trials).get(name, 0.0),
        accuracies=tuple(float(each) for each in right.mean(1)) if right is not None else (),
        difference=standing.difference if standing else None,
        interval=standing.interval if standing else None,
        compared_at=standing.compared_at if standing else None,
        curve=_curve(outcome, name),
    )
    return _in_finals(outcome, row)


def _in_finals(outcome: Outcome, row: CandidateRow) -> CandidateRow:
    """The row of a finalist with what the finals say of it."""
    if row.name == outcome.pick:
        row = replace(row, stage="picked", reason="")
        if row.accuracies:
            row = replace(row, difference=0.0, interval=Interval(0.0, 0.0), compared_at=outcome.plan.horizon)
        return row
    if row.name in outcome.raced.finalists and row.name not in outcome.finals.names:
        return replace(row, reason=f"{row.reason}: the time does not suffice to train it in full beside those above it")
    verdict = next((v for v in outcome.verdicts if v.baseline == row.name), None)
    if verdict is None:
        if row.name in outcome.finals.names:
            failed = row.name in outcome.failed
            why = outcome.left[row.name] if failed else "the time ended before it was trained in full"
            return replace(row, stage="finalist", reason=why)
        return row
    low, high = verdict.interval
    return replace(
        row,
        stage="finalist",
        reason=f"against the pick: the pick is {_outcome(verdict)}",
        difference=-verdict.difference.mean,
        interval=Interval(-high, -low),
        compared_at=outcome.plan.horizon,
    )


def _outcome(verdict: Verdict) -> str:
    value = verdict.outcome.value
    return "not told apart from it" if value == "cannot tell" else value


def _race_reason(standing: Standing | None) -> str:
    if standing is None:
        return ""
    low, high = (f"{100 * end:+.1f}" for end in standing.interval)
    at = f"{standing.compared_at} epoch{'s' * (standing.compared_at > 1)}"
    points = f"{100 * standing.difference:+.1f} points ({low} to {high}) after {at}"
    return f"{points}: {REASONS[standing.exit]}" if standing.exit else points


def _refused(outcome: Outcome, name: str, reason: str) -> CandidateRow:
    """A candidate that never raced; its costs are known where it could be built."""
    footprint = outcome.surveyed.footprints.get(name)
    built = next((each for each in outcome.opened.candidates if each.name == name), None)
    cost = built.cost if built else None
    return CandidateRow(
        name, "refused", reason, cost and cost.params, cost and cost.macs, footprint, None, None, 0, 0.0, (), None, None, None, ()
    )  # fmt: skip


def _epochs(outcome: Outcome, name: str) -> int:
    return max((t.result["epochs"] for t in _of(outcome, name) if t.result), default=0)


def _curve(outcome: Outcome, name: str) -> tuple[float, ...]:
    return max((tuple(t.result["curve"]) for t in _of(outcome, name) if t.result), key=len, default=())


def _of(outcome: Outcome, name: str) -> list[Trial]:
    return [t for t in outcome.trials if t.settings["candidate"] == name and t.settings["seed"] == 0]


def _notes(outcome: Outcome) -> tuple[str, ...]:
    """What was left out for want of time, and that forced exits are no verdicts."""
    notes = []
    if out := outcome.plan.left_out:
        notes.append(f"Not tried, for their epochs would take too long: {', '.join(each.name for each in out)}.")
    forced = [s.arm for rung in outcome.raced.rungs for s in rung.standings if s.exit in (Exit.TIME, Exit.PLACES)]
    forced += [name for name in outcome.raced.finalists if name not in outcome.finals.names and name != outcome.pick]
    if outcome.failed:
        notes.append(f"Not compared, for a training of theirs failed: {', '.join(sorted(outcome.failed))}.")
    if forced:
        notes.append(f"Left for want of time or places, and not shown to be worse: {', '.join(forced)}.")
    seeds = max((len(right) for right in outcome.right.values()), default=0)
    wanted = outcome.opened.settings.seeds
    if seeds < wanted:
        notes.append(f"The budget allowed {seeds or 'no'} of {wanted} seeds in full.")
    return tuple(notes)


def _alone(outcome: Outcome, rows: Sequence[CandidateRow]) -> str:
    """What is known of the first candidate, had it got the whole budget; the rest is not."""
    first = outcome.surveyed.candidates[0].name
    row = next(row for row in rows if row.name == first)
    if not row.epoch_s:
        return ""
    epochs = int(outcome.opened.settings.budget_s / row.epoch_s)
    what = f"{first} alone would have got about {epochs:,} epochs in {clock(outcome.opened.settings.budget_s)}"
    if row.mean is not None:
        return f"{what}; known of it is {row.mean:.2%} after {outcome.plan.horizon}, and not what more would give."
    if row.curve:
        known = f"{row.curve[-1]:.2%} after {row.epochs} of {outcome.plan.horizon}"
        return f"{what}; known of it is {known}, and not what more would give."
    return f"{what}; nothing is known of its accuracy, for it was not trained."


def with_test(result: PickResult, opened: OpenPick) -> PickResult:
    """The result with the accuracies of the finalists on the test split. ComparisonError where there is none."""
    test = require_test(opened.data)
    finalists = [row for row in result.rows if row.accuracies]

    def accuracy(name: str, seed: int) -> float:
        run = RunFolder(opened.folder / Part(name, seed, 0, 0).folder / "run")
        return evaluate_arm(run, test, Evaluation(), machine=opened.machine).top1

    tested = tested_once(
        opened.folder,
        {row.name: row.accuracies for row in finalists},
        lambda: {row.name: tuple(accuracy(row.name, seed) for seed in range(len(row.accuracies))) for row in finalists},
        note={"pick": result.pick, "pictures": len(test)},
    )
    rows = tuple(replace(row, test_accuracies=tested.test.get(row.name, ())) for row in result.rows)
    return replace(result, rows=rows, test_opened=tested.opened)
