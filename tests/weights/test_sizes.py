"""Every architecture at other picture sizes, square or not: built, or refused with sizes that do; weights follow."""

import re

import pytest
import torch

import glocal
from glocal.design import Architecture, Conv, Grid, Linear, Mean, Stage, adapt
from glocal.errors import ShapeError, WeightError
from glocal.families import list_models
from glocal.families.mixture import ToGrid, ToTokens
from glocal.families.vit import TransformerLayer
from glocal.weights import Model, export, load_into, load_model, save_model
from glocal.weights.tables import FACEBOOK, TIMM_COATNET, TIMM_CONVNEXT_CONV, TIMM_CONVNEXT_HNF
from sampled import but_slow

SIZES = ((64, 64), (64, 512), (96, 160), (225, 200), (384, 384), (512, 336))
FAMILIES = (
    *("coatnet_0", "coatnet_0_after", "coatnet_nano_rw_224", "coatnet_rmlp_nano_rw_224", "convnext_atto", "resnet50"),
    *("convmixer_256_8_p2_k5_32", "cct_2_3x2_32", "vit_lite_2_4_32", "cct_2_3x2_32_sine", "deit_tiny", "glit_tiny"),
)


@pytest.mark.parametrize("name", list_models())
def test_a_size_is_read_or_refused_with_sizes_that_are_read(name):
    arch = glocal.architecture(name)
    for size in SIZES:
        refused = ""
        try:
            assert adapt(arch, size=size).image[1:] == size
        except ShapeError as error:
            refused = str(error)
        if refused:
            said = re.match(rf"pictures of {size[0]}x{size[1]} do not fit {arch.name}; ([^()]*) would", refused)
            for near in said[1].split(" or "):
                adapt(arch, size=tuple(map(int, near.split("x"))))


def made(name, size, seed=0):
    torch.manual_seed(seed)
    return glocal.create_model(name, img_size=size, num_classes=5).eval()


@pytest.mark.parametrize("name", but_slow(FAMILIES, (*FAMILIES[1:6], *FAMILIES[8:10])))
def test_weights_load_at_another_size_as_resizing_gives_them_and_at_their_own_to_the_bit(name, tmp_path):
    small = made(name, (64, 96))
    save_model(tmp_path / "w.safetensors", Model(small, tuple("abcde"), {}))
    for size in ((64, 96), (96, 64), (128, 128)):
        loaded = glocal.create_model(name, img_size=size, weights=tmp_path / "w.safetensors").eval()
        resized = small.resized(size)
        state = resized.state_dict()
        assert all(torch.equal(t, state[key]) for key, t in loaded.state_dict().items())
        x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            assert torch.equal(loaded(x), resized(x))
            if size == (64, 96):
                assert torch.equal(loaded(x), small(x))
    assert not small.resized((64, 96)).training


def test_a_resized_network_keeps_mode_and_type_and_shares_no_weight():
    network = made("coatnet_0", 64).double().train()
    other = network.resized((64, 96))
    assert other.training
    assert next(other.parameters()).dtype == torch.float64
    assert not {p.data_ptr() for p in network.parameters()} & {p.data_ptr() for p in other.parameters()}


def test_a_saved_rectangle_of_square_many_places_is_read_back_to_the_bit(tmp_path):
    network = made("cct_2_3x2_32", (16, 64))  # 4 x 16 places, as many as 8 x 8
    save_model(tmp_path / "w.safetensors", Model(network, tuple("abcde"), {}))
    again = load_model(tmp_path / "w.safetensors").network
    assert all(torch.equal(t, again.state_dict()[key]) for key, t in network.state_dict().items())


def test_positions_at_several_grids_are_each_carried_from_their_own(tmp_path):
    layer = TransformerLayer(2)
    stages = Stage(8, (layer,), 2, ToTokens(positions=True)), Stage(8, (), 1, ToGrid())
    arch = Architecture(
        "two_grids", (Conv(8, 2, 2, padding=0),), (*stages, *stages), (Mean(), Linear(3)), image=Grid(3, 32, 64)
    )
    network = glocal.create_model(arch)
    save_model(tmp_path / "w.safetensors", Model(network, tuple("abc"), {}))
    same = glocal.create_model(arch, weights=tmp_path / "w.safetensors")
    assert all(torch.equal(t, same.state_dict()[key]) for key, t in network.state_dict().items())
    wide = glocal.create_model(arch, weights=tmp_path / "w.safetensors", img_size=(32, 32))
    table = "stages.{}.downsample.learned_position1.table"
    assert [wide.state_dict()[table.format(i)].shape[1] for i in (0, 2)] == [64, 16]


# ------------------------------------------------------------------------------------------------------ the same keys


@pytest.mark.parametrize(
    ("name", "other", "source"),
    [
        ("convnext_atto", "convnext_atto_hnf", TIMM_CONVNEXT_CONV),
        ("convnext_atto_hnf", "convnext_atto", TIMM_CONVNEXT_HNF),
        ("convnext_atto", "convnext_atto_hnf", FACEBOOK),
        ("coatnet_0", "coatnet_0_after", TIMM_COATNET),
    ],
)
def test_weights_of_the_same_shapes_do_not_load_into_another_function(name, other, source):
    with pytest.raises(WeightError, match=f"not the weights of {other}"):
        load_into(made(other, 64), export(made(name, 64), source))
    with pytest.raises(WeightError, match=f"no names for the weights of {other}"):
        export(made(other, 64), source)
