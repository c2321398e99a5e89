"""Weights are found in whatever a training script saved around them, and the report says where they lay."""

import pytest
import timm
import torch
from torch import nn

import glocal
from glocal.errors import WeightError
from glocal.families import architecture
from glocal.weights import create_model, export, start_from
from glocal.weights.files import read
from glocal.weights.tables import SHI_LABS, TIMM_CONVNEXT_CONV

NAME = "cct_2_3x2_32"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return create_model(NAME)


def below(prefix, tensors):
    return {prefix + key: t for key, t in tensors.items()}


def other(tensors):
    return {key: t + 1 if t.is_floating_point() else t for key, t in tensors.items()}


def loaded(tmp_path, held):
    """What a network starts from, and the report."""
    torch.save(held, tmp_path / "w.pth")
    found, report = start_from(architecture(NAME), tmp_path / "w.pth")
    return found.state_dict(), str(report)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


WRAPPED = {
    "timm's averages": lambda own: {"state_dict": other(own), "state_dict_ema": own, "epoch": 3},
    "ConvNeXt's averages": lambda own: {"model": other(own), "model_ema": own, "optimizer": {"state": {0: {"a": torch.ones(1)}}}},
    "averages alone": lambda own: {"model_ema": own},
    "averages below a module": lambda own: {"ema": {"module": own, "updates": 3}, "model": other(own)},
    "ModelEmaV3": lambda own: below("module.", own),
    "AveragedModel": lambda own: {**below("module.", own), "n_averaged": torch.tensor(3)},
    "Lightning": lambda own: {"state_dict": below("model.", own), "pytorch-lightning_version": "2.5", "loops": {}},
    "Lightning's network": lambda own: {"state_dict": below("network.", own)},
    "Lightning with a loss": lambda own: {"state_dict": {**below("model.", own), "loss.weight": torch.ones(3)}},
    "Lightning's averages": lambda own: {"state_dict": {**below("model.", other(own)), **below("ema_model.", own)}},
    "DataParallel": lambda own: below("module.", own),
    "torch.compile": lambda own: below("_orig_mod.", own),
    "both, one way": lambda own: below("module._orig_mod.", own),
    "both, the other way": lambda own: {"model": below("_orig_mod.module.", own)},
    "nested attributes": lambda own: {"state_dict": below("model.backbone.net.", own)},
    "dictionaries in each other": lambda own: {"checkpoint": {"model": {"state_dict": own}}},
    "another name": lambda own: {"my_weights": own, "step": 7},
    "two networks": lambda own: {"generator": own, "discriminator": nn.Linear(3, 3).state_dict()},
}  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("theirs", [False, True])
def test_weights_are_found_in_what_is_saved_around_them(tmp_path, network, wrap, theirs):
    own = network.state_dict()
    found, _ = loaded(tmp_path, wrap(export(network, SHI_LABS) if theirs else own))
    assert same(found, own)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm's averages", "the averaged weights below 'state_dict_ema' in the file are taken; those below state_dict are left"),
        ("Lightning", "the weights below 'state_dict.model' in the file are taken"),
        ("Lightning with a loss", "1 tensors beside them are left: loss.weight"),
        ("AveragedModel", "the weights below 'module' in the file are taken; 1 tensors beside them are left: n_averaged"),
    ],
)  # fmt: skip
def test_the_report_says_where_the_weights_lay(tmp_path, network, name, said):
    assert said in loaded(tmp_path, WRAPPED[name](network.state_dict()))[1]


def test_a_bare_file_needs_no_word(tmp_path, network):
    assert "below" not in loaded(tmp_path, network.state_dict())[1]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda own: {"student": own, "teacher": other(own)},
        lambda own: {"state_dict": {**below("student.", own), **below("teacher.", other(own))}},
    ],
)
def test_of_two_networks_that_nothing_tells_apart_none_is_taken(tmp_path, network, wrap):
    with pytest.raises(
        WeightError, match=rf"w.pth: holds {NAME} several times, below .*student, .*teacher; save the one"
    ):
        loaded(tmp_path, wrap(network.state_dict()))


def test_files_read_without_a_network_are_bare_too(tmp_path, network):
    torch.save({"state_dict": below("module.model.", network.state_dict())}, tmp_path / "w.pth")
    assert same(read(tmp_path / "w.pth").tensors, network.state_dict())


def test_a_word_that_only_contains_the_sign_of_an_average_is_none(tmp_path, network):
    own = network.state_dict()
    found, _ = loaded(tmp_path, {"state_dict": own, "schema_semantic": other(own)})
    assert same(found, own)


def test_safetensors_of_others_are_bared(tmp_path, network):
    import safetensors.torch

    safetensors.torch.save_file(below("model.", network.state_dict()), tmp_path / "w.safetensors")
    assert same(create_model(NAME, weights=tmp_path / "w.safetensors").state_dict(), network.state_dict())


# ------------------------------------------------------------------------------------------------- timm's own wrappers


def test_timms_average_of_our_network_is_saved_and_found(tmp_path):
    torch.manual_seed(0)
    network = create_model(NAME, num_classes=3)
    average = timm.utils.ModelEmaV3(network, decay=0.5, foreach=False)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(1)
    average.update(network)
    torch.save({"state_dict": network.state_dict(), "state_dict_ema": average.state_dict()}, tmp_path / "w.pth")
    found = create_model(NAME, weights=tmp_path / "w.pth")
    assert same(found.state_dict(), average.module.state_dict())
    torch.testing.assert_close(found.head.linear1.bias, network.head.linear1.bias - 0.5)


def test_timms_saver_writes_what_we_read(tmp_path):
    torch.manual_seed(0)
    peer = timm.create_model("convnext_atto", num_classes=7)
    saver = timm.utils.CheckpointSaver(
        peer,
        torch.optim.SGD(peer.parameters(), 0.1),
        model_ema=timm.utils.ModelEmaV3(peer),
        checkpoint_dir=str(tmp_path),
    )
    saver.save_checkpoint(0, metric=1.0)
    found = create_model("convnext_atto", weights=tmp_path / "last.pth.tar")
    assert same(export(found, TIMM_CONVNEXT_CONV), peer.state_dict())


# ------------------------------------------------------------------------------------------------- numbers that are none


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("theirs", [False, True])
def test_numbers_that_are_not_finite_are_named(tmp_path, network, value, theirs):
    own = export(network, SHI_LABS) if theirs else network.state_dict()
    key = "classifier.norm.weight" if theirs else "head.norm1.weight"
    bad = {**own, key: torch.full_like(own[key], value)}
    with pytest.raises(WeightError, match=rf"w.pth: it holds NaN or infinite numbers in {key}$"):
        loaded(tmp_path, bad)
    with pytest.raises(WeightError, match=r"it holds NaN or infinite numbers in .*, .*, .* and \d\d more tensors"):
        loaded(tmp_path, {k: torch.full_like(t, value) if t.is_floating_point() else t for k, t in bad.items()})


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.complex64, torch.bool])
def test_weights_of_another_kind_of_number_are_refused(tmp_path, dtype):
    own = create_model(NAME).state_dict()
    with pytest.raises(WeightError, match=r"it holds no real numbers, as weights are, in head\.norm1\.weight"):
        loaded(tmp_path, {**own, "head.norm1.weight": own["head.norm1.weight"].to(dtype)})


def test_a_saved_model_with_such_numbers_is_refused_whole(tmp_path):
    network = create_model(NAME)
    network.head.norm1.weight.data[0] = float("nan")
    glocal.weights.save_model(tmp_path / "a.safetensors", glocal.weights.Model(network, (), {}))
    with pytest.raises(WeightError, match=r"a.safetensors: it holds NaN or infinite numbers in head.norm1"):
        glocal.weights.load_model(tmp_path / "a.safetensors")
