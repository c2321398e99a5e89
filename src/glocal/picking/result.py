"""What a pick found: the network, every candidate with what became of it, and the verdicts on the finalists."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glocal.comparing.statistics.paired import Interval
from glocal.comparing.statistics.verdicts import Verdict
from glocal.errors import ComparisonError
from glocal.picking.measuring.limits import Footprint
from glocal.picking.measuring.survey import ProbeScore

if TYPE_CHECKING:
    import pandas

Stage = Literal["picked", "finalist", "raced", "refused"]


@dataclass(frozen=True)
class CandidateRow:
    """A candidate and what became of it.

    reason: why it went, as a clause; empty for the pick. footprint: None where it was refused before it was measured.
    epochs: of the training with the first seed; seconds: of all its trainings. accuracies: with each seed, in full.
    difference, interval: to the leader where it was last compared, after `compared_at` epochs, or to the pick in the finals.
    """

    name: str
    stage: Stage
    reason: str
    params: int | None
    macs: int | None
    footprint: Footprint | None
    epoch_s: float | None
    probe: ProbeScore | None
    epochs: int
    seconds: float
    accuracies: tuple[float, ...]
    difference: float | None
    interval: Interval | None
    compared_at: int | None
    curve: tuple[float, ...]  # accuracy after each epoch, of the first seed
    test_accuracies: tuple[float, ...] = ()

    @property
    def why(self) -> str:
        """The reason without the numbers that `difference` and `interval` hold."""
        return (self.reason.partition(": ")[2] if self.compared_at else "") or self.reason

    @property
    def mean(self) -> float | None:
        """Mean accuracy of the trainings in full."""
        return float(np.mean(self.accuracies)) if self.accuracies else None


@dataclass(frozen=True, eq=False)
class PickResult:
    """A pick. All accuracies are on the held-out pictures; `verdicts` compare the pick with each other finalist.

    front: the candidates that no other one beats in both latency and accuracy, the fastest first, accuracy being the difference
    to the leader where each was last compared. alone: what is known of the first candidate, had it got the budget alone.
    """

    folder: Path
    pick: str
    rows: tuple[CandidateRow, ...]
    verdicts: tuple[Verdict, ...]
    front: tuple[str, ...]
    notes: tuple[str, ...]
    alone: str
    horizon: int
    rungs: tuple[dict[str, Any], ...]
    pictures: int
    margin: float
    budget_s: float
    spent_s: float
    run: Path  # of the pick with the first seed; `glocal predict` takes it
    test_opened: int = 0

    @property
    def test_means(self) -> dict[str, float]:
        """Mean accuracy of each candidate on the test split, where it was opened."""
        rows = [row for row in self.rows if row.test_accuracies]
        return {row.name: sum(row.test_accuracies) / len(row.test_accuracies) for row in rows}

    def candidate(self, name: str) -> CandidateRow:
        """A candidate by its name; ComparisonError lists them."""
        for row in self.rows:
            if row.name == name:
                return row
        raise ComparisonError(
            f"no candidate is called {name!r}; candidates: {', '.join(row.name for row in self.rows)}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data: what pick.json holds."""
        return {
            "pick": self.pick,
            "folder": str(self.folder),
            "run": str(self.run),
            "candidates": [{**asdict(row), "mean": row.mean, "why": row.why} for row in self.rows],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "front": list(self.front),
            "notes": list(self.notes),
            "alone": self.alone,
            "horizon": self.horizon,
            "rungs": list(self.rungs),
            "pictures": self.pictures,
            "margin": self.margin,
            "budget_s": self.budget_s,
            "spent_s": round(self.spent_s, 1),
            "test_opened": self.test_opened,
        }

    def table(self) -> list[dict[str, Any]]:
        """A row a candidate, as flat data."""
        return [
            {
                "candidate": row.name,
                "stage": row.stage,
                "params": row.params,
                "macs": row.macs,
                "latency_ms": row.footprint and round(row.footprint.p50_ms, 3),
                "memory_bytes": row.footprint and row.footprint.memory_bytes,
                "probe": row.probe and row.probe.top1,
                "epochs": row.epochs,
                "seconds": round(row.seconds, 1),
                "seeds": len(row.accuracies),
                "accuracy": row.mean,
                "difference": row.difference,
                "low": row.interval and row.interval[0],
                "high": row.interval and row.interval[1],
                "compared_at": row.compared_at,
                "reason": row.reason,
            }
            for row in self.rows
        ]

    def to_pandas(self) -> "pandas.DataFrame":
        """`table` as a data frame, by candidate. ComparisonError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise ComparisonError("a data frame needs pandas: pip install pandas; `table()` gives plain data") from None
        return pandas.DataFrame(self.table()).set_index("candidate")

    @property
    def headline(self) -> str:
        """The pick with its accuracy and its latency, in a sentence."""
        row = self.candidate(self.pick)
        if row.mean is None:
            accuracy = f"{row.curve[-1]:.2%} after {row.epochs} epochs, with one seed"
        else:
            accuracy = f"{row.mean:.2%} after {self.horizon} epochs, the mean of {_seeds(len(row.accuracies))}"
        latency = f", {row.footprint.p50_ms:.2f} ms a picture" if row.footprint else ""
        return f"Pick {self.pick}: {accuracy}, on {self.pictures:,} held-out pictures{latency}."

    def __str__(self) -> str:
        lines = [self.headline, *(f"  {verdict.sentence}" for verdict in self.verdicts)]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes), f"  {self.alone}"])

    def _repr_html_(self) -> str:
        """The headline and the candidates as a table, for notebooks."""
        rows = self.table()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        return f"<p>{escape(self.headline)}</p><table><tr>{head}</tr>{body}</table>"


def _seeds(n: int) -> str:
    return f"{n} seed{'s' * (n > 1)}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def front_of(rows: Sequence[CandidateRow]) -> tuple[str, ...]:
    """The candidates that no other one beats in latency and in the difference to the leader of its last comparison, which may be
    after fewer epochs; the fastest first."""
    points = [(r.footprint.p50_ms, -r.difference, r.name) for r in rows if r.footprint and r.difference is not None]
    found, best = [], float("inf")
    for _, behind, name in sorted(points):
        if behind < best:
            found.append(name)
            best = behind
    return tuple(found)
