"""What the search for candidates shows while it runs: on a terminal a live display with the time left and the front, elsewhere a
line for each generation."""

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
from glocal.monitoring.display import has_display, spark
from glocal.monitoring.eta import clock
from glocal.searching.candidates.candidate import Candidate, best, format_answers
from glocal.searching.candidates.front import front

UNITS = {"macs": "multiply-adds", "params": "parameters", "latency_ms": "ms", "memory_bytes": "MiB"}
ROWS = 6  # of the front
LATEST = (
    3  # generations from which the time left is estimated: later ones may hold more expensive networks than the first
)


class SearchDisplay:
    """Shows the candidates of one level; `console` None shows nothing.

    generations, population: how many generations there will be at most, and the candidates of each. cost: of the front.
    """

    def __init__(self, console: Console | None, *, generations: int, population: int, cost: str = "macs") -> None:
        self.console, self._generations, self._population, self._cost = console, generations, population, cost
        self._known: dict[Answers, Candidate] = {}
        self._bests: list[float] = []  # after each generation
        self._candidate_s = deque[float](maxlen=LATEST)  # seconds for each, in the latest generations
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
            self._live = Live(console=console, get_renderable=self._render, refresh_per_second=2, transient=True)

    def __enter__(self) -> "SearchDisplay":
        self._at = time.monotonic()
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def generation(self, number: int, done: Sequence[Candidate]) -> None:
        """To be called after each generation, counted from 0. `done` are its candidates, or all so far."""
        fresh = [c for c in done if c.answers not in self._known]
        self._known |= {c.answers: c for c in done}
        now = time.monotonic()
        self._measure(fresh, took_s=now - self._at)
        self._at, self._number = now, number
        if leaders := best(self._known.values(), 1):
            self._bests.append(leaders[0].accuracy or 0.0)
            self._print(self._line(leaders[0], now))

    def _measure(self, fresh: Sequence[Candidate], *, took_s: float) -> None:
        if not fresh:
            return
        # As if no worker had ever waited. It is less than a generation takes, unless the table had that generation already.
        least_s = sum(c.seconds for c in fresh) / max(1, len({c.worker for c in fresh}))
        self._candidate_s.append(max(took_s, least_s) / len(fresh))

    def seconds_left(self, now: float) -> float | None:
        """Until the last generation ends, if each takes the mean of the latest three; None before the first has ended."""
        if not self._candidate_s:
            return None
        generation_s = self._population * sum(self._candidate_s) / len(self._candidate_s)
        after = self._generations - self._number - 2
        return max(0.0, generation_s - (now - self._at)) + after * generation_s if after >= 0 else 0.0

    def _left(self, now: float) -> str:
        left_s = self.seconds_left(now)
        return f"{clock(left_s)} left" if left_s else ""

    def _line(self, leader: Candidate, now: float) -> str:
        number = f"generation {self._number + 1:>{len(str(self._generations))}}/{self._generations}"
        leads = f"best {_accuracy(leader)}, {_amount(leader, self._cost)} {UNITS[self._cost]}"
        front = f"front of {len(self._front())}"
        return f"{number}  {len(self._known):,} candidates  {leads}  {front}  {self._left(now)}".rstrip()

    def _front(self) -> list[Candidate]:
        return front(self._known.values(), self._cost) if self._known else []

    def _render(self) -> RenderableType:
        """The bar, the best of every generation, and the front."""
        self._bar.update(
            self._task,
            description=f"generation {min(self._number + 2, self._generations)}/{self._generations}",
            completed=self._number + 1,
            done=f"{len(self._known):,} candidates",
            left=self._left(time.monotonic()),
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
        """The front; of a long one a few rows, evenly spaced, from the cheapest to the most accurate."""
        whole = self._front()
        rows = sorted({round((len(whole) - 1) * i / (ROWS - 1)) for i in range(ROWS)}) if whole else []
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
        for c in (whole[i] for i in rows):
            table.add_row(_amount(c, self._cost), _accuracy(c), str(c.generation + 1), format_answers(c.answers))
        return table

    def _print(self, line: str) -> None:
        if self.console:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _accuracy(candidate: Candidate) -> str:
    """With its 95 % interval."""
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
