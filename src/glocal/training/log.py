"""What a run says while it trains: a bar with the time left on a terminal, a line an epoch elsewhere, TensorBoard events."""

import importlib.util
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from glocal.training.folder import RunFolder
from glocal.training.scores import Scores


class Log:
    """Tells of a run. `console` None says nothing; the time left counts the validations that are still to come."""

    def __init__(self, run: RunFolder, *, epochs: int, val_size: int, console: Console | None) -> None:
        self.epochs, self.val_size, self.console = epochs, val_size, console
        self._writer = _writer(run)
        self._step_s: float | None = None
        self._val_s: float | None = None
        self._at = time.monotonic()
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console and console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[told]}"),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", told="")

    def __enter__(self) -> "Log":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
        if self._writer:
            self._writer.close()

    def step(self, *, epoch: int, done: int, of: int, loss: float, lr: float, images: int) -> None:
        """After a step: `done` of `of` in this epoch."""
        now = time.monotonic()
        took, self._at = now - self._at, now
        # A twentieth of the newest step: steady, yet it follows a machine that gets busy within some twenty steps.
        self._step_s = took if self._step_s is None else self._step_s + (took - self._step_s) / 20
        if self._bar:
            left = self.seconds_left(epoch=epoch, done=done, of=of, images=images)
            told = f"loss {loss:.3f}  lr {lr:.2e}  {images / self._step_s:,.0f} images/s  {clock(left)} left"
            self._bar.update(
                self._task, description=f"epoch {epoch + 1}/{self.epochs}", completed=done, total=of, told=told
            )

    def seconds_left(self, *, epoch: int, done: int, of: int, images: int) -> float:
        """Estimate from the recent steps and the last validation; before the first, a picture validated costs a third of
        one trained (forward against forward and backward)."""
        step_s = self._step_s or 0.0
        val_s = self.val_size * step_s / images / 3 if self._val_s is None else self._val_s
        return (of - done) * step_s + (self.epochs - epoch - 1) * of * step_s + (self.epochs - epoch) * val_s

    def validating(self, done: int, of: int) -> None:
        """While validating: `done` of `of` batches."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=of, told="validating")
        if done == of:
            now = time.monotonic()
            self._val_s, self._at = now - self._at, now

    def epoch(self, row: dict[str, float], scores: Scores) -> None:
        """After an epoch: a line, the picture it got most confidently wrong, and the events."""
        self._at = time.monotonic()
        if self._writer:
            for name, value in row.items():
                self._writer.add_scalar(name, value, int(row["epoch"]))
        if self.console:
            low, high = scores.interval
            self.console.print(
                f"epoch {row['epoch'] + 1:>3.0f}/{self.epochs}  loss {row['train_loss']:.3f}, val {scores.loss:.3f}  "
                f"top-1 {scores.top1:.2%} ({low:.1%} to {high:.1%})  {row['images_per_s']:,.0f} images/s  "
                f"{clock(row['time_s'])}",
                highlight=False,
                soft_wrap=True,
            )
            if (wrong := scores.most_wrong) and self.console.is_terminal:
                self.console.print(
                    f"  most confidently wrong: {wrong.path} is {wrong.truth}, said {wrong.said} ({wrong.confidence:.0%})",
                    style="dim",
                    highlight=False,
                    markup=False,
                )


def clock(seconds: float) -> str:
    """Seconds as 0:09, 12:34 or 1:02:03."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


def _writer(run: RunFolder) -> Any:
    """A writer of TensorBoard events, where TensorBoard is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(run.events))
