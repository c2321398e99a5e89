"""From a name or a file to a network: classes, channels, and whose weights are refused."""

import warnings

import pytest
import torch

import glocal
from glocal.design import adapt, dump, load
from glocal.errors import WeightError
from glocal.families import vocabulary
from glocal.weights import Model, create_model, export, load_model, save_model
from glocal.weights.tables import LOCUSLAB, SHI_LABS

NAME, MIXER = "cct_2_3x2_32", "convmixer_16_2_p2_k5_32"
CLASSES = tuple("abcdefghij")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_model(NAME).eval()


@pytest.fixture
def saved(network, tmp_path):
    save_model(
        tmp_path / "net.safetensors", Model(network, CLASSES, {"mean": [0.5], "size": [32, 32]}), notes={"top1": 0.5}
    )
    return tmp_path / "net.safetensors"


def body(network):
    return {key: t for key, t in network.state_dict().items() if "head.linear1" not in key}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", [NAME, MIXER, "cvt_2_4_32_sine", "vit_lite_2_4_32"])
def test_saving_and_loading_keeps_every_bit(name, tmp_path):
    torch.manual_seed(0)
    network = create_model(name, num_classes=3, in_chans=1, img_size=(32, 64)).train()
    network(torch.randn(4, 1, 32, 64))  # moves running statistics
    model = Model(network, ("cat", "dog", "ünï 🐟"), {"mean": [0.1], "interpolation": "bicubic"})
    save_model(tmp_path / "a.safetensors", model)
    back = load_model(tmp_path / "a.safetensors")
    assert back[1:] == model[1:]
    assert back.network.arch == network.arch
    assert same(back.network.state_dict(), network.state_dict())
    x = torch.randn(2, 1, 32, 64)
    assert torch.equal(back.network.eval()(x), network.eval()(x))


def test_the_number_of_classes_is_the_files_where_none_is_asked(saved, network):
    assert same(create_model(NAME, weights=saved).state_dict(), network.state_dict())
    save_model(saved, Model(create_model(NAME, num_classes=4), ("a", "b", "c", "d"), {}))
    assert create_model(NAME, weights=saved).num_classes == 4


def test_another_number_of_classes_warns_and_keeps_the_body(saved, network):
    with pytest.warns(
        UserWarning, match=r"net.safetensors: the file has 10 classes; the classifier of 5 starts from fresh values"
    ):
        other = create_model(NAME, num_classes=5, weights=saved)
    assert other.num_classes == 5
    assert same(body(other), body(network))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        headless = create_model(NAME, num_classes=0, weights=saved)
        assert create_model(NAME, num_classes=10, weights=saved).num_classes == 10
    assert headless.num_classes == 0
    assert same(body(headless), body(network))


def test_a_file_without_a_classifier_gives_a_body(network, tmp_path):
    path = tmp_path / "body.safetensors"
    network.reset_classifier(0)
    save_model(path, Model(network, (), {}))
    assert load_model(path).network.num_classes == 0
    for asked in (None, 0):
        assert same(create_model(NAME, num_classes=asked, weights=path).state_dict(), network.state_dict())
    assert same(create_model(network.arch, weights=path).state_dict(), network.state_dict())
    with pytest.warns(UserWarning, match="the classifier of 5 starts from fresh values"):
        assert same(body(create_model(NAME, num_classes=5, weights=path)), network.state_dict())


def test_a_network_without_a_classifier_lists_the_one_it_cannot_read(saved):
    with pytest.raises(WeightError, match=r"2 of the file's keys have no row: head.linear1.bias, head.linear1.weight"):
        create_model(adapt(glocal.architecture(NAME), classes=0), weights=saved)


def test_regularisation_is_no_part_of_what_a_file_fits(network, tmp_path):
    calm = create_model(adapt(network.arch, drop_path=0.0, attention_dropout=0.0))
    calm.load_state_dict(network.state_dict())
    save_model(tmp_path / "calm.safetensors", Model(calm, CLASSES, {}))
    assert same(create_model(NAME, weights=tmp_path / "calm.safetensors").state_dict(), network.state_dict())


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        (f"{MIXER.removesuffix('_32')}_relu_32", MIXER),  # equal keys and shapes, another function
        (NAME, "cct_2_3x2_32_pre"),
        (NAME, "cct_4_3x2_32"),
        (NAME, "cct_2_3x2_32_sine"),
        ("cvt_2_4_32", "vit_lite_2_4_32"),
    ],
)
def test_our_file_of_another_network_is_refused_even_where_all_shapes_fit(file, asked, tmp_path):
    save_model(tmp_path / "a.safetensors", Model(create_model(file), CLASSES, {}))
    with pytest.raises(
        WeightError, match=rf"a.safetensors: holds weights of {file}, whose layers are not those of {asked}"
    ):
        create_model(asked, weights=tmp_path / "a.safetensors")


@pytest.mark.parametrize(("name", "source"), [(NAME, SHI_LABS), (MIXER, LOCUSLAB)])
def test_the_authors_files_load_by_name_and_keep_their_classes(name, source, tmp_path):
    torch.manual_seed(0)
    network = create_model(name, num_classes=6)
    torch.save(export(network, source), tmp_path / "theirs.pth.tar")
    assert same(create_model(name, weights=tmp_path / "theirs.pth.tar").state_dict(), network.state_dict())
    with pytest.raises(WeightError, match=r"theirs.pth.tar says nothing of its architecture or .*: create_model\(NAME"):
        load_model(tmp_path / "theirs.pth.tar")


def test_a_name_and_its_architecture_give_the_same_network():
    torch.manual_seed(0)
    by_name = create_model(NAME, num_classes=3, img_size=40, drop_path_rate=0.3)
    torch.manual_seed(0)
    arch = load(dump(adapt(glocal.architecture(NAME), classes=3, size=40, drop_path=0.3)), vocabulary())
    by_data = create_model(arch)
    assert by_name.arch == by_data.arch
    assert same(by_name.state_dict(), by_data.state_dict())
