"""What an evolution tells while it goes on: a display with the time left and the front on a terminal, and a line a generation.

It is told of generations and asks nothing; a supernet or a finalist in training has the display of any training.
"""

import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from glocal.design.space import Answers
from glocal.design.text import count
from glocal.intervals import wilson
from glocal.searching.evolution import Candidate, best, written
from glocal.searching.front import front
from glocal.training.log import has_display, spark
from glocal.training.pace import clock

UNITS = {"macs": "multiply-adds", "params": "weights", "latency_ms": "ms", "memory_bytes": "MiB"}
SHOWN = 6  # candidates of the front
LATEST = 3  # generations whose mean is the pace: later ones may hold dearer networks than the first


class Watch:
    """Tells of one level's candidates. `console` None says nothing.

    generations, population: how many there will be at most, and the candidates of each. cost: of the front.
    """

    def __init__(self, console: Console | None, *, generations: int, population: int, cost: str = "macs") -> None:
        self.console, self._generations, self._population, self._cost = console, generations, population, cost
        self._known: dict[Answers, Candidate] = {}
        self._bests: list[float] = []  # after each generation
        self._pace: deque[float] = deque(maxlen=LATEST)  # seconds a candidate
        self._at, self._number = time.monotonic(), -1
        self._live: Live | None = None
        if has_display(console):
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[done]}"),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("", total=generations, done="", left="")
            self._live = Live(console=console, get_renderable=self._shown, refresh_per_second=2, transient=True)

    def __enter__(self) -> "Watch":
        self._at = time.monotonic()
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def generation(self, number: int, done: Sequence[Candidate]) -> None:
        """After a generation, counted from 0. `done` are its candidates, or all there are so far."""
        fresh = [c for c in done if c.answers not in self._known]
        self._known |= {c.answers: c for c in done}
        now = time.monotonic()
        self._keep_pace(fresh, took_s=now - self._at)
        self._at, self._number = now, number
        if leaders := best(self._known.values(), 1):
            self._bests.append(leaders[0].accuracy or 0.0)
            self._print(self._line(leaders[0], now))

    def _keep_pace(self, fresh: Sequence[Candidate], *, took_s: float) -> None:
        if not fresh:
            return
        # As if no worker had ever waited: less than a generation takes, but for one that the table had already.
        least_s = sum(c.seconds for c in fresh) / max(1, len({c.worker for c in fresh}))
        self._pace.append(max(took_s, least_s) / len(fresh))

    def seconds_left(self, now: float) -> float | None:
        """Until the last generation ends, if each takes what the latest three took on average; None before the first."""
        if not self._pace:
            return None
        a_generation_s = self._population * sum(self._pace) / len(self._pace)
        after = self._generations - self._number - 2
        return max(0.0, a_generation_s - (now - self._at)) + after * a_generation_s if after >= 0 else 0.0

    def _left(self, now: float) -> str:
        left_s = self.seconds_left(now)
        return f"{clock(left_s)} left" if left_s else ""

    def _line(self, leader: Candidate, now: float) -> str:
        number = f"generation {self._number + 1:>{len(str(self._generations))}}/{self._generations}"
        leads = f"best {_accurate(leader)}, {_amount(leader, self._cost)} {UNITS[self._cost]}"
        front = f"front of {len(self._front())}"
        return f"{number}  {len(self._known):,} candidates  {leads}  {front}  {self._left(now)}".rstrip()

    def _front(self) -> list[Candidate]:
        return front(self._known.values(), self._cost) if self._known else []

    def _shown(self) -> RenderableType:
        """The bar, the best of every generation, and the front."""
        said = f"generation {min(self._number + 2, self._generations)}/{self._generations}"
        told = f"{len(self._known):,} candidates"
        self._bar.update(
            self._task, description=said, completed=self._number + 1, done=told, left=self._left(time.monotonic())
        )
        lines: list[RenderableType] = [self._bar]
        if len(self._bests) > 1:
            lines.append(
                Text(f"best {spark(self._bests[-40:])} {self._bests[-1]:.2%}", no_wrap=True, overflow="ellipsis")
            )
        if self._bests:
            lines.append(self._table())
        return Group(*lines)

    def _table(self) -> Table:
        """The front, or of a long one some of it, evenly; its cheapest and its best always."""
        whole = self._front()
        chosen = sorted({round((len(whole) - 1) * i / (SHOWN - 1)) for i in range(SHOWN)}) if whole else []
        table = Table(
            f"front: {UNITS[self._cost]}",
            "accuracy",
            "generation",
            "answers",
            box=None,
            header_style="dim",
            pad_edge=False,
        )
        for column in table.columns[:3]:
            column.justify = "right"
        table.columns[3].no_wrap, table.columns[3].overflow = True, "ellipsis"
        for c in (whole[i] for i in chosen):
            table.add_row(_amount(c, self._cost), _accurate(c), str(c.generation + 1), written(c.answers))
        return table

    def _print(self, line: str) -> None:
        if self.console:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _accurate(candidate: Candidate) -> str:
    """Accuracy with its 95 % interval."""
    accuracy = candidate.accuracy or 0.0
    if not candidate.n:
        return f"{accuracy:.2%}"
    low, high = wilson(accuracy, candidate.n)
    return f"{accuracy:.2%} ({low:.1%} to {high:.1%})"


def _amount(candidate: Candidate, cost: str) -> str:
    value = candidate.costs[cost]
    if cost in ("macs", "params"):
        return count(value)
    return f"{value / 2**20:,.0f}" if cost == "memory_bytes" else f"{value:.3g}"
