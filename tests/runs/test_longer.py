"""A finished run is trained longer as a new run: by a stated rule, to the bit, and without a change to the old one."""

import hashlib
import itertools
import json

import pytest
import torch
import yaml

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.errors import GlocalError, RecipeError, RunError
from glocal.recipes.schedule import lr_at
from glocal.runs.record import RunRecord
from glocal.training import loop
from glocal.weights.files import read
from sampled import but_slow

SMALL = {"model": "cct_2_3x2_32", "img_size": 16, "epochs": 2, "batch_size": 8, "lr": 1e-3, "warmup_epochs": 1}
HARD = {"mixup": 0.8, "cutmix": 1.0, "reprob": 0.3, "ema": 0.9, "drop_path": 0.1}
TIMED = ("time_s", "images_per_s")


def train(data, output, **more):
    return glocal.train(data, recipe="small", **{**SMALL, **more}, output=output)


def weights_of(folder):
    return {which: read(folder / "weights" / f"{which}.safetensors").tensors for which in ("best", "last")}


def assert_same_bits(one, two):
    a, b = weights_of(one), weights_of(two)
    assert all(torch.equal(a[which][key], tensor) for which in b for key, tensor in b[which].items())
    rows = [
        [{k: v for k, v in row.items() if k not in TIMED} for row in RunFolder(folder).metrics()]
        for folder in (one, two)
    ]
    assert rows[0] == rows[1]


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_old_run_is_not_changed_by_a_byte_and_the_new_one_names_it(colours, tmp_path):
    old = train(colours, tmp_path / "runs")
    before = hashes(old.folder)
    new = glocal.resume(old.folder, epochs=4)
    assert hashes(old.folder) == before
    assert new.folder == old.folder.with_name(f"{old.folder.name}-4-epochs")
    told = yaml.safe_load((new.folder / "run.yaml").read_text())
    assert told["parent"] == {
        "folder": str(old.folder.resolve()),
        "epochs": 2,
        "state": json.loads((old.folder / "state" / "last.json").read_text())["checksum"],
        "restart": None,
    }
    assert (told["settings"]["epochs"], told["origins"]["epochs"]) == (4, "call")
    assert [row["epoch"] for row in RunFolder(new.folder).metrics()] == [0, 1, 2, 3]
    again = glocal.resume(new.folder, epochs=5)
    assert again.folder.name == f"{old.folder.name}-5-epochs"
    assert RunRecord.read(RunFolder(again.folder)).parent.folder == str(new.folder.resolve())


@pytest.mark.parametrize(
    "settings",
    [HARD, {"opt": "timm:lion"}, {"cooldown_epochs": 0, "frozen_epochs": 1, "unfreeze_every": 2}],
    ids=["moments and averages", "an optimiser of timm", "stages that start to learn later"],
)
def test_with_a_constant_learning_rate_it_ends_in_the_bits_of_one_run_of_that_length(colours, tmp_path, settings):
    settings = {**settings, "sched": "constant"}
    whole = train(colours, tmp_path / "whole", **settings, epochs=4)
    half = train(colours, tmp_path / "half", **settings)
    assert_same_bits(whole.folder, glocal.resume(half.folder, epochs=4).folder)


def test_a_warm_restart_ends_in_the_bits_of_one_run_whose_schedule_restarts_there(colours, tmp_path):
    whole = train(colours, tmp_path / "whole", **HARD, epochs=4, restarts=(2,))
    half = train(colours, tmp_path / "half", **HARD)
    longer = glocal.resume(half.folder, epochs=4, restart="warm")
    assert_same_bits(whole.folder, longer.folder)
    record = RunRecord.read(RunFolder(longer.folder))
    assert (record.parent.restart, record.recipe.restarts) == ("warm", (2,))


def test_the_learning_rate_is_that_of_a_schedule_of_the_new_length(colours, tmp_path):
    old = train(colours, tmp_path / "runs")
    new = glocal.resume(old.folder, epochs=6, lr=5e-4)
    rows, recipe = RunFolder(new.folder).metrics(), RunRecord.read(RunFolder(new.folder)).recipe
    steps = rows[0]["step"]
    assert [row["lr"] for row in rows[2:]] == pytest.approx(
        [lr_at(recipe, int(row["step"]) - 1, steps_per_epoch=int(steps)) for row in rows[2:]], rel=1e-6
    )
    assert rows[2]["lr"] > rows[1]["lr"], "it rises from the end of the old schedule"
    assert (recipe.lr, recipe.epochs) == (5e-4, 6)


@pytest.mark.parametrize("restart", [None, "warm"])
@pytest.mark.parametrize("at", but_slow([0, 3, 6], [0, 6]))
def test_a_longer_run_that_is_stopped_resumes_to_the_same_bits(colours, tmp_path, monkeypatch, at, restart):
    old = train(colours, tmp_path / "runs", **HARD, checkpoint_s=0.0)
    whole = glocal.resume(old.folder, epochs=4, restart=restart, output=tmp_path / "whole")
    step, calls = loop._step, itertools.count()

    def stops(*args, **kwargs):
        if next(calls) == at:
            raise KeyboardInterrupt
        return step(*args, **kwargs)

    monkeypatch.setattr(loop, "_step", stops)
    with pytest.raises(KeyboardInterrupt):
        glocal.resume(old.folder, epochs=4, restart=restart, name="x")
    monkeypatch.setattr(loop, "_step", step)
    with pytest.raises(RunError, match=r"x is this run, and was stopped; continue it: glocal train --resume .*x\n"):
        glocal.resume(old.folder, epochs=4, restart=restart, name="x")
    resumed = glocal.resume(old.folder.with_name("x"))
    assert_same_bits(whole.folder, resumed.folder)


def test_the_best_epoch_may_be_one_of_the_old_run(colours, tmp_path):
    old = train(colours, tmp_path / "runs", epochs=8)
    assert old.val.top1 == 1.0
    new = glocal.resume(old.folder, epochs=9)
    assert (new.epoch, new.val) == (old.epoch, old.val)
    assert_same_bits_of_best(old.folder, new.folder)


def assert_same_bits_of_best(one, two):
    a, b = weights_of(one)["best"], weights_of(two)["best"]
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("restart", [None, "warm"])
def test_a_longer_run_is_repeated_from_the_old_one_s_state(colours, tmp_path, restart):
    old = train(colours, tmp_path / "runs", **HARD)
    new = glocal.resume(old.folder, epochs=3, restart=restart)
    again = glocal.rerun(new.folder)
    assert again.same
    assert RunRecord.read(RunFolder(again.run.folder)).parent.folder == str(old.folder.resolve())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"epochs": 2},
            "--epochs 2: the run has been trained for 2 epochs, and --epochs counts them too; .*--epochs 4",
        ),
        ({"epochs": 0}, "--epochs 0"),
        ({"epochs": 4, "mixup": 0.2}, "--mixup cannot change when a run is trained longer, only its schedule can"),
        ({"epochs": 4, "warmup_epochs": 2}, "--warmup-epochs has no effect: the warm-up of the run is over"),
        ({"epochs": 4, "epocs": 4}, "did you mean 'epochs'"),
        ({"lr": 0.1}, "lr has no effect on a run that is resumed"),
        ({"restart": "warm"}, "restart has no effect on a run that is resumed"),
        ({"name": "x"}, "name has no effect on a run that is resumed"),
    ],
)
def test_what_cannot_change_or_has_no_effect_is_refused(finished, settings, says):
    before = hashes(finished)
    with pytest.raises(RecipeError, match=says):
        glocal.resume(finished, **settings)
    assert hashes(finished.parent) == {f"{finished.name}/{name}": value for name, value in before.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train("digits", tmp_path_factory.mktemp("runs"), img_size=8, batch_size=256).folder


def test_a_run_that_has_not_finished_is_finished_first(colours, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_step", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(colours, tmp_path / "runs", name="x")
    with pytest.raises(RunError, match=r"x has not finished its 2 epochs; finish it first: glocal train --resume .*x$"):
        glocal.resume(tmp_path / "runs" / "x", epochs=4)


def test_a_state_that_was_changed_meanwhile_does_not_repeat_a_longer_run(colours, tmp_path):
    old = train(colours, tmp_path / "runs")
    new = glocal.resume(old.folder, epochs=3)
    (old.folder / "state" / "last.json").write_text("{}")
    with pytest.raises(GlocalError, match=r"last\.json is not a whole state"):
        glocal.rerun(new.folder)
