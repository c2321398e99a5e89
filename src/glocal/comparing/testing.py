"""The test split of a study: opened once, at the end, because it was asked for, and counted."""

from dataclasses import replace

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.open_study import OpenStudy
from glocal.comparing.result import StudyResult
from glocal.comparing.trial import evaluate_arm, trainings
from glocal.data import Data, Split
from glocal.errors import ComparisonError


def require_test(data: Data) -> Split:
    """The test split; ComparisonError where there is none to open."""
    if data.test is None:
        raise ComparisonError(f"{data.source} has no test split to open; leave --open-test out")
    return data.test


def open_test(opened: OpenStudy, result: StudyResult) -> StudyResult:
    """Evaluates the last weights of every trial on the test split; tests.csv of the study counts each opening."""
    test = require_test(opened.data)
    found: dict[str, list[float]] = {arm.name: [] for arm in opened.arms}
    for name, group in trainings(opened.arms).items():
        for seed in range(len(result.arm(group[0].name).accuracies)):
            run = RunFolder(opened.folder / "trials" / name / f"seed-{seed}" / "run")
            for arm in group:
                found[arm.name].append(evaluate_arm(run, test, arm.arm.evaluation, machine=opened.machine).top1)
    opened_times = RunFolder(opened.folder).count_test({"study": opened.study.name, "pictures": len(test)})
    arms = tuple(replace(arm, test_accuracies=tuple(found[arm.name])) for arm in result.arms)
    return replace(result, arms=arms, test_opened=opened_times)
