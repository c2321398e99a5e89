"""The log of a run: on a terminal, in plain lines, in its folder."""

import csv
import io
import itertools
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from glocal.artifacts.run_folder import COLUMNS, RunFolder
from glocal.data import Split
from glocal.data.manifest import Row
from glocal.errors import Stopped
from glocal.evaluation.predictions import Predictions
from glocal.evaluation.scores import Mistake, Scores
from glocal.monitoring import display
from glocal.monitoring import log as module
from glocal.monitoring.display import spark
from glocal.monitoring.log import Log

VAL = Split("val", np.zeros(10, np.int64), tuple(Row(f"{i}.png", 0, 0, "") for i in range(10)), None, None)
WRONG = Mistake("val/dog/7.jpg", "dog", "cat", 0.97)
PREDICTIONS = Predictions(("cat", "dog"), ("a", "b"), np.array([0, 1]), np.array([0, 0]), np.array([0.6, 0.97]))
SCORES = Scores(10, 0.5, 0.6, 1.0, 0.6, (0.3, 0.8), {}, 0.5, WRONG, predictions=PREDICTIONS)


class Recorded:
    """A tracker."""

    def __init__(self):
        self.steps, self.epochs, self.status, self.broken = [], [], "", False

    def scalars(self, values, *, step, every_epoch):
        if self.broken:
            raise ConnectionError("no answer")
        (self.epochs if every_epoch else self.steps).append((step, dict(values)))

    def close(self, status):
        self.status = status


@pytest.fixture
def tracker(monkeypatch):
    tracker = Recorded()
    monkeypatch.setattr(module, "trackers", lambda run, **_: [tracker])
    return tracker


@pytest.fixture(autouse=True)
def steady(monkeypatch):
    """A clock that goes on by a tenth of a second whenever it is read."""
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) / 10, strftime=time.strftime)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(display, "time", clock)


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """What would have been drawn; how it looks is test_plots'."""
    drawn = []
    monkeypatch.setattr(module.plots, "draw", lambda run, answers, **_: drawn.append(answers))
    return drawn


def console(*, terminal, **more):
    return Console(file=io.StringIO(), force_terminal=terminal, force_interactive=terminal, width=80, **more)


def train(log, *, epochs=2, steps=30, spike=None, scores=SCORES, **more):
    for epoch in range(epochs):
        for done in range(1, steps + 1):
            loss = 9.0 if epoch * steps + done == spike else 1.0
            log.step(epoch=epoch, done=done, of=steps, loss=loss, lr=0.1, images=8, **more)
        log.validating(1, 1)
        numbers = {"train_loss": 1.0, "val_loss": 0.5, "images_per_s": 16.0, "time_s": 61.0}
        log.epoch({"epoch": epoch, "step": (epoch + 1) * steps, **numbers}, scores)


def warnings_of(path):
    with (path / "warnings.csv").open() as file:
        return [(row["epoch"], row["step"], row["kind"]) for row in csv.DictReader(file)]


def test_where_there_is_no_terminal_an_epoch_is_a_plain_line_and_a_warning_one_more(tmp_path, tracker):
    printed = console(terminal=False)
    with Log(RunFolder(tmp_path), epochs=2, val=VAL, console=printed) as log:
        train(log, spike=45, waited_s=0.0)
    lines = printed.file.getvalue().splitlines()
    assert lines[:3] == [
        "epoch   1/2  loss 1.000, val 0.500  top-1 60.00% (30.0% to 80.0%) best  16 images/s  1:01",
        "warning: step 45: the loss is 9, 9.0 times its running median (1)",
        "epoch   2/2  loss 1.000, val 0.500  top-1 60.00% (30.0% to 80.0%)       16 images/s  1:01",
    ]
    assert lines[3] == f"warnings: 1 of loss; each with its step in {tmp_path / 'warnings.csv'}"
    assert warnings_of(tmp_path) == [("1", "45", "loss")]


def test_a_terminal_shows_bar_numbers_trend_and_the_newest_warning(tmp_path, tracker, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    printed, seen = console(terminal=True, no_color=True), console(terminal=False)
    with Log(RunFolder(tmp_path), epochs=4, val=VAL, console=printed) as log:
        train(log, spike=45, grad_norm=1.25, waited_s=0.0)
        train(log, epochs=1, scores=replace(SCORES, top1=0.7))
        log.step(epoch=3, done=10, of=30, loss=2.0, lr=0.1, images=8, grad_norm=1.25, waited_s=0.0)
        seen.print(log._display.render())
    bar, numbers, trend, warning = seen.file.getvalue().splitlines()
    assert bar.startswith("epoch 4/4 ━━━")
    assert "10/30 0:" in bar
    assert bar.rstrip().endswith("left")
    assert numbers.startswith("step 100  loss 1.0")
    assert "lr 1.00e-01" in numbers
    assert numbers.endswith("data wait 0%  grad norm 1.2")
    assert trend == "validation ▁▁█ 70.00%, best 70.00% in epoch 3"
    assert warning == "step 45: the loss is 9, 9.0 times its running median (1)"
    screen = printed.file.getvalue()
    assert "most confidently wrong: val/dog/7.jpg is dog, predicted as cat (97%)" in screen
    assert "\x1b[33m" not in screen, "colours despite NO_COLOR"
    assert "warnings: 1 of loss" in screen


def test_on_a_build_server_no_bar_is_drawn_even_on_a_terminal(tmp_path, tracker, monkeypatch):
    monkeypatch.setenv("CI", "true")
    printed = console(terminal=True)
    with Log(RunFolder(tmp_path), epochs=2, val=VAL, console=printed) as log:
        train(log)
    assert "━" not in printed.file.getvalue()
    assert "epoch   2/2" in printed.file.getvalue()


def test_without_a_console_nothing_is_printed_and_everything_is_saved(tmp_path, tracker, capsys, drawn):
    with Log(RunFolder(tmp_path), epochs=2, val=VAL, console=None) as log:
        train(log, spike=45)
    assert capsys.readouterr() == ("", "")
    assert warnings_of(tmp_path) == [("1", "45", "loss")]
    assert drawn == [PREDICTIONS]
    assert (tmp_path / "predictions.csv").exists()


def test_a_process_that_is_not_the_main_one_prints_and_writes_nothing(tmp_path, monkeypatch, drawn):
    monkeypatch.chdir(tmp_path)
    printed = console(terminal=True)
    with Log(None, epochs=2, val=VAL, console=printed) as log:
        train(log, spike=45)
    assert printed.file.getvalue() == ""
    assert not drawn
    assert not list(tmp_path.iterdir())


def test_of_many_warnings_of_a_kind_ten_are_printed_and_all_are_saved(tmp_path, tracker):
    printed = console(terminal=False)
    with Log(RunFolder(tmp_path), epochs=1, val=VAL, console=printed) as log:
        for i in range(25):
            log.alert("picture", f"{i}.jpg was read at the second attempt")
    assert printed.file.getvalue().count("second attempt") == 10
    assert "9.jpg was read at the second attempt; more of picture only in warnings.csv" in printed.file.getvalue()
    assert len(warnings_of(tmp_path)) == 25


def test_curves_of_steps_have_fifty_points_an_epoch_at_most(tmp_path, tracker):
    with Log(RunFolder(tmp_path), epochs=1, val=VAL, console=None) as log:
        train(log, epochs=1, steps=200)
    assert [step for step, _ in tracker.steps] == list(range(4, 201, 4))
    assert tracker.steps[0][1].keys() == {"loss", "lr", "images_per_s"}
    assert [step for step, _ in tracker.epochs] == [200]


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (KeyboardInterrupt, "KILLED"), (Stopped(15, ""), "KILLED"), (ValueError, "FAILED")],
)
def test_trackers_get_the_end_of_a_run_and_plots_are_drawn_however_it_ended(tmp_path, tracker, drawn, error, status):
    def ends():
        with Log(RunFolder(tmp_path), epochs=1, val=VAL, console=None):
            if error:
                raise error

    if error:
        with pytest.raises(error if isinstance(error, type) else type(error)):
            ends()
    else:
        ends()
    assert tracker.status == status
    assert len(drawn) == 1


def test_neither_a_tracker_nor_a_figure_that_fails_ends_a_run(tmp_path, tracker, monkeypatch):
    tracker.broken = True
    monkeypatch.setattr(module.plots, "draw", lambda *_, **__: 1 / 0)
    printed = console(terminal=False)
    with Log(RunFolder(tmp_path), epochs=1, val=VAL, console=printed) as log:
        train(log, epochs=1)
    assert warnings_of(tmp_path) == [("0", "1", "tracker"), ("0", "30", "plots")]
    assert "ConnectionError: no answer" in printed.file.getvalue()


def test_a_resumed_run_knows_its_best_epoch_and_forgets_those_that_are_done_anew(tmp_path, tracker):
    rows = [dict.fromkeys(COLUMNS, 0.0) | {"epoch": i, "step": 30 * i + 30, "val_top1": 0.9 + i / 20} for i in (0, 1)]
    RunFolder(tmp_path).write_metrics(rows)
    printed = console(terminal=False)
    with Log(RunFolder(tmp_path), epochs=3, val=VAL, console=printed, start=40, rows=rows[:1]) as log:
        train(log, epochs=1, scores=replace(SCORES, top1=0.8))
        train(log, epochs=1, scores=replace(SCORES, top1=0.92))
    assert [" best " in line for line in printed.file.getvalue().splitlines()] == [False, True]


def test_a_trend_is_a_row_of_bars():
    assert spark([0.1, 0.5, 0.9, 0.3]) == "▁▄█▃" or spark([0.1, 0.5, 0.9, 0.3]) == "▁▅█▃"
    assert spark([0.4, 0.4]) == "▁▁"
