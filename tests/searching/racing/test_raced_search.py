"""Searches without a supernet on little: they end with a trained network, and spend no more than they may."""

import csv
import json
import shutil

import pytest

from glocal.artifacts.run_folder import RunFolder
from glocal.searching.racing.trial import as_trial
from glocal.searching.search import resume, search
from glocal.searching.search_run import origin_of
from glocal.trials.table import Table
from glocal.trials.workers.joining import join

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


@pytest.mark.parametrize("strategy", ["halving", "asha", "proxy", "guided"])
def test_a_search_without_a_supernet_finds_a_trained_network_within_its_epochs(shades, tmp_path, strategy):
    found = searched(shades, tmp_path, strategy=strategy, proxy="macs", name="one")
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
    if strategy in ("halving", "asha"):
        rungs = json.loads((level / "race.json").read_text())
        assert len(rungs) > 1
        assert len(rungs[-1]["standings"]) < len(rungs[0]["standings"])


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
