"""The test split of a study or a pick: opened once, at the end, because it was asked for, and counted."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.open_study import OpenStudy
from glocal.comparing.result import StudyResult
from glocal.comparing.trial import evaluate_arm, trainings
from glocal.data import Data, Split
from glocal.errors import ComparisonError
from glocal.files import read_as, write_whole

Accuracies = Mapping[str, tuple[float, ...]]
"""Of each arm, one a seed."""


@dataclass(frozen=True)
class Tested:
    """test.json: accuracies on the test split, and those on held-out pictures of the same trainings. opened: how often the split
    has been opened."""

    held_out: dict[str, tuple[float, ...]]
    test: dict[str, tuple[float, ...]]
    opened: int


def require_test(data: Data) -> Split:
    """The test split; ComparisonError where there is none to open."""
    if data.test is None:
        raise ComparisonError(f"{data.source} has no test split to open; leave --open-test out")
    return data.test


def tested_once(
    folder: Path, held_out: Accuracies, evaluate: Callable[[], Accuracies], *, note: Mapping[str, Any]
) -> Tested:
    """The accuracies on the test split of trainings that have these on held-out pictures. The split is opened for them once,
    however often the folder is resumed; tests.csv counts it, with the note, before the first picture is read."""
    path = folder / "test.json"
    known = read_as(Tested, path) if path.is_file() else None
    if known is None or known.held_out != held_out:
        opened = RunFolder(folder).count_test(note)
        known = Tested(dict(held_out), dict(evaluate()), opened)
        write_whole(path, json.dumps(asdict(known), indent=1).encode())
    return known


def open_test(opened: OpenStudy, result: StudyResult) -> StudyResult:
    """Evaluates the last weights of every trial on the test split."""
    test = require_test(opened.data)

    def evaluate() -> Accuracies:
        found: dict[str, list[float]] = {arm.name: [] for arm in opened.arms}
        for name, group in trainings(opened.arms).items():
            for seed in range(len(result.arm(group[0].name).accuracies)):
                run = RunFolder(opened.folder / "trials" / name / f"seed-{seed}" / "run")
                for arm in group:
                    found[arm.name].append(evaluate_arm(run, test, arm.arm.evaluation, machine=opened.machine).top1)
        return {name: tuple(each) for name, each in found.items()}

    held_out = {arm.name: arm.accuracies for arm in result.arms}
    note = {"study": opened.study.name, "pictures": len(test)}
    tested = tested_once(opened.folder, held_out, evaluate, note=note)
    arms = tuple(replace(arm, test_accuracies=tested.test[arm.name]) for arm in result.arms)
    return replace(result, arms=arms, test_opened=tested.opened)
