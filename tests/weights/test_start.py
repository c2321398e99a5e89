"""What becomes of a file's classifier and tables in another network: matched by name, resized, and said aloud."""

import pytest
import torch

from glocal.design import adapt
from glocal.families import architecture
from glocal.weights import Model, create_model, export, save_model, start_from
from glocal.weights.tables import LOCUSLAB

NAME, MIXER = "cct_2_3x2_32", "convmixer_16_2_p2_k5_32"
CLASSES = ("ant", "bee", "cat", "dog")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_model(NAME, num_classes=4).eval()


@pytest.fixture
def saved(network, tmp_path):
    save_model(tmp_path / "a.safetensors", Model(network, CLASSES, {"mean": [0.5]}))
    return tmp_path / "a.safetensors"


X = torch.linspace(-1, 1, 2 * 3 * 32 * 32).view(2, 3, 32, 32)


def begun(saved, classes, **more):
    found, loaded = start_from(architecture(NAME), saved, classes=classes, **more)
    return found.eval(), loaded


def test_the_same_classes_in_the_same_order_keep_every_logit(network, saved):
    found, loaded = begun(saved, CLASSES)
    assert torch.equal(found(X), network(X))
    assert "the same 4 classes in the same order" in str(loaded)
    assert (loaded.fresh, loaded.resized, loaded.preprocess) == (False, (), {"mean": [0.5]})


def test_the_same_classes_in_another_order_are_matched_by_name(network, saved):
    other = ("dog", "ant", "cat", "bee")
    found, loaded = begun(saved, other)
    ours, theirs = (
        dict(zip(names, net(X)[0].tolist(), strict=True)) for names, net in ((other, found), (CLASSES, network))
    )
    assert ours == pytest.approx(theirs)
    assert "its rows put in the order of our 4 classes by name" in str(loaded)
    assert not loaded.fresh


def test_some_of_the_files_classes_take_their_rows(network, saved):
    found, loaded = begun(saved, ("dog", "bee"))
    torch.testing.assert_close(found(X), network(X)[:, [3, 1]])
    assert "2 others left out" in str(loaded)


def test_as_many_classes_of_other_names_start_fresh(network, saved):
    found, loaded = begun(saved, ("ant", "bee", "cat", "emu"))
    assert loaded.fresh
    assert "which lack 1 of these 4: emu; the classifier of 4 starts from fresh values" in str(loaded)
    assert not torch.allclose(found(X), network(X))
    assert all(
        torch.equal(t, network.state_dict()[k])
        for k, t in found.state_dict().items()
        if "linear1" not in k or "stages" in k
    )


def test_a_file_without_names_keeps_its_classifier_and_says_that_it_trusts_the_order(tmp_path):
    torch.manual_seed(0)
    network = create_model(MIXER, num_classes=4).eval()
    torch.save(export(network, LOCUSLAB), tmp_path / "theirs.pth")
    found, loaded = start_from(architecture(MIXER), tmp_path / "theirs.pth", classes=CLASSES)
    assert torch.equal(found.eval()(X), network(X))
    assert "taken on trust" in str(loaded)
    assert loaded.names == LOCUSLAB.name
    _, loaded = start_from(architecture(MIXER), tmp_path / "theirs.pth", classes=CLASSES[:3])
    assert "the file has 4 classes; the classifier of 3 starts from fresh values" in str(loaded)


def test_a_fresh_classifier_is_scaled_and_a_kept_one_is_not(saved, network):
    torch.manual_seed(1)
    plain, _ = begun(saved, ("emu",))
    torch.manual_seed(1)
    scaled, _ = begun(saved, ("emu",), head_init_scale=0.5)
    assert torch.equal(scaled.get_classifier().weight, plain.get_classifier().weight * 0.5)
    kept, _ = begun(saved, CLASSES, head_init_scale=0.5)
    assert torch.equal(kept(X), network(X))


def test_tables_carried_to_another_size_are_named(saved):
    _, loaded = start_from(adapt(architecture(NAME), size=(48, 32)), saved, classes=CLASSES)
    assert loaded.resized == ("stem.learned_position1.table",)
    assert "1 table of positions or offsets interpolated: stem.learned_position1.table" in str(loaded)
    assert str(loaded).count("\n") == 2
