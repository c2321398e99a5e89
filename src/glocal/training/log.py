"""What a run tells while it trains: a bar with the time left on a terminal, a line an epoch elsewhere, warnings, curves, plots.

What deserves a warning is in `watch`, how long things take in `pace`, where numbers go besides in `trackers`.
"""

import contextlib
import csv
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeGuard

import torch
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from glocal.data import Split
from glocal.errors import Stopped
from glocal.training import plots
from glocal.training.answers import Answers
from glocal.training.folder import RunFolder
from glocal.training.pace import Pace, clock
from glocal.training.scores import Scores
from glocal.training.trackers import trackers
from glocal.training.watch import Watch

POINTS = 50  # of the curves of steps, an epoch: three numbers take TensorBoard 0.2 ms
TOLD = 10  # lines of one kind of warning; warnings.csv has all
REDRAWN_S = 60.0  # between the drawings of the curves while a run goes on: one takes half a second


def has_display(console: Console | None) -> TypeGuard[Console]:
    """Whether a console redraws what it shows: on a terminal, and not in CI."""
    return bool(console and console.is_interactive and os.environ.get("CI", "false").lower() in ("", "0", "false"))


class Log:
    """Tells of a run, in its main process; in the others `run` is None, and nothing is said or written.

    run: its folder, which gets warnings.csv, answers.csv (of the best epoch), plots/ and events/.
    console: None says nothing.
    start: steps done before a resumption; what was told of later ones is told anew.
    val: the pictures that are judged, for plots/wrong.png.
    device: where the run computes; the memory of a GPU is told.
    mlflow: a store of MLflow.
    """

    def __init__(
        self,
        run: RunFolder | None,
        *,
        epochs: int,
        val_size: int,
        console: Console | None,
        start: int = 0,
        val: Split | None = None,
        device: torch.device | None = None,
        mlflow: str | None = None,
    ) -> None:
        self.epochs, self.console = epochs, console if run else None
        self._run, self._val, self._val_size, self._device = run, val, val_size, device
        rows = [row for row in run.metrics() if row["step"] <= start] if run else []
        self._chiefs = [row.get("val_map", row["val_top1"]) for row in rows]
        self._watch = Watch([row["val_loss"] for row in rows])
        self._trackers = trackers(run, start=start, mlflow=mlflow) if run else []
        self._pace = Pace(time.monotonic(), epochs=epochs, val_size=val_size)
        self._answers: Answers | None = None  # of the best epoch, where it was judged in this process
        self._epoch, self._step = 0, start
        self._numbers: dict[str, float] = {}  # of the newest step
        self._since: list[tuple[float, float]] = []  # loss and speed of the steps since the last point of their curves
        self._warning = ""
        self._warnings: Counter[str] = Counter()
        self._drawn = time.monotonic()
        self._live: Live | None = None
        if has_display(self.console):
            done, left = MofNCompleteColumn(), TextColumn("{task.fields[left]}")
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), done, left, console=self.console)
            self._task = self._bar.add_task("", total=None, left="")
            self._live = Live(console=self.console, get_renderable=self._shown, refresh_per_second=2, transient=True)

    def __enter__(self) -> "Log":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
            self._live = None
        if self._run:
            self._guarded("plots", self._draw)
        status = "KILLED" if isinstance(error, (KeyboardInterrupt, Stopped)) else "FAILED" if error else "FINISHED"
        for tracker in self._trackers:
            self._guarded("tracker", lambda tracker=tracker: tracker.close(status))  # type: ignore[misc]
        if self._run and self._warnings:
            kinds = ", ".join(f"{n:,} of {kind}" for kind, n in self._warnings.items())
            self._print(f"warnings: {kinds}; each with its step in {self._run.path / 'warnings.csv'}", style="yellow")

    def step(
        self,
        *,
        epoch: int,
        done: int,
        of: int,
        loss: float,
        lr: float,
        images: int,
        waited_s: float | None = None,
        grad_norm: float | None = None,
    ) -> None:
        """After a step: `done` of `of` in this epoch, of `images` pictures in all processes.

        waited_s: how much of its time was waiting for pictures. grad_norm: where gradients are clipped, before that.
        """
        took_s = self._pace.step(
            time.monotonic(), epoch=epoch, done=done, of=of, images=images, waited_s=waited_s or 0.0
        )
        self._epoch, self._step = epoch, epoch * of + done
        # A twentieth of the newest loss: the mean of about the last twenty.
        smooth = self._numbers.get("loss", loss)
        numbers = {"loss": smooth + (loss - smooth) / 20, "lr": lr, "waited_s": waited_s, "grad_norm": grad_norm}
        self._numbers = {name: value for name, value in numbers.items() if value is not None}
        for kind, text in self._watch.step(loss=loss, took_s=took_s, waited_s=waited_s, grad_norm=grad_norm):
            self.note(kind, text)
        self._point(loss, lr, every=-(-of // POINTS))
        if self._live:
            self._bar.update(self._task, description=f"epoch {epoch + 1}/{self.epochs}", completed=done, total=of)

    def _point(self, loss: float, lr: float, *, every: int) -> None:
        """The mean loss and speed of every so many steps."""
        self._since.append((loss, self._pace.images_per_s))
        if len(self._since) >= every:
            losses, speeds = zip(*self._since, strict=True)
            values = {"loss": sum(losses) / len(losses), "lr": lr, "images_per_s": sum(speeds) / len(speeds)}
            self._track(values, every_epoch=False)
            self._since.clear()

    def _track(self, values: Mapping[str, float], *, every_epoch: bool) -> None:
        """A tracker that fails is left alone from then on: a server that is gone must not end a run."""
        for tracker in list(self._trackers):
            if not self._guarded(
                "tracker",
                lambda t=tracker: t.scalars(values, step=self._step, every_epoch=every_epoch),  # type: ignore[misc]
            ):
                self._trackers.remove(tracker)

    def validating(self, done: int, of: int) -> None:
        """While validating: `done` of `of` batches."""
        if done == of:
            self._pace.validated(time.monotonic())
        if self._live:
            self._bar.update(self._task, description="validating", completed=done, total=of)

    def epoch(self, row: Mapping[str, float], scores: Scores) -> None:
        """After an epoch: a line, the picture it got most confidently wrong, the curves, and answers.csv where it is the
        best so far. To be called before that epoch is kept, so that a kill in between repeats it."""
        self._pace.epoch(time.monotonic())
        better = scores.chief > max(self._chiefs, default=-1.0)
        self._chiefs.append(scores.chief)
        if better and self._run and scores.answers:
            self._answers = scores.answers
            scores.answers.write(self._run.path / "answers.csv")
        self._step = int(row["step"])
        self._track(row, every_epoch=True)
        self._say(row, scores, better=better)
        if text := self._watch.epoch(scores.loss):
            self.note("validation", text)
        if self._run and time.monotonic() - self._drawn > REDRAWN_S:
            self._guarded("plots", self._draw_curves)
            self._drawn = time.monotonic()

    def _say(self, row: Mapping[str, float], scores: Scores, *, better: bool) -> None:
        low, high = scores.interval
        waits = self._pace.waits
        mean = f"mAP {scores.map:.2%}, " if scores.map is not None else ""
        self._print(
            f"epoch {row['epoch'] + 1:>3.0f}/{self.epochs}  loss {row['train_loss']:.3f}, val {scores.loss:.3f}  "
            f"{mean}top-1 {scores.top1:.2%} ({low:.1%} to {high:.1%}){' best' if better else '     '}  "
            f"{row['images_per_s']:,.0f} images/s  {clock(row['time_s'])}"
            + (f"  {waits:.0%} waiting for pictures" if waits > 1 / 4 else "")
        )
        if (wrong := scores.most_wrong) and self.console and self.console.is_terminal:
            told = (
                f"  most confidently wrong: {wrong.path} is {wrong.truth}, said {wrong.said} ({wrong.confidence:.0%})"
            )
            self._print(told, style="dim")

    def note(self, kind: str, text: str) -> None:
        """Something went wrong that does not end the run: told, and kept in warnings.csv with the steps done so far."""
        self._warning = f"step {self._step:,}: {text}"
        self._warnings[kind] += 1
        if self._run:
            with contextlib.suppress(OSError):  # a full disk ends the run where its state is written, not here
                self._keep(self._run.path / "warnings.csv", (self._epoch, self._step, kind, text))
        if self._live is None and (n := self._warnings[kind]) <= TOLD:
            rest = f"; more of {kind} only in warnings.csv" if n == TOLD else ""
            self._print(f"warning: {self._warning}{rest}", style="yellow")

    @staticmethod
    def _keep(path: Path, row: tuple[int, int, str, str]) -> None:
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
            table = csv.writer(file, lineterminator="\n")
            if fresh:
                table.writerow(("when", "epoch", "step", "kind", "text"))
            table.writerow((time.strftime("%Y-%m-%dT%H:%M:%S"), *row))

    def _shown(self) -> RenderableType:
        """The bar, the numbers of the newest step, the trend of the validation, and the newest warning."""
        lines = [Text(line, style=style, no_wrap=True, overflow="ellipsis") for line, style in self._lines() if line]
        if self._numbers:
            left = f"{clock(self._pace.seconds_left(time.monotonic()))} left"
            self._bar.update(self._task, left=left)
        return Group(self._bar, *lines)

    def _lines(self) -> list[tuple[str, str]]:
        told = self._numbers
        if not told:
            return []
        numbers = f"step {self._step:,}  loss {told['loss']:.3f}  lr {told['lr']:.2e}  {self._pace.images_per_s:,.0f} images/s"
        if "waited_s" in told:
            numbers += f"  waits {self._pace.waits:.0%}"
        if "grad_norm" in told:
            numbers += f"  gradient {told['grad_norm']:.2g}"
        if self._device and self._device.type == "cuda":
            numbers += f"  {torch.cuda.max_memory_allocated(self._device) / 2**30:.1f} GiB"
        trend = ""
        if len(self._chiefs) > 1:
            chiefs = self._chiefs
            best = max(range(len(chiefs)), key=chiefs.__getitem__)
            trend = f"validation {spark(chiefs[-20:])} {chiefs[-1]:.2%}, best {chiefs[best]:.2%} in epoch {best + 1}"
        return [(numbers, ""), (trend, "dim"), (self._warning, "yellow")]

    def _print(self, line: str, *, style: str = "") -> None:
        if self.console:
            self.console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)

    def _guarded(self, kind: str, act: Callable[[], Any]) -> bool:
        """Whether it went well; if not it is a warning, since neither a figure nor a server is worth a run."""
        try:
            act()
        except Exception as error:  # whatever a font, a disk or a server comes up with
            self.note(kind, f"{type(error).__name__}: {error}")
            return False
        return True

    def _draw_curves(self) -> None:
        assert self._run
        plots.draw_curves(self._run, val_size=self._val_size)

    def _draw(self) -> None:
        assert self._run
        path = self._run.path / "answers.csv"
        if self._answers is None and path.exists():  # of an epoch before the run was resumed
            self._answers = Answers.read(path, self._run.manifest().classes)
        plots.draw(self._run, self._answers, val=self._val, val_size=self._val_size)


def spark(values: list[float]) -> str:
    """Values as a row of bars, the lowest and the highest of them as the ends of the scale."""
    low, high = min(values), max(values)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (v - low) / (high - low)) if high > low else 0] for v in values)
