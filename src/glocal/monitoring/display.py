"""The live display of a run on a terminal or in a notebook: a bar with the time left, the newest numbers, the trend."""

import os
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TypeGuard

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from glocal.monitoring.eta import Eta, clock

Line = tuple[str, str]  # text and style


def has_display(console: Console | None) -> TypeGuard[Console]:
    """Whether a console can redraw what it shows: a terminal, or a notebook with ipywidgets; never in CI."""
    if console is None or os.environ.get("CI", "false").lower() not in ("", "0", "false"):
        return False
    return find_spec("ipywidgets") is not None if console.is_jupyter else console.is_interactive


class RunDisplay:
    """A bar for the epoch or the validation, and `lines` below it, which are asked for at each redrawing."""

    def __init__(self, console: Console, *, eta: Eta, lines: Callable[[], Sequence[Line]]) -> None:
        self._eta, self._lines = eta, lines
        done, left = MofNCompleteColumn(), TextColumn("{task.fields[left]}")
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), done, left, console=console)
        self._task = self._bar.add_task("", total=None, left="")
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=2, transient=True)

    def start(self) -> None:
        """Shows the display."""
        self._live.start(refresh=True)

    def stop(self) -> None:
        """Removes it."""
        self._live.stop()

    def update(self, description: str, *, done: int, of: int) -> None:
        """Moves the bar."""
        self._bar.update(self._task, description=description, completed=done, total=of)

    def render(self) -> RenderableType:
        """What is shown now."""
        lines = [Text(line, style=style, no_wrap=True, overflow="ellipsis") for line, style in self._lines() if line]
        if lines:
            self._bar.update(self._task, left=f"{clock(self._eta.seconds_left(time.monotonic()))} left")
        return Group(self._bar, *lines)


def spark(values: Sequence[float]) -> str:
    """Values as a row of bars, from the lowest of them to the highest."""
    low, high = min(values), max(values)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (v - low) / (high - low)) if high > low else 0] for v in values)
