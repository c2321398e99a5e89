"""What a study found: a row an arm, a verdict a comparison, and everything that is needed to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glocal.comparing.arms import BuiltArm
from glocal.comparing.statistics.compare import MARGIN
from glocal.comparing.statistics.looks import Looks, compare_pairs_at_looks
from glocal.comparing.statistics.several import Pair, compare_pairs
from glocal.comparing.statistics.verdicts import Verdict
from glocal.comparing.study import Study
from glocal.errors import ComparisonError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class ArmResult:
    """An arm: its size, and its accuracy with each seed on the held-out pictures (fractions).

    failure: which seed's training diverged, and how. It has no accuracies then, since those of its other seeds would flatter it.
    """

    name: str
    params: int
    macs: int
    accuracies: tuple[float, ...]
    train_s: tuple[float, ...]
    printed: float | None  # the paper's number, percent
    failure: str = ""
    test_accuracies: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Mean accuracy over the seeds."""
        return float(np.mean(self.accuracies)) if self.accuracies else float("nan")

    @property
    def seed_sd(self) -> float | None:
        """Standard deviation of the accuracy over the seeds; None with one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


@dataclass(frozen=True, eq=False)
class StudyResult:
    """A study, finished or stopped. `verdicts` are on the held-out pictures, in the order of the comparisons."""

    folder: Path
    study: Study
    scale: str
    epochs: int
    pictures: int  # held out
    arms: tuple[ArmResult, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()  # what was left out, and why
    test_opened: int = 0

    def arm(self, name: str) -> ArmResult:
        """An arm by its name."""
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def test_means(self) -> dict[str, float]:
        """Mean accuracy of each arm on the test split, where it was opened."""
        return {arm.name: float(np.mean(arm.test_accuracies)) for arm in self.arms if arm.test_accuracies}

    def verdict(self, arm: str) -> Verdict | None:
        """The verdict of an arm against what it is compared with; None for the baseline, and before the first look."""
        return next((verdict for verdict in self.verdicts if verdict.arm == arm), None)

    def printed_difference(self, verdict: Verdict) -> float | None:
        """The difference that the paper prints for a comparison, in points; None where it prints none."""
        ours, theirs = self.study.arm(verdict.arm).printed, self.study.arm(verdict.baseline).printed
        return None if ours is None or theirs is None else ours - theirs

    def to_json(self) -> dict[str, Any]:
        """Plain data: what study.json holds."""
        return {
            "study": self.study.name,
            "question": self.study.question,
            "hypothesis": self.study.hypothesis,
            "source": self.study.source,
            "folder": str(self.folder),
            "scale": self.scale,
            "epochs": self.epochs,
            "pictures": self.pictures,
            "baseline": self.study.baseline,
            "comparisons": self.study.comparisons,
            "margin": self.study.margin,
            "arms": [
                {**asdict(arm), "mean": arm.mean if arm.accuracies else None, "seed_sd": arm.seed_sd}
                for arm in self.arms
            ],
            "verdicts": [{**v.to_json(), "printed_difference": self.printed_difference(v)} for v in self.verdicts],
            "notes": list(self.notes),
            "test_opened": self.test_opened,
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row an arm: its cost, accuracy, and verdict."""
        found = []
        for arm in self.arms:
            verdict = self.verdict(arm.name)
            found.append(
                {
                    "arm": arm.name,
                    "params": arm.params,
                    "macs": arm.macs,
                    "seeds": len(arm.accuracies),
                    "accuracy": arm.mean if arm.accuracies else None,
                    "seed_sd": arm.seed_sd,
                    "difference": verdict and verdict.difference.mean,
                    "low": verdict and verdict.interval.low,
                    "high": verdict and verdict.interval.high,
                    "verdict": verdict.outcome.value if verdict else "diverged" if arm.failure else "",
                    "compared_with": verdict.baseline if verdict else "",
                    "printed": arm.printed,
                }
            )
        return found

    def to_pandas(self) -> "pandas.DataFrame":
        """`rows` as a data frame, by arm. ComparisonError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise ComparisonError("a data frame needs pandas: pip install pandas; `rows()` gives plain data") from None
        return pandas.DataFrame(self.rows()).set_index("arm")

    def __str__(self) -> str:
        lines = [f"{self.study.name}: {self.study.question}"]
        lines += [f"  {verdict.sentence}" for verdict in self.verdicts] or [
            "  no verdict yet: it takes 3 seeds of each arm"
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        """The rows as a table, for notebooks."""
        rows = self.rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        title = f"<p><b>{escape(self.study.name)}</b>: {escape(self.study.question)}</p>"
        return f"{title}<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def verdicts(
    right: Mapping[str, np.ndarray], pairs: Sequence[Pair], *, margin: float = MARGIN, looks: Looks | None = None
) -> tuple[Verdict, ...]:
    """The verdicts that the seeds so far allow, from an array (seeds, pictures) of each arm.

    With fewer seeds than the first look takes, one look at what there is; with one seed it speaks of runs alone.
    """
    looks = looks or Looks()
    ready = [pair for pair in pairs if len(right.get(pair.arm, ())) and len(right.get(pair.baseline, ()))]
    if not ready:
        return ()
    if max(min(len(right[p.arm]), len(right[p.baseline])) for p in ready) >= looks.at[0]:
        found = compare_pairs_at_looks(right, ready, margin=margin, looks=looks)
        return tuple(found[pair].verdict for pair in ready if pair in found)
    common = {pair: min(len(right[pair.arm]), len(right[pair.baseline])) for pair in ready}
    seeds = min(common.values())
    now = compare_pairs({name: array[:seeds] for name, array in right.items() if len(array)}, ready, margin=margin)
    return tuple(now[pair] for pair in ready)


def arm_result(arm: BuiltArm, trials: Sequence[Mapping[str, Any]]) -> ArmResult:
    """An arm from the results of its trials, in the order of the seeds."""
    size = arm.cost
    failures = [f"seed {seed}: {each['failure']}" for seed, each in enumerate(trials) if "failure" in each]
    sound = () if failures else trials
    return ArmResult(
        name=arm.name,
        params=size.params,
        macs=size.macs,
        accuracies=tuple(float(trial["arms"][arm.name]["accuracy"]) for trial in sound),
        train_s=tuple(float(trial["time_s"]) for trial in sound),
        printed=arm.arm.printed,
        failure=failures[0] if failures else "",
    )
