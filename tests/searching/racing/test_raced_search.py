"""Searches without a supernet on little: they end with a trained network, and spend no more than they may."""

import csv
import importlib
import io
import itertools
import json
import shutil
from types import SimpleNamespace

import pytest
from rich.console import Console

from glocal.artifacts.run_folder import RunFolder
from glocal.errors import DivergedError, GlocalError, RunError, SearchError
from glocal.machine import signals
from glocal.searching.racing import level
from glocal.searching.racing.trial import as_trial
from glocal.searching.search import resume, search
from glocal.searching.search_run import origin_of
from glocal.trials import plan, training
from glocal.trials.table import Table
from glocal.trials.training import train_entry_to
from glocal.trials.workers.joining import join

search_module = importlib.import_module("glocal.searching.search")

LITTLE = {
    "space": "glit_cifar_12_2_distribution",
    "levels": "one",
    "recipe": "small",
    "img_size": 16,
    "warmup_epochs": 0,
    "batch_size": 32,
    "drop_path": 0.0,
    "val_fraction": 0.25,
    "finalists": 1,
    "finalist_epochs": 4,
}
EPOCHS = 10  # 2.5 full trainings


def searched(shades, output, **changes):
    return search(shades, output=output, **{**LITTLE, **changes})


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("strategy", ["halving", "asha", "proxy", "guided", "random"])
def test_a_search_without_a_supernet_finds_a_trained_network_within_its_epochs(shades, tmp_path, strategy):
    guide = {"proxy": "macs"} if strategy in ("proxy", "guided") else {}
    found = searched(shades, tmp_path, strategy=strategy, name="one", **guide)
    level = found.folder / "one"
    trained = {run.parent.name: len(RunFolder(run).metrics()) for run in level.glob("race/*/run")}
    assert sum(trained.values()) <= EPOCHS
    (finalist,) = rows(level / "finalists.csv")
    assert trained[finalist["answers"]] == 4, "the winner is trained in full"
    assert found.val.top1 == float(finalist["accuracy"])
    raced = {row["answers"] for row in rows(level / "candidates.csv")}
    assert raced == set(trained)
    assert not (level / "supernet").exists()
    again = resume(found.folder)
    assert again.to_json() == found.to_json()
    assert (level / "guidance.json").exists() == (strategy in ("proxy", "guided"))
    if strategy in ("halving", "asha"):
        rungs = json.loads((level / "race.json").read_text())
        assert len(rungs) > 1
        assert len(rungs[-1]["standings"]) < len(rungs[0]["standings"])


def test_what_a_proxy_was_worth_is_said_from_its_scores_and_the_first_rung(shades, tmp_path):
    console = Console(file=io.StringIO(), width=300)
    found = searched(shades, tmp_path, finalists=2, console=console, name="one")
    level = found.folder / "one"
    said, scores = (json.loads((level / name).read_text()) for name in ("guidance.json", "naswot.json"))
    first, *_ = json.loads((level / "race.json").read_text())
    assert (said["proxy"], said["scored"], said["networks"]) == ("naswot", len(scores), len(first["standings"]))
    origins = {row["answers"]: row["origin"] for row in rows(level / "candidates.csv")}
    assert {"corner", "random"} == {*origins.values()}
    assert all(len({*answers.split("-")}) == 1 for answers, origin in origins.items() if origin == "corner")
    (winner,) = (row["answers"] for row in rows(level / "finalists.csv") if row["winner"] == "1")
    assert sorted(scores.values(), reverse=True)[said["place"] - 1] == scores[winner]
    assert f"the winner is its number {said['place']} of {len(scores)}" in console.file.getvalue()


@pytest.mark.parametrize(("proxy", "scored"), [("naswot", 4), ("early_loss", 0)])
def test_no_more_networks_are_scored_than_the_epochs_allow(shades, tmp_path, proxy, scored):
    """A step is an epoch here: of twenty epochs a proxy may take four, so naswot scores four of sixteen networks."""
    found = searched(shades, tmp_path, proxy=proxy, candidates=16, batch_size=1000, finalists=2, name="one")
    level = found.folder / "one"
    assert len(json.loads((level / f"{proxy}.json").read_text())) == scored
    assert (level / "guidance.json").exists() == bool(scored)
    assert sum(len(RunFolder(run).metrics()) for run in level.glob("race/*/run")) <= 2 * EPOCHS - scored


def test_a_search_into_a_relative_folder_ends_as_into_any_other(shades, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = searched(shades, "runs", name="one")
    assert (tmp_path / "runs" / "one" / "winner" / "architecture.yaml").is_file()
    (finalist,) = rows(tmp_path / "runs" / "one" / "one" / "finalists.csv")
    assert (found.folder / "one" / finalist["run"]).is_dir()
    assert resume("runs/one").to_json() == found.to_json()


@pytest.mark.parametrize("strategy", ["halving", "asha"])
def test_a_network_that_diverges_leaves_the_race_and_ends_it_for_no_other(shades, tmp_path, monkeypatch, strategy):
    whole = searched(shades, tmp_path, strategy=strategy, name="whole")
    (winner,) = rows(whole.folder / "one" / "finalists.csv")

    def train(entry, *, epochs, **more):
        if entry.folder.parent.name == winner["answers"] and epochs > 1:
            raise DivergedError("the loss is nan")
        return train_entry_to(entry, epochs=epochs, **more)

    monkeypatch.setattr(training, "train_entry_to", train)
    found = searched(shades, tmp_path, strategy=strategy, name="other")
    (other,) = rows(found.folder / "one" / "finalists.csv")
    assert other["answers"] != winner["answers"]
    assert resume(found.folder).to_json() == found.to_json()
    shutil.rmtree(found.folder / "one" / "race" / other["answers"] / "run" / "state")
    with pytest.raises(SearchError, match="is not whole any more"):
        resume(found.folder)


@pytest.mark.parametrize("strategy", ["halving", "asha"])
def test_a_full_disk_is_no_result_of_a_network(shades, tmp_path, monkeypatch, strategy):
    """It ends the search by name, and the search that goes on finds what one finds that was never stopped."""
    whole, calls = searched(shades, tmp_path, strategy=strategy, name="whole"), itertools.count()

    def train(entry, **more):
        if next(calls) == 2:
            raise RunError("state could not be written: No space left on device")
        return train_entry_to(entry, **more)

    monkeypatch.setattr(training, "train_entry_to", train)
    with pytest.raises(RunError, match="No space left"):
        searched(shades, tmp_path, strategy=strategy, name="other")
    found = resume(tmp_path / "other")
    assert (found.answers, found.val) == (whole.answers, whole.val)


def test_where_every_network_diverges_the_search_says_so(shades, tmp_path, monkeypatch):
    def train(entry, **more):
        raise DivergedError("the loss is nan")

    monkeypatch.setattr(training, "train_entry_to", train)
    for strategy in ("halving", "asha"):
        with pytest.raises(GlocalError, match=r"no arm could be measured|all trainings failed"):
            searched(shades, tmp_path, strategy=strategy, name=strategy)


def test_a_machine_that_joins_by_the_storage_alone_trains_what_the_coordinator_would(shades, tmp_path):
    found = searched(shades, tmp_path, strategy="proxy", proxy="macs", name="one")
    level, storage = found.folder / "one", str(tmp_path / "elsewhere.db")
    (finalist,) = rows(level / "finalists.csv")
    answers = tuple(map(int, finalist["answers"].split("-")))
    origin = origin_of("race_task", found.folder, "one")
    shutil.rmtree(level / "race")
    choices = {"network": [finalist["answers"]], "epochs": [4]}
    with Table.open(storage, "again", identity={}, choices=choices, value="accuracy", origin=origin) as table:
        table.enqueue([as_trial(answers, 4)])
        assert join(storage, patience_s=1.0) == 1
        (trial,) = table.trials()
    assert trial.result["accuracy"] == RunFolder(level / "race" / finalist["answers"] / "run").metrics()[-1]["val_top1"]
    assert (
        max(row["val_top1"] for row in RunFolder(level / "race" / finalist["answers"] / "run").metrics())
        == found.val.top1
    )


class Clocked:
    """A clock that moves as networks are trained, at `pace` seconds an epoch where one was planned for."""

    def __init__(self, monkeypatch, pace):
        self.now, self.pace = 1000.0, pace
        at = SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now)
        for module in (search_module, plan, training, signals):
            monkeypatch.setattr(module, "time", at)
        for module in (level, search_module):
            monkeypatch.setattr(module, "unit_seconds", lambda search, space: lambda phase: 1.0)
        monkeypatch.setattr(training, "train_entry_to", self._train)

    def _train(self, entry, *, epochs, on_epoch, ends_at):
        def slowly(epoch, scores):
            on_epoch(epoch, scores)
            self.now += self.pace

        train_entry_to(entry, epochs=epochs, on_epoch=slowly, ends_at=ends_at)


RACE_S = 12
BUDGET_S = (RACE_S + 3) / 0.99  # what comes after the race has the rest


@pytest.mark.parametrize("strategy", ["halving", "asha", "proxy"])
@pytest.mark.parametrize("pace", [1.0, 1.5, 2.0])
def test_a_search_ends_with_its_budget_however_slow_the_machine_becomes(shades, tmp_path, monkeypatch, strategy, pace):
    console = Console(file=io.StringIO(), width=200)
    now = Clocked(monkeypatch, pace)
    more = {"strategy": strategy, "finalist_epochs": 3, "budget_s": BUDGET_S}
    more |= {"proxy": "macs"} if strategy == "proxy" else {}
    found = searched(shades, tmp_path, console=console, name="one", **more)
    assert now.now - 1000 <= RACE_S + pace, "it stops at the next step"
    said = console.file.getvalue()
    slow = "take longer than they were timed" in said or "the budget ended after" in said
    assert slow or pace == 1 or strategy == "asha", "ASHA starts fewer networks"
    (finalist,) = rows(found.folder / "one" / "finalists.csv")
    assert len(RunFolder(found.folder / "one" / finalist["run"]).metrics()) == 3
    spent = now.now
    assert resume(found.folder).to_json() == found.to_json()
    assert now.now == spent


def test_a_search_whose_budget_ends_before_a_full_training_gives_the_leader_so_far(shades, tmp_path, monkeypatch):
    Clocked(monkeypatch, 6.0)
    console = Console(file=io.StringIO(), width=200)
    found = searched(shades, tmp_path, console=console, name="one", finalist_epochs=4, budget_s=BUDGET_S)
    assert "no network was trained in full; the winner is" in console.file.getvalue()
    (finalist,) = rows(found.folder / "one" / "finalists.csv")
    assert 1 <= len(RunFolder(found.folder / "one" / finalist["run"]).metrics()) < 4
    assert resume(found.folder).to_json() == found.to_json()


def test_a_search_whose_budget_ends_before_its_first_comparison_says_so(shades, tmp_path, monkeypatch):
    Clocked(monkeypatch, 100.0)
    with pytest.raises(SearchError, match="--budget 0:15 ended before any network"):
        searched(shades, tmp_path, name="one", finalist_epochs=6, budget_s=BUDGET_S)
