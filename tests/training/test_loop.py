"""The loop learns, resumes to the same bits, and stops before it spoils anything."""

import csv
import itertools
import json

import pytest
import torch
import yaml
from safetensors.torch import load_file

import glocal
from glocal.errors import DataError, RecipeError, RunError, WeightError
from glocal.training import loop
from glocal.weights import load_model
from glocal.weights.files import read
from sampled import but_slow

SMALL = {"model": "cct_2_3x2_32", "img_size": 16, "epochs": 3, "batch_size": 8, "lr": 1e-3, "warmup_epochs": 1}


def run(data, output, **more):
    return glocal.train(data, recipe="small", **{**SMALL, **more}, output=output)


def weights_of(run):
    return {which: read(run.folder / "weights" / f"{which}.safetensors").tensors for which in ("best", "last")}


def equal(a, b):
    return all(a[w].keys() == b[w].keys() and all(torch.equal(a[w][k], b[w][k]) for k in a[w]) for w in a)


def test_a_run_learns_and_leaves_a_folder_that_says_everything(colours, tmp_path):
    done = run(colours, tmp_path / "runs", epochs=8)
    assert done.val.top1 == 1.0
    assert done.val.interval[0] < 1.0 <= done.val.interval[1] + 1e-9
    told = yaml.safe_load((done.folder / "run.yaml").read_text())
    assert told["settings"]["epochs"] == 8
    assert (told["origins"]["epochs"], told["origins"]["crop"]) == ("call", "recipe small")
    assert told["origins"]["accumulate"] == "default"
    with (done.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(r["epoch"]) for r in rows] == list(range(8))
    assert list(rows[0]) == (
        [
            "epoch",
            "step",
            "time_s",
            "lr",
            "train_loss",
            "val_loss",
            "val_top1",
            "val_top5",
            "val_macro_f1",
            "images_per_s",
        ]
    )
    network, classes, preprocess, *_ = load_model(done.weights)
    assert classes == ("blue", "green", "red")
    assert preprocess["size"] == [16, 16]
    assert network.num_classes == 3
    assert (done.folder / "architecture.yaml").exists()
    assert list((done.folder / "events").iterdir())


def test_evaluation_of_the_kept_weights_gives_the_number_of_the_run(colours, tmp_path):
    done = run(colours, tmp_path / "runs")
    again = glocal.evaluate(done.folder)
    assert (again.top1, again.n) == (done.val.top1, done.val.n)
    assert again.loss == pytest.approx(done.val.loss, abs=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(colours, tmp_path):
    first, second, other = (weights_of(run(colours, tmp_path / "runs", seed=seed)) for seed in (1, 1, 2))
    assert equal(first, second)
    assert not equal(first, other)


HARD = {
    "mixup": 0.8,
    "cutmix": 1.0,
    "reprob": 0.3,
    "ema": 0.9,
    "auto_augment": "rand-m9-mstd0.5-inc1",
    "drop_path": 0.1,
}


@pytest.mark.parametrize("at", but_slow([1, 4, 5, 7], [1, 7]))
def test_a_run_stopped_at_any_step_resumes_to_the_same_bits(colours, tmp_path, monkeypatch, at):
    whole = run(colours, tmp_path / "whole", **HARD)
    step, calls = loop._step, itertools.count()

    def stops(*args, **kwargs):
        if next(calls) == at:
            raise KeyboardInterrupt
        return step(*args, **kwargs)

    monkeypatch.setattr(loop, "_step", stops)
    with pytest.raises(KeyboardInterrupt):
        glocal.train(colours, recipe="small", **{**SMALL, **HARD}, output=tmp_path / "cut", name="x", checkpoint_s=0.0)
    monkeypatch.setattr(loop, "_step", step)
    resumed = glocal.resume(tmp_path / "cut" / "x")
    assert equal(weights_of(whole), weights_of(resumed))
    assert resumed.val == whole.val


def test_workers_change_no_bit(colours, tmp_path):
    alone = run(colours, tmp_path / "runs", epochs=1)
    settings = {**SMALL, "epochs": 1}
    helped = glocal.train(colours, recipe="small", **settings, output=tmp_path / "runs", workers=2)
    assert equal(weights_of(alone), weights_of(helped))


def test_a_batch_computed_in_parts_gives_the_same_step(colours, tmp_path):
    # SGD, since Adam divides by the size of the gradient and makes its rounding visible where that is near 0; float32 also where
    # the processor has bfloat16, whose rounding is larger than what is allowed here
    settings = {"opt": "sgd", "lr": 0.05, "amp": "off"}
    whole, parts = (weights_of(run(colours, tmp_path / "runs", **settings, accumulate=n)) for n in (1, 4))
    for key, tensor in whole["last"].items():
        torch.testing.assert_close(parts["last"][key], tensor, atol=1e-5, rtol=1e-4)


def test_the_average_is_what_is_judged_and_kept(colours, tmp_path):
    slow = run(colours, tmp_path / "runs", epochs=1, ema=0.999)
    torch.manual_seed(0)
    start = glocal.create_model("cct_2_3x2_32", num_classes=3, img_size=16).state_dict()
    kept = weights_of(slow)["last"]
    moved = max(float((kept[k] - start[k]).abs().max()) for k in kept)
    assert moved < 2e-3  # a few steps at 1 - 0.999 leave the average near its start


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_last_good_state(colours, tmp_path, monkeypatch):
    real, calls = loop.loss, itertools.count()
    monkeypatch.setattr(loop, "loss", lambda *a, **k: real(*a, **k) * (float("nan") if next(calls) == 6 else 1.0))
    with pytest.raises(RunError, match=r"nan at step 6 \(epoch 1, .*last good state is .*last.json"):
        run(colours, tmp_path / "runs")
    state = next((tmp_path / "runs").glob("*/state"))
    saved = json.loads((state / "last.json").read_text())
    assert (saved["step"], [p.name for p in state.glob("step-*")]) == (4, [saved["folder"]])
    assert all(torch.isfinite(t).all() for t in load_file(state / "step-4" / "0-of-1.safetensors").values())


def test_a_run_folder_is_never_overwritten(colours, tmp_path):
    first, second = (run(colours, tmp_path / "runs", epochs=1) for _ in range(2))
    assert second.folder.name == f"{first.folder.name}-2"


def test_a_finished_run_resumes_to_itself(colours, tmp_path):
    done = run(colours, tmp_path / "runs", epochs=1)
    assert glocal.resume(done.folder) == done


def test_resume_refuses_pictures_that_have_changed(colours, tmp_path):
    done = run(colours, tmp_path / "runs", epochs=1)
    next((colours / "red").iterdir()).unlink()
    with pytest.raises(DataError, match="red"):
        glocal.resume(done.folder)


def test_resume_refuses_what_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"no run\.yaml"):
        glocal.resume(tmp_path)


def test_resume_names_a_state_that_was_cut(colours, tmp_path):
    done = run(colours, tmp_path / "runs", epochs=1)
    for name in ("step-4/0-of-1.safetensors", "last.json"):
        part = done.folder / "state" / name
        part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
        with pytest.raises(WeightError, match=r"last\.json is not a whole state"):
            glocal.resume(done.folder)


def test_a_run_can_be_repeated_from_what_it_wrote(colours, tmp_path):
    first = run(colours, tmp_path / "runs")
    again = glocal.train(colours, config=first.folder / "run.yaml", output=tmp_path / "runs")
    assert equal(weights_of(first), weights_of(again))


def test_a_run_made_again_agrees_to_the_bit(colours, tmp_path):
    first = run(colours, tmp_path / "runs", epochs=2, **HARD)
    again = glocal.rerun(first.folder)
    assert again.same
    assert again.run.folder.name == f"{first.folder.name}-rerun"
    assert equal(weights_of(first), weights_of(again.run))


def test_a_run_made_again_that_does_not_agree_says_where(colours, tmp_path):
    first = run(colours, tmp_path / "runs", epochs=2)
    settings = first.folder / "run.yaml"
    settings.write_text(settings.read_text().replace("smoothing: 0.1", "smoothing: 0.2").replace("torch: ", "torch: 0"))
    again = glocal.rerun(first.folder)
    assert not again.same
    assert again.numbers[0].startswith("metrics.csv, first in epoch 1: train_loss ")
    assert again.numbers[1].startswith("weights/best: ")
    assert again.surroundings[0].startswith("torch 0")


def test_only_a_finished_run_is_made_again(colours, tmp_path):
    first = run(colours, tmp_path / "runs", epochs=1)
    (first.folder / "metrics.csv").unlink()
    with pytest.raises(RunError, match="has not finished"):
        glocal.rerun(first.folder)


def test_misspelt_names_are_found_before_the_pictures_are_read(tmp_path):
    with pytest.raises(RecipeError, match="did you mean 'epochs'"):
        glocal.train(tmp_path / "nowhere", epocs=3)
    with pytest.raises(glocal.errors.ArchitectureError, match="cct_2_3x2_32"):
        glocal.train(tmp_path / "nowhere", model="cct_2_3x2")


def test_weights_of_another_run_are_a_start(colours, tmp_path):
    first = run(colours, tmp_path / "runs", epochs=8)
    more = glocal.train(
        colours,
        recipe="small",
        **{**SMALL, "epochs": 1, "lr": 1e-6},
        weights=first.weights,
        output=tmp_path / "r",
    )
    assert more.val.top1 == 1.0


def test_one_channel_and_other_shapes_train_too(colours, tmp_path):
    grey = run(colours, tmp_path / "runs", epochs=1, mean=(0.5,), std=(0.5,), img_size=(16, 24))
    assert load_model(grey.weights).network.arch.image == (1, 16, 24)
