"""Runs of networks of timm: trained, stopped, resumed, repeated, evaluated and predicted with like those of the design space."""

import pytest
import timm
import torch

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.errors import ArchitectureError, RecipeError, WeightError
from glocal.evaluation.probe import load_for_probe
from glocal.runs.record import RunRecord
from glocal.weights import load_model
from glocal.weights.files import read

NAME = "test_vit2"
SETTINGS = {
    "recipe": "small",
    "img_size": 32,
    "epochs": 2,
    "batch_size": 16,
    "warmup_epochs": 0,
    "val_fraction": 0.25,
    "workers": 0,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of timm's weights for 1,000 classes."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "theirs.pth"
    torch.save(timm.create_model(NAME).state_dict(), path)
    return path


def train(source, output, **more):
    return glocal.train(source, **{**SETTINGS, "model": f"timm:{NAME}", "output": output, **more})


def bits(run, which="last"):
    return read(RunFolder(run.folder).weights(which)).tensors


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


class Killed(Exception):  # noqa: N818 - what SIGKILL leaves, without a process of its own
    pass


def test_a_run_that_is_killed_ends_in_the_same_bits_and_can_be_repeated(shades, tmp_path, weights, monkeypatch):
    settings = {
        "model": f"timm:{NAME}@{weights}",
        "ema": 0.9,
        "drop_path": 0.1,
        "layer_decay": 0.7,
        "checkpoint_s": 0.0,
    }
    whole = train(shades, tmp_path, name="whole", **settings)
    from glocal.training.state import State

    save, seen = State.save, []

    def deadly(self, path, machine):
        save(self, path, machine)
        seen.append(self.step)
        if len(seen) == 5:
            raise Killed

    monkeypatch.setattr(State, "save", deadly)
    with pytest.raises(Killed):
        train(shades, tmp_path, name="killed", **settings)
    monkeypatch.undo()
    again = glocal.resume(tmp_path / "killed")
    assert same(bits(whole), bits(again))
    assert glocal.rerun(whole.folder).same
    assert glocal.evaluate(whole.folder).top1 == pytest.approx(whole.val.top1)
    (found,) = glocal.predict(whole.folder, [next((shades / "test" / "dark").iterdir())])
    assert set(found.probabilities) == {"dark", "light"}
    record = RunRecord.read(RunFolder(whole.folder))
    assert record.recipe.weights == f"timm:{NAME}@{weights}"
    assert (record.recipe.model, record.recipe.mean) == (f"timm:{NAME}", (0.5, 0.5, 0.5))
    assert whole.folder.name == "whole"


def test_only_the_classifier_learns_where_the_rest_is_frozen(shades, tmp_path, weights):
    run = train(shades, tmp_path, model=f"timm:{NAME}@{weights}", epochs=1, frozen_epochs="all", img_size=160)
    theirs = torch.load(weights, weights_only=True)
    learned = {key for key, t in bits(run).items() if not torch.equal(t, theirs[key])}
    assert learned == {"head.weight", "head.bias"}


def test_weights_of_a_run_start_another_one_and_a_probe(shades, tmp_path):
    first = train(shades, tmp_path, epochs=1)
    second = glocal.train(
        shades,
        recipe="fine_tune",
        weights=first.folder,
        epochs=1,
        batch_size=16,
        val_fraction=0.25,
        output=tmp_path,
        workers=0,
    )
    model = load_model(second.weights)
    assert model.network.arch.name == f"timm:{NAME}"
    assert model.network.arch.image.h == 32
    network, preprocess = load_for_probe(first.folder)
    assert network.arch.name == f"timm:{NAME}"
    assert preprocess.size == (32, 32)
    assert first.folder.name.startswith(f"timm_{NAME}-shades")
    with pytest.raises(ArchitectureError, match="only networks of the design space can be fused"):
        glocal.fuse(model.network)


def test_settings_that_contradict_each_other_are_one_line(shades, tmp_path, weights):
    source = f"timm:{NAME}@{weights}"
    for changes, kind, said in (
        ({"model": source, "weights": str(weights)}, RecipeError, "give one of them"),
        ({"model": "timm:test_vit22"}, ArchitectureError, "did you mean"),
        ({"model": f"timm:{NAME}@nowhere.pth"}, WeightError, "no such file of weights"),
        ({"model": f"timm:test_resnet@{weights}"}, WeightError, "these are not the weights of timm:test_resnet"),
    ):
        with pytest.raises(kind, match=said):
            train(shades, tmp_path, **changes)
