"""A linear probe says what features are worth, the same each time, and costs little."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glocal.data import Preprocess, check
from glocal.errors import DataError, WeightError
from glocal.evaluation.probe import MOST, _sample, load_for_probe, pictures_for, probe
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.weights import Model, create_model, export, save_model
from glocal.weights.tables import LOCUSLAB

MIXER = "convmixer_16_2_p2_k5_32"
READING, HERE = Preprocess(size=(16, 16)), Machine(torch.device("cpu"))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_model(MIXER, num_classes=3, img_size=16)


@pytest.fixture
def data(colours):
    return check(colours).require_data()


def probed(network, data, **more):
    return probe(network, data, preprocess=READING, machine=HERE, **more)


def test_colours_are_told_apart_by_features_that_learned_nothing(network, data):
    found = probed(network, data)
    assert found.top1 > 0.9
    assert found.interval[0] < found.top1 <= found.interval[1] + 1e-9
    assert (found.n_train, found.n_val) == (len(data.train), len(data.val))
    assert found.majority == pytest.approx(1 / 3, abs=0.05)


def test_the_same_probe_gives_the_same_number_and_leaves_the_network_as_it_was(network, data):
    network.train()
    network.stem.eval()
    before = {key: t.clone() for key, t in network.state_dict().items()}
    first, second = (replace(probed(network, data, pictures=20), seconds=0.0) for _ in range(2))
    assert first == second
    assert all(torch.equal(t, before[key]) for key, t in network.state_dict().items())
    assert (network.training, network.stem.training, network.stages.training) == (True, False, True)


def test_a_sample_has_the_shares_of_the_classes_and_one_of_each(data):
    rare = replace(data.train, labels=np.where(np.arange(len(data.train)) < len(data.train) - 1, 0, 1))
    few = _sample(rare, 10, seed=0)
    assert sorted(set(few.labels)) == [0, 1]
    assert len(few) <= 11
    even = _sample(data.train, 12, seed=0)
    assert np.bincount(even.labels).tolist() == [4, 4, 4]
    assert all(
        np.array_equal(even.picture(i), data.train.picture(data.train.rows.index(r))) for i, r in enumerate(even.rows)
    )
    assert set(_sample(data.train, 12, seed=1).rows) != set(even.rows)
    assert _sample(data.train, 999, seed=0) is data.train


def test_its_cost_is_a_small_share_of_the_trainings(data):
    assert pictures_for(Recipe(epochs=100), data) == round(0.03 * 100 * len(data.train))
    assert pictures_for(Recipe(epochs=1), data) == 0, "too few pictures to say anything"
    assert pictures_for(Recipe(epochs=10**6), data) == MOST


def test_several_labels_a_picture_are_refused_with_a_sentence(network, data):
    with pytest.raises(DataError, match="one class a picture"):
        probed(network, replace(data, multi_label=True))
    assert pictures_for(Recipe(epochs=100), replace(data, multi_label=True)) == 0


def test_weights_are_probed_by_what_they_say_of_themselves(network, data, tmp_path):
    save_model(tmp_path / "a.safetensors", Model(network, ("x", "y", "z"), READING.to_json()))
    lines = []
    again, reading = load_for_probe(tmp_path / "a.safetensors", echo=lines.append)
    found = probe(again, data, preprocess=reading, machine=HERE)
    assert replace(found, seconds=0.0) == replace(probed(network, data), seconds=0.0)
    assert "named as by glocal" in lines[-1]


def test_a_file_that_does_not_say_its_network_is_named(network, data, tmp_path):
    torch.save(export(network, LOCUSLAB), tmp_path / "theirs.pth")
    with pytest.raises(WeightError, match="does not say of which network it is; name it: --model NAME"):
        load_for_probe(tmp_path / "theirs.pth")
    theirs, reading = load_for_probe(tmp_path / "theirs.pth", model=MIXER)
    assert probe(theirs, data, preprocess=reading, machine=HERE).top1 > 0.5
