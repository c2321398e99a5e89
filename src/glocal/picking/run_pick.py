"""The verbs pick and resume: from pictures, limits and a budget to a network. docs/pick.md explains the whole."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.artifacts.holding import held
from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.testing import require_test
from glocal.data import check
from glocal.data.checks.scan import Progress
from glocal.data.options import DataOptions
from glocal.errors import RunError
from glocal.evaluation.calibration.calibrate import calibrate_run
from glocal.monitoring.eta import clock
from glocal.picking.measuring.footprints import measure_in
from glocal.picking.measuring.limits import Measure
from glocal.picking.measuring.survey import Survey, survey
from glocal.picking.open_pick import OpenPick, select, start_folder
from glocal.picking.outcome import decide_finals, result_of, with_test
from glocal.picking.plan import Decisions, RacePlan, StoredPlan, plan_race
from glocal.picking.race import FILE, Racing
from glocal.picking.result import PickResult
from glocal.picking.settings import PickSettings
from glocal.picking.trial import PickTask
from glocal.picking.writing import write_results
from glocal.recipes.schema import Recipe
from glocal.settings import divide, merge
from glocal.trials.coordinator import coordinate
from glocal.trials.place import TrialPlace
from glocal.trials.table import Choices, Table


def pick(
    source: str | Path, *, console: Console | None = None, progress: Progress | None = None, **settings: Any
) -> PickResult:
    """Picks a network for a source of pictures, a device and a time.

    settings: fields of `PickSettings` (budget_s=3600, max_latency_ms=20, candidates="convnext*,cct*"), of `TrialPlace` (workers,
    device, output), of `DataOptions`, and of `Recipe`, for all candidates (batch_size=64).

    Raises ComparisonError, DataError or RecipeError before the first training; Stopped after a signal, after which `resume_pick`
    goes on.
    """
    own, place, options, changes = divide(settings, PickSettings, TrialPlace, DataOptions, Recipe)
    return pick_request(
        source,
        settings=merge(PickSettings(), own),
        changes={name: value for name, value in changes.items() if name not in PickSettings.model_fields},
        place=merge(TrialPlace(), place),
        options=merge(DataOptions(), options),
        console=console,
        progress=progress,
    )


def pick_request(
    source: str | Path,
    *,
    settings: PickSettings,
    changes: Mapping[str, Any],
    place: TrialPlace,
    options: DataOptions,
    measure: Measure | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> PickResult:
    """`pick`, with its settings as typed values. measure: instead of `settings.form`, what one picture takes."""
    started = time.monotonic()
    place.check()
    data = check(source, options=options, seed=settings.seed, progress=progress).require_data()
    select(data, settings, changes)  # what cannot be picked from is refused before there is a folder
    if settings.open_test:
        require_test(data)
    folder = start_folder(
        data,
        settings=settings,
        changes=changes,
        place=place,
    )
    return _run(OpenPick.read(folder, started=started, data=data, console=console), measure)


def resume_pick(
    folder: str | Path,
    *,
    workers: int | None = None,
    measure: Measure | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> PickResult:
    """Goes on with a pick that was stopped at any moment, within what is left of its budget, to the same table and pick.
    `workers` may be another number."""
    started = time.monotonic()
    opened = OpenPick.read(folder, started=started, workers=workers, console=console, progress=progress)
    return _run(opened, measure)


def _run(opened: OpenPick, measure: Measure | None) -> PickResult:
    with held(opened.folder):
        RunFolder(opened.folder).sweep()
        return _run_held(opened, measure)


def _run_held(opened: OpenPick, measure: Measure | None) -> PickResult:
    _announce(opened)
    limited = opened.settings.max_latency_ms is not None
    surveyed = survey(opened, measure or measure_in(opened.settings.form, limited=limited))
    memory = opened.stored(FILE, Decisions)
    if memory is None:
        memory = Decisions(StoredPlan.of(_plan(opened, surveyed)))
        opened.store(FILE, asdict(memory))
    elif unknown := memory.plan.entrants.keys() - {each.name for each in surveyed.candidates}:
        raise RunError(f"{opened.folder / FILE} is not whole: it has {min(unknown)}, which is no candidate")
    plan = memory.plan.plan(opened.settings, workers=opened.workers)
    _quote(opened, surveyed, plan)
    names: Choices = {
        "candidate": [each.name for each in plan.entrants],
        "seed": list(range(opened.settings.seeds)),
    }
    with Table.open(opened.storage, opened.table, identity=opened.identity, choices=names, value="accuracy") as table:
        with coordinate(_task(opened), table, workers=opened.workers, engine=opened.engine) as coordinator:
            racing = Racing(opened, coordinator, plan, memory)
            raced = racing.run()
            finals = racing.finals(raced)
            opened.print(f"trained in full, {plan.horizon} epochs, {finals.seeds} seeds: {', '.join(finals.names)}\n")
            racing.train_in_full(finals)
        outcome = decide_finals(
            opened,
            surveyed,
            plan,
            raced,
            finals=finals,
            trials=table.trials(),
            left={**racing.unfinished, **racing.failures},
            failed=racing.failures.keys(),
        )
    result = result_of(outcome)
    if opened.settings.open_test:
        result = with_test(result, opened)
    if RunFolder(result.run).weights("best").is_file():
        calibrate_run(RunFolder(result.run), opened.data.val, machine=opened.machine)
    write_results(opened, result)
    opened.clock.save()
    return result


def _plan(opened: OpenPick, surveyed: Survey) -> RacePlan:
    return plan_race(
        surveyed.epoch_s, opened.settings, seconds=opened.clock.left_s, recipe=opened.recipe, workers=opened.workers
    )


def _task(opened: OpenPick) -> PickTask:
    return PickTask(
        opened.folder,
        opened.candidates,
        opened.recipe,
        opened.data,
        opened.machine,
        opened.threads if opened.workers == 1 else 1,
        time.time() + opened.clock.left_s,
    )


def _announce(opened: OpenPick) -> None:
    data = opened.data
    for line in (
        f"pictures    {data.source}: {len(data.train):,} to train, {len(data.val):,} held out, {len(data.classes)} classes",
        f"            {data.split_rule}",
        f"candidates  {len(opened.candidates)} within the counted limits, {len(opened.refused)} refused",
        f"budget      {clock(opened.settings.budget_s)}, of which {clock(opened.clock.spent_s)} are spent",
        f"machine     {opened.machine.device}, {opened.workers} workers, {opened.threads} threads each",
        f"folder      {opened.folder}",
    ):
        opened.print(line)


def _quote(opened: OpenPick, surveyed: Survey, plan: RacePlan) -> None:
    """What the race will take, candidate by candidate, before the first training."""
    width = max(len(each.name) for each in surveyed.candidates)
    racing = {each.name for each in plan.entrants}
    opened.print(f"\n{'candidate':<{width}}  {'latency':>9}  {'an epoch':>9}")
    for each in sorted(surveyed.candidates, key=lambda c: surveyed.epoch_s[c.name]):
        probe = surveyed.probes.get(each.name)
        beside = f"  probe {probe.top1:.1%} ({probe.interval[0]:.1%} to {probe.interval[1]:.1%})" if probe else ""
        note = "" if each.name in racing else "  not tried: too long for the budget"
        latency = surveyed.footprints[each.name].p50_ms
        opened.print(f"{each.name:<{width}}  {latency:>6.2f} ms  {surveyed.epoch_s[each.name]:>7.2f} s{beside}{note}")
    for refused in surveyed.refused:
        opened.print(f"{refused.name:<{width}}  refused: {refused.reason}")
    opened.print(f"\n{plan}\n")
