"""The log of a run while it trains: a line for each epoch, warnings, the predictions of the best epoch, curves, plots.

The live display is in `display`, what deserves a warning in `alerts`, time estimates in `eta`, TensorBoard and MLflow in
`trackers`.
"""

import contextlib
import csv
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from rich.console import Console

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Split
from glocal.errors import Stopped
from glocal.evaluation.predictions import Predictions
from glocal.evaluation.scores import Scores
from glocal.monitoring import plots
from glocal.monitoring.alerts import Alerts
from glocal.monitoring.display import Line, RunDisplay, has_display, spark
from glocal.monitoring.eta import Eta, clock
from glocal.monitoring.trackers import trackers

POINTS = 50  # most points of an epoch in the curves over steps: three numbers take TensorBoard 0.2 ms
PRINTED = 10  # most warnings of a kind that are printed; warnings.csv has all
REDRAW_S = 60.0  # between two drawings of the curves while a run trains: one takes half a second


class Log:
    """The log of a run, in its main process. In other processes `run` is None, and nothing is printed or written.

    run: its folder, which gets warnings.csv, predictions.csv (of the best epoch), plots/ and events/.
    val: the validation pictures; plots/wrong.png shows mistakes on them.
    console: where lines are printed; None prints none.
    start: the steps that were done when the run was resumed.
    rows: the rows of metrics.csv of the epochs that were done then, in full precision.
    device: where the run computes; the display shows the memory of a GPU.
    mlflow: an MLflow store.
    """

    def __init__(
        self,
        run: RunFolder | None,
        *,
        epochs: int,
        val: Split,
        console: Console | None,
        start: int = 0,
        rows: Sequence[Mapping[str, float]] = (),
        device: torch.device | None = None,
        mlflow: str | None = None,
    ) -> None:
        self.epochs, self.console = epochs, console if run else None
        self._run, self._val, self._device = run, val, device
        self._chiefs = [
            row.get("val_map", row["val_top1"]) for row in rows
        ]  # what chooses the best epoch, of each epoch
        self._alerts = Alerts([row["val_loss"] for row in rows])
        self._trackers = trackers(run, start=start, mlflow=mlflow) if run else []
        self._eta = Eta(time.monotonic(), epochs=epochs, val_size=len(val))
        self._predictions: Predictions | None = None  # of the best epoch, where it was validated in this process
        self._epoch, self._step = 0, start
        self._numbers: dict[str, float] = {}  # of the newest step
        self._since: list[tuple[float, float]] = []  # loss and speed of the steps since the last point of their curves
        self._warning = ""
        self._warnings: Counter[str] = Counter()
        self._drawn_s = time.monotonic()
        self._display = RunDisplay(self.console, eta=self._eta, lines=self.lines) if has_display(self.console) else None

    def __enter__(self) -> "Log":
        if self._display:
            self._display.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._display:
            self._display.stop()
            self._display = None
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
        """After step `done` of `of` in this epoch, with `images` pictures in all processes.

        waited_s: how much of its time was spent waiting for pictures. grad_norm: where gradients are clipped, before that.
        """
        took_s = self._eta.step(
            time.monotonic(), epoch=epoch, done=done, of=of, images=images, waited_s=waited_s or 0.0
        )
        self._epoch, self._step = epoch, epoch * of + done
        # A twentieth of the newest loss: the mean of about the last twenty.
        smooth = self._numbers.get("loss", loss)
        numbers = {"loss": smooth + (loss - smooth) / 20, "lr": lr, "waited_s": waited_s, "grad_norm": grad_norm}
        self._numbers = {name: value for name, value in numbers.items() if value is not None}
        for kind, text in self._alerts.step(loss=loss, took_s=took_s, waited_s=waited_s, grad_norm=grad_norm):
            self.alert(kind, text)
        self._point(loss, lr, every=-(-of // POINTS))
        if self._display:
            self._display.update(f"epoch {epoch + 1}/{self.epochs}", done=done, of=of)

    def _point(self, loss: float, lr: float, *, every: int) -> None:
        """Sends the mean loss and speed of every so many steps to the trackers."""
        self._since.append((loss, self._eta.images_per_s))
        if len(self._since) >= every:
            losses, speeds = zip(*self._since, strict=True)
            values = {"loss": sum(losses) / len(losses), "lr": lr, "images_per_s": sum(speeds) / len(speeds)}
            self._track(values, every_epoch=False)
            self._since.clear()

    def _track(self, values: Mapping[str, float], *, every_epoch: bool) -> None:
        """Sends numbers to the trackers. One that fails gets no more: a server that is gone must not end a run."""
        for tracker in list(self._trackers):
            if not self._guarded(
                "tracker",
                lambda t=tracker: t.scalars(values, step=self._step, every_epoch=every_epoch),  # type: ignore[misc]
            ):
                self._trackers.remove(tracker)

    def validating(self, done: int, of: int) -> None:
        """While validating: after `done` of `of` batches."""
        if done == of:
            self._eta.validated(time.monotonic())
        if self._display:
            self._display.update("validating", done=done, of=of)

    def epoch(self, row: Mapping[str, float], scores: Scores) -> None:
        """After an epoch: prints its line, writes predictions.csv where it is the best so far, and draws the curves.

        To be called before the epoch's weights are saved, so that a kill in between repeats the epoch.
        """
        self._eta.epoch(time.monotonic())
        better = scores.chief > max(self._chiefs, default=-1.0)
        self._chiefs.append(scores.chief)
        if better and self._run and scores.predictions:
            self._predictions = scores.predictions
            scores.predictions.write(self._run.path / "predictions.csv")
        self._step = int(row["step"])
        self._track(row, every_epoch=True)
        self._print_epoch(row, scores, better=better)
        if text := self._alerts.epoch(scores.loss):
            self.alert("validation", text)
        if self._run and time.monotonic() - self._drawn_s > REDRAW_S:
            self._guarded("plots", self._draw_curves)
            self._drawn_s = time.monotonic()

    def _print_epoch(self, row: Mapping[str, float], scores: Scores, *, better: bool) -> None:
        low, high = scores.interval
        data_wait = self._eta.data_wait
        mean = f"mAP {scores.map:.2%}, " if scores.map is not None else ""
        self._print(
            f"epoch {row['epoch'] + 1:>3.0f}/{self.epochs}  loss {row['train_loss']:.3f}, val {scores.loss:.3f}  "
            f"{mean}top-1 {scores.top1:.2%} ({low:.1%} to {high:.1%}){' best' if better else '     '}  "
            f"{row['images_per_s']:,.0f} images/s  {clock(row['time_s'])}"
            + (f"  {data_wait:.0%} waiting for pictures" if data_wait > 1 / 4 else "")
        )
        if (wrong := scores.most_wrong) and self.console and (self.console.is_terminal or self.console.is_jupyter):
            text = f"{wrong.path} is {wrong.truth}, predicted as {wrong.predicted} ({wrong.confidence:.0%})"
            self._print(f"  most confidently wrong: {text}", style="dim")

    def alert(self, kind: str, text: str) -> None:
        """Prints a warning, and adds it to warnings.csv with the epoch and the steps done so far."""
        self._warning = f"step {self._step:,}: {text}"
        self._warnings[kind] += 1
        if self._run:
            with contextlib.suppress(OSError):  # a full disk ends the run where its state is written, not here
                _append(self._run.path / "warnings.csv", (self._epoch, self._step, kind, text))
        if self._display is None and (n := self._warnings[kind]) <= PRINTED:
            rest = f"; more of {kind} only in warnings.csv" if n == PRINTED else ""
            self._print(f"warning: {self._warning}{rest}", style="yellow")

    def lines(self) -> list[Line]:
        """The lines of the display: the numbers of the newest step, the trend of the validation, the newest warning."""
        if not self._numbers:
            return []
        numbers, trend = self._numbers, ""
        line = f"step {self._step:,}  loss {numbers['loss']:.3f}  lr {numbers['lr']:.2e}  {self._eta.images_per_s:,.0f} images/s"
        if "waited_s" in numbers:
            line += f"  data wait {self._eta.data_wait:.0%}"
        if "grad_norm" in numbers:
            line += f"  grad norm {numbers['grad_norm']:.2g}"
        if self._device and self._device.type == "cuda":
            line += f"  {torch.cuda.max_memory_allocated(self._device) / 2**30:.1f} GiB"
        if len(self._chiefs) > 1:
            chiefs = self._chiefs
            best = max(range(len(chiefs)), key=chiefs.__getitem__)
            trend = f"validation {spark(chiefs[-20:])} {chiefs[-1]:.2%}, best {chiefs[best]:.2%} in epoch {best + 1}"
        return [(line, ""), (trend, "dim"), (self._warning, "yellow")]

    def _print(self, line: str, *, style: str = "") -> None:
        if self.console:
            self.console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)

    def _guarded(self, kind: str, act: Callable[[], Any]) -> bool:
        """Calls a function, and warns where it fails, since neither a figure nor a server is worth a run. Returns whether it
        succeeded."""
        try:
            act()
        except Exception as error:  # whatever a font, a disk or a server raises
            self.alert(kind, f"{type(error).__name__}: {error}")
            return False
        return True

    def _draw_curves(self) -> None:
        assert self._run
        plots.draw_curves(self._run, val_size=len(self._val))

    def _draw(self) -> None:
        assert self._run
        path = self._run.path / "predictions.csv"
        if self._predictions is None and path.exists():  # of an epoch before the run was resumed
            self._predictions = Predictions.read(path, self._run.manifest().classes)
        plots.draw(self._run, self._predictions, val=self._val)


def _append(path: Path, row: tuple[int, int, str, str]) -> None:
    """Adds a row to warnings.csv."""
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\n")
        if is_new:
            table.writerow(("when", "epoch", "step", "kind", "text"))
        table.writerow((time.strftime("%Y-%m-%dT%H:%M:%S"), *row))
