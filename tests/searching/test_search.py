"""The whole search on little: two levels to a winner that can be used, killed anywhere and gone on with, the test split shut."""

import csv
import json
import shutil
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
import torch

import glocal
from glocal.design import load
from glocal.errors import DataError, DivergedError, RecipeError, SearchError, TrialError
from glocal.families import vocabulary
from glocal.files import read_yaml
from glocal.searching.search import resume, search
from glocal.searching.search_result import as_module
from glocal.trials import training
from glocal.trials.training import train_entry
from glocal.weights.files import read

LITTLE = {
    "strategy": "supernet",
    "supernet_epochs": 2,
    "candidates": 8,
    "population": 4,
    "finalists": 2,
    "finalist_epochs": 1,
    "calibration": 64,
}
RECIPE = {"img_size": 16, "warmup_epochs": 0, "batch_size": 32, "drop_path": 0.0}


def searched(shades, output, **changes):
    settings = {**LITTLE, **RECIPE, "space": "glit_cifar_12_2", "recipe": "small", "val_fraction": 0.25, **changes}
    return search(shades, output=output, **settings)


@pytest.fixture(scope="session")
def found(shades, tmp_path_factory):
    return searched(shades, tmp_path_factory.mktemp("searches"), name="whole")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_levels_end_with_a_trained_network_that_is_used_like_any_other(found, shades):
    assert found.answers.keys() == {"distribution", "details"}
    winner = found.folder / "winner"
    arch = load(read_yaml(winner / "architecture.yaml"), vocabulary())
    assert arch == found.architecture
    scope: dict = {}
    exec((winner / "winner.py").read_text(), scope)
    assert scope["winner"] == arch
    scores = glocal.evaluate(found.folder / "details" / "finalists" / "1")
    table = rows(found.folder / "details" / "finalists.csv")
    assert scores.top1 == float(table[0]["accuracy"])
    again = glocal.evaluate(found.weights, shades, split="test")
    assert again.n == 16
    assert json.loads((winner / "winner.json").read_text())["val"]["top1"] == found.val.top1


def test_any_architecture_is_written_as_python_that_makes_it():
    for name in glocal.list_models():
        scope: dict = {}
        exec(as_module(glocal.architecture(name)), scope)
        assert scope["winner"] == glocal.architecture(name)


def test_the_best_finalist_on_held_out_training_pictures_wins(found):
    for level in ("distribution", "details"):
        table = rows(found.folder / level / "finalists.csv")
        (won,) = (row for row in table if row["winner"] == "1")
        assert float(won["accuracy"]) == max(float(row["accuracy"]) for row in table)
        supernet = [float(row["accuracy"]) for row in rows(found.folder / level / "candidates.csv")]
        assert [float(row["supernet_accuracy"]) for row in table] == sorted(supernet, reverse=True)[:2]
    answers = rows(found.folder / "details" / "finalists.csv")
    assert "-".join(map(str, found.answers["details"])) in {row["answers"] for row in answers}


def test_the_second_level_searches_the_details_of_the_winner_of_the_first(found):
    first = found.answers["distribution"]
    space = load(read_yaml(found.folder / "details" / "space.yaml"), vocabulary())
    assert space.name.endswith("_details_" + "".join(map(str, first)))


def test_no_picture_of_the_test_split_is_read_after_the_check(shades, tmp_path):
    """They are gone by the first step, and nobody misses them."""
    copy = shutil.copytree(shades, tmp_path / "copy")

    def gone(done: int, of: int) -> None:
        if done == of:
            shutil.rmtree(copy / "test")

    found = searched(copy, tmp_path, progress=gone, levels="joint", sharing="entangled")
    assert not (copy / "test").exists()
    assert found.val.n == 20
    for path in found.folder.rglob("data.json"):
        assert json.loads(path.read_text())["rows"].keys() == {"train", "val"}


@pytest.mark.slow
def test_a_search_that_is_stopped_goes_on_to_the_same_tables_and_winner(found, shades, tmp_path, monkeypatch):
    """Stopped after every phase of the first level; the slow tests kill at any moment."""
    from glocal.searching.level import Level

    for phase in ("_select_finalists", "_train_finalists"):
        with monkeypatch.context() as patch:
            patch.setattr(Level, phase, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                searched(shades, tmp_path, name="stopped") if phase == "_select_finalists" else resume(
                    tmp_path / "stopped"
                )
    again = resume(tmp_path / "stopped", workers=2)
    assert again.answers == found.answers
    ours, theirs = read(again.weights), read(found.weights)
    assert ours.meta == theirs.meta
    assert all(torch.equal(tensor, theirs.tensors[key]) for key, tensor in ours.tensors.items())
    for level in ("distribution", "details"):
        ours, theirs = (rows(folder / level / "candidates.csv") for folder in (again.folder, found.folder))
        assert [(r["answers"], r["accuracy"], r["origin"], r["parents"]) for r in ours] == [
            (r["answers"], r["accuracy"], r["origin"], r["parents"]) for r in theirs
        ]


def test_finalists_that_diverge_leave_and_the_search_ends_where_all_do(found, tmp_path, monkeypatch):
    """The finals of the second level again: without the winner of before, and then without any."""
    whole = rows(found.folder / "details" / "finalists.csv")
    (won,) = (Path(row["run"]).name for row in whole if row["winner"] == "1")
    folder = shutil.copytree(found.folder, tmp_path / "again")

    def train(entry):
        if entry.folder.parent.parent.name == "details" and entry.folder.name in diverged:
            raise DivergedError("the loss is nan")
        return train_entry(entry)

    monkeypatch.setattr(training, "train_entry", train)
    monkeypatch.setattr(training, "finished", lambda *_: None)
    diverged = {won}
    shutil.rmtree(folder / "winner")
    (folder / "details" / "finalists.csv").unlink()
    assert resume(folder).answers["details"] != found.answers["details"]
    assert [row["run"] for row in rows(folder / "details" / "finalists.csv")] == [
        row["run"] for row in whole if row["winner"] == "0"
    ]
    diverged = {"1", "2"}
    with pytest.raises(SearchError, match="every finalist of details diverged: the loss is nan"):
        resume(folder)


def test_a_notebook_shows_the_result_with_nothing_that_it_would_run(found):
    evil = "<script>alert(1)</script>"
    html = replace(found, folder=found.folder / evil, weights=Path(evil))._repr_html_()
    assert "<script>" not in html
    assert html.count(escape(evil)) == 2
    low, high = found.val.interval
    for text in (found.architecture.name, f"{found.val.top1:.2%} on 20 held-out pictures", f"{low:.2%} to {high:.2%}"):
        assert text in html
    assert ["-".join(map(str, answers)) in html for answers in found.answers.values()] == [True, True]


def test_a_finished_search_that_is_resumed_says_the_same_again(found):
    assert resume(found.folder).to_json() == found.to_json()


def test_a_supernet_is_ranked_against_networks_trained_alone(found, tmp_path):
    copy = shutil.copytree(found.folder, tmp_path / "copy")
    for wrong in ({"networks": 2}, {"seeds": 0}, {"epochs": 0}, {"workers": -1}):
        with pytest.raises(RecipeError, match=rf"--{min(wrong)} .* or more"):
            glocal.rank_supernet(copy, **wrong)
    ranked = glocal.rank_supernet(copy, networks=4, epochs=1)
    assert ranked.rank.n == 4
    assert len(rows(ranked.table)) == 4
    assert json.loads((copy / "details" / "rank.json").read_text())["n"] == 4


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"max_macs": 1000}, SearchError, "no candidate has at most"),
        ({"ema": 0.9}, RecipeError, "a search cannot use --ema"),
        ({"held_out": 0.1}, DataError, "holding out 0.1 has no effect"),
        ({"budget_s": 0.01}, TrialError, "too short"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_step(shades, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        searched(shades, tmp_path, **changes)


def test_a_folder_that_is_no_search_is_refused(tmp_path):
    with pytest.raises(SearchError, match="is not the folder of a search"):
        resume(tmp_path)
