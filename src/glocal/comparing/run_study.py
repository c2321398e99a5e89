"""The verbs study and resume: from a study and pictures to verdicts. docs/studies.md explains the whole.

study.yaml           the study, which `glocal study` reads again
run.yaml             settings, recipe, machine, versions
data.json            the pictures and their splits
spent.json           the time that was spent of a budget
trials.db            the table of trials, unless --storage names another place
trials/ARM/seed-0/   a training run, and the predictions of each arm on the held-out pictures
study.json           arms, verdicts, costs
study.csv            a row for each trial
predictions.parquet  a row for each picture that each trial classified
report.html          the whole study on one page
held                 locked by the process that writes the folder
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from glocal.artifacts.holding import held
from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.arms import build_arms
from glocal.comparing.open_study import OpenStudy, start_folder
from glocal.comparing.quote import StudyQuote, fitting_epochs, measure, seeds_at_once
from glocal.comparing.result import StudyResult, arm_result, verdicts
from glocal.comparing.settings import StudySettings
from glocal.comparing.statistics.verdicts import Verdict
from glocal.comparing.study import Study
from glocal.comparing.study_text import load_study
from glocal.comparing.tables import get_study
from glocal.comparing.testing import open_test, require_test
from glocal.comparing.trial import read_right, trainings, trial
from glocal.comparing.writing import write_results
from glocal.data import check
from glocal.data.checks.scan import Progress
from glocal.data.options import DataOptions
from glocal.errors import ComparisonError
from glocal.extras import require
from glocal.machine.processes import Machine
from glocal.monitoring.eta import clock
from glocal.recipes.schema import Recipe
from glocal.runs.record import lasting
from glocal.settings import divide, merge
from glocal.trials.coordinator import Coordinator, coordinate
from glocal.trials.place import TrialPlace
from glocal.trials.table import Choices, Table
from glocal.trials.trial import Trial


def study(
    source: str | Path,
    asked: str | Path | Study,
    *,
    console: Console | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> StudyResult:
    """Runs a study on a source of pictures and returns its verdicts.

    asked: a name of `list_studies`, a YAML file (docs/studies.md), or a `Study`. settings: fields of `StudySettings`
    (scale="tiny", seeds=5, budget_s=7200), of `TrialPlace` (workers, output), of `DataOptions`, and of `Recipe`, over those of
    the study (batch_size=64). A name that several of them have, such as `scale`, is the study's.

    Raises ComparisonError, DataError, RecipeError or ArchitectureError before the first training; Stopped after a signal, after
    which `resume_study` goes on.
    """
    own, place, options, changes = divide(settings, StudySettings, TrialPlace, DataOptions, Recipe)
    return study_request(
        source,
        find_study(asked),
        settings=merge(StudySettings(), own),
        changes={k: v for k, v in changes.items() if k not in StudySettings.model_fields},
        place=merge(TrialPlace(), place),
        options=merge(DataOptions(), options),
        console=console,
        progress=progress,
    )


def find_study(asked: str | Path | Study) -> Study:
    """A study by its name, from a YAML file, or as it is; ComparisonError where there is none."""
    if isinstance(asked, Study):
        return asked
    return load_study(asked) if str(asked).endswith((".yaml", ".yml")) else get_study(str(asked))


def study_request(
    source: str | Path,
    asked: Study,
    *,
    settings: StudySettings,
    changes: Mapping[str, Any],
    place: TrialPlace,
    options: DataOptions,
    console: Console | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """`study`, with its settings as typed values. `changes` are settings of the recipe, over those of the study."""
    started = time.monotonic()
    place.check()
    _require_pyarrow()
    _check_asked(asked, settings)
    if settings.margin is not None:
        asked = asked.but(margin=settings.margin / 100)
    changes = {**changes, **_of_recipe(settings.epochs)}
    data = check(source, options=options, seed=settings.seed, progress=progress).require_data()
    if settings.open_test:
        require_test(data)
    first_data = None
    if settings.pretrain_on is not None:
        first_data = check(settings.pretrain_on, options=options, seed=settings.seed, progress=progress).require_data()
        settings = settings.model_copy(update={"pretrain_on": lasting(first_data.source)})
    arms = build_arms(asked, data, scale=settings.scale, settings=changes)
    device, workers = Machine.start(place.device).device, place.worker_count()
    quote = measure(arms, first_data=first_data, device=device, threads=place.thread_count(), workers=workers)
    epochs = fitting_epochs(quote, settings)
    changes = {**changes, **_of_recipe(epochs)}
    folder = start_folder(
        asked,
        data,
        first_data=first_data,
        settings=settings,
        changes=changes,
        place=place,
    )
    opened = OpenStudy.read(folder, data=data, first_data=first_data, started=started, console=console)
    return _run(opened, quote.of(opened.arms))


def _check_asked(asked: Study, settings: StudySettings) -> None:
    """ComparisonError now, and not after an hour, for what the study lacks whatever the pictures are."""
    asked.pairs()
    first = next((arm.name for arm in asked.arms if arm.pretraining is not None), None)
    if first is not None and settings.pretrain_on is None:
        raise ComparisonError(f"arm {first} is trained on other pictures first; name them: --pretrain-on DATA")


def _of_recipe(epochs: int | None) -> dict[str, int]:
    return {} if epochs is None else {"epochs": epochs}


def _require_pyarrow() -> None:
    require("predictions.parquet", "study", "pyarrow")


def resume_study(
    folder: str | Path,
    *,
    workers: int | None = None,
    seeds: int | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """Goes on with a study that was stopped at any moment, to the same table and verdicts. `workers` may be another number.

    seeds: the number up to which seeds are added to what is undecided, in a study that was started without one; its looks were
    planned for it.
    """
    started = time.monotonic()
    _require_pyarrow()
    opened = OpenStudy.read(folder, workers=workers, seeds=seeds, started=started, console=console, progress=progress)
    device, threads = opened.machine.device, opened.threads
    quote = measure(opened.arms, first_data=opened.first_data, device=device, threads=threads, workers=opened.workers)
    return _run(opened, quote)


def _run(opened: OpenStudy, quote: StudyQuote) -> StudyResult:
    with held(opened.folder):
        RunFolder(opened.folder).sweep()
        return _run_held(opened, quote)


def _run_held(opened: OpenStudy, quote: StudyQuote) -> StudyResult:
    _announce(opened, quote)
    names: Choices = {
        "training": list(trainings(opened.arms)),
        "seed": list(range(max(opened.most_seeds, *opened.looks.at))),
    }
    origin = {"task": "glocal.comparing.joining:study_task", "arguments": {"folder": str(opened.folder.resolve())}}
    with Table.open(
        opened.storage, opened.table, identity=opened.identity, choices=names, value="accuracy", origin=origin
    ) as table:
        with coordinate(opened.task, table, workers=opened.workers, engine=opened.engine) as coordinator:
            notes = (*_classes_of_one_split(opened), *_train(opened, coordinator, quote))
        result = current_result(opened, table.trials(), notes=notes)
    if opened.settings.open_test:
        result = open_test(opened, result)
    write_results(opened, result, quote)
    return result


def _announce(opened: OpenStudy, quote: StudyQuote) -> None:
    study, data = opened.study, opened.data
    for line in (
        f"study     {study.name}: {study.question}",
        *([f"source    {study.source}"] if study.source else []),
        f"pictures  {data.source}: {len(data.train):,} to train, {len(data.val):,} held out, {len(data.classes)} classes",
        f"          {data.split_rule}",
        *(f"          {note}" for note in _classes_of_one_split(opened)),
        f"scale     {opened.settings.scale}; {len(opened.arms)} arms, {opened.most_seeds} seeds at most",
        f"machine   {opened.machine.device}, {opened.workers} workers, {opened.threads} threads each",
        f"folder    {opened.folder}\n",
        *str(quote).splitlines(),
        "",
    ):
        opened.print(line)


def _classes_of_one_split(opened: OpenStudy) -> tuple[str, ...]:
    """A sentence for each class that has training pictures and no held-out ones, of which no verdict speaks."""
    return tuple(str(fault) for fault in opened.data.faults if fault.kind == "class map")


def _train(opened: OpenStudy, coordinator: Coordinator, quote: StudyQuote) -> tuple[str, ...]:
    """Trains seed after seed until every comparison is decided, the seeds are at their most, or the time is over."""
    first, most = opened.looks.at[0], opened.most_seeds
    targets = [*(look for look in opened.looks.at if look < most), most]
    groups, have, trained = trainings(opened.arms), 0, False
    active = list(groups)
    for target in targets:
        if have:  # the first seeds are trained whatever they take: a study without them answers nothing
            active = _undecided(opened, current_result(opened, coordinator.table.trials()))
            if not active:
                return ()
        together = seeds_at_once(opened.workers, len(active))
        for seed in range(have, target, together):
            seeds = range(seed, min(seed + together, target))
            active = [name for name in active if name not in _diverged(coordinator.table.trials())]
            if seed >= first and quote.seconds(len(seeds), trainings=active) > opened.clock.left_s:
                return (f"the budget ended at {seed} seeds; {', '.join(_arms_of(groups, active))} stay undecided",)
            if trained:
                _print_table(opened, coordinator)
            trained = _run_seeds(coordinator, active, seeds)
            opened.clock.save()
        have = target
    return ()


def _run_seeds(coordinator: Coordinator, names: Sequence[str], seeds: Iterable[int]) -> bool:
    """Trains with some seeds what is not trained with them yet; whether there was anything."""
    wanted = [trial(name, seed) for seed in seeds for name in names]
    missing = {t.key for t in wanted} - {t.key for t in coordinator.table.trials() if t.result is not None}
    coordinator.run(wanted)
    return bool(missing)


def _diverged(trials: Iterable[Trial]) -> set[str]:
    """The trainings that diverged with a seed; they are not trained with others."""
    return {str(t.settings["training"]) for t in trials if t.result is not None and "failure" in t.result}


def _arms_of(groups: Mapping[str, Sequence[Any]], names: Sequence[str]) -> list[str]:
    return [arm.name for name in names for arm in groups[name]]


def _undecided(opened: OpenStudy, result: StudyResult) -> list[str]:
    """The trainings of comparisons that are not decided; those that no reasonable number of seeds decides are left."""
    arms = {name for v in result.verdicts if _worth_more(v) for name in (v.arm, v.baseline)}
    return [name for name, group in trainings(opened.arms).items() if arms & {arm.name for arm in group}]


def _worth_more(verdict: Verdict) -> bool:
    return not verdict.decided and verdict.more is not None and bool(verdict.more.seeds)


def current_result(opened: OpenStudy, trials: Sequence[Trial], *, notes: Sequence[str] = ()) -> StudyResult:
    """What the finished trials say so far. Seeds of an arm count up to the first that is missing."""
    finished = {(t.settings["training"], t.settings["seed"]): t.result for t in trials if t.result is not None}
    rows, right, failures = [], {}, []
    for name, group in trainings(opened.arms).items():
        results: list[Mapping[str, Any]] = []
        while (found := finished.get((name, len(results)))) is not None:
            results.append(found)
        for arm in group:
            rows.append(row := arm_result(arm, results))
            files = [opened.folder / result["arms"][arm.name]["predictions"] for result in results if not row.failure]
            right[arm.name] = np.stack([read_right(file) for file in files]) if files else np.empty((0, 0))
            if row.failure:
                failures.append(f"{arm.name} diverged, so no verdict speaks of it. With {row.failure}")
    order = [arm.name for arm in opened.arms]
    found_verdicts = verdicts(right, opened.study.pairs(), margin=opened.study.margin, looks=opened.looks)
    return StudyResult(
        folder=opened.folder,
        study=opened.study,
        scale=opened.settings.scale,
        epochs=opened.epochs,
        pictures=len(opened.data.val),
        arms=tuple(sorted(rows, key=lambda row: order.index(row.name))),
        verdicts=found_verdicts,
        notes=(*notes, *failures),
    )


def _print_table(opened: OpenStudy, coordinator: Coordinator) -> None:
    from glocal.comparing.display import table_of

    if opened.console:
        result = current_result(opened, coordinator.table.trials())
        opened.console.print(table_of(result, width=opened.console.width))
        trained_s = sum(s for arm in result.arms for s in arm.train_s)
        opened.console.print(f"after {clock(trained_s)} of training\n", style="dim")
