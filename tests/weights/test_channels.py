"""Weights for pictures of other channels: the filters of the first convolution are carried as timm carries them."""

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.models._manipulate import adapt_input_conv

import glocal
from glocal.design import adapt
from glocal.errors import WeightError
from glocal.families import architecture
from glocal.weights import Model, create_model, export, load_model, save_model, start_from
from glocal.weights.channels import carried_filters
from glocal.weights.tables import LOCUSLAB, TIMM_CONVNEXT_CONV
from strategies import law

NAME = "cct_2_3x2_32"
PREPROCESS = {"size": [32, 32], "mean": [0.1, 0.2, 0.6], "std": [0.2, 0.3, 0.4], "crop_pct": 1.0, "aspect": "crop"}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "a.safetensors", Model(create_model(NAME, num_classes=3), ("a", "b", "c"), PREPROCESS))
    return tmp_path / "a.safetensors"


@law(60)
@given(st.sampled_from([3]), st.integers(1, 9), st.sampled_from([torch.float32, torch.float16]))
def test_filters_are_timms_to_the_bit(given_channels, channels, dtype):
    filters = torch.randn(4, given_channels, 3, 3).to(dtype)
    theirs = adapt_input_conv(channels, filters.clone())
    assert torch.equal(carried_filters(filters, channels), theirs)


@law(40)
@given(st.sampled_from([1, 3]), st.integers(1, 12))
def test_the_same_picture_in_every_channel_excites_the_filters_alike(given_channels, channels):
    """Where the channels divide evenly; else the last ones are missing from one turn."""
    filters = torch.randn(4, given_channels, 3, 3, dtype=torch.float64)
    carried = carried_filters(filters, channels)
    assert carried.shape == (4, channels, 3, 3)
    if channels == 1 or channels % given_channels == 0:
        torch.testing.assert_close(carried.sum(1), filters.sum(1), rtol=1e-6, atol=1e-6)


def test_a_grey_network_answers_as_the_network_of_colours_does_for_grey_pictures(saved):
    colours, grey = create_model(NAME, weights=saved).eval(), create_model(NAME, weights=saved, in_chans=1).eval()
    x = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(grey(x), colours(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)
    assert grey.labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("channels", "how"), [(1, "are summed for 1"), (4, "are repeated in turn and scaled by 3/4 for 4")]
)
def test_the_report_says_what_became_of_the_filters(saved, channels, how):
    network, loaded = start_from(adapt(architecture(NAME), channels=channels), saved)
    assert f"the filters of the first convolution, for 3 channels in the file, {how}" in str(loaded)
    told = timm.data.resolve_model_data_config(network)
    assert told["input_size"] == (channels, 32, 32)
    assert told["mean"] == pytest.approx((0.3,) * channels)
    assert "filters" not in str(start_from(architecture(NAME), saved)[1])


def test_filters_of_channels_that_nobody_knows_are_only_summed(tmp_path):
    save_model(tmp_path / "a.safetensors", Model(create_model(NAME, in_chans=5), tuple("abcdefghij"), {}))
    assert create_model(NAME, weights=tmp_path / "a.safetensors", in_chans=1).in_chans == 1
    with pytest.raises(
        WeightError, match=r"a.safetensors: .*reads 5 channels, .* not be carried to 3; give in_chans=5"
    ):
        create_model(NAME, weights=tmp_path / "a.safetensors")


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_the_authors_files_and_timms_are_carried_too(tmp_path, channels):
    """Also where a patch of one pixel makes ours a dense layer."""
    torch.manual_seed(0)
    for name, source in (("convmixer_16_2_p1_k5_32", LOCUSLAB), ("convnext_atto", TIMM_CONVNEXT_CONV)):
        network = create_model(name, num_classes=3)
        torch.save(export(network, source), tmp_path / "theirs.pth")
        found = create_model(name, weights=tmp_path / "theirs.pth", in_chans=channels)
        first = f"{network.pretrained_cfg['first_conv']}.weight"
        carried = carried_filters(network.state_dict()[first], channels)
        assert torch.equal(found.state_dict()[first], carried)


def test_a_patch_of_one_pixel_is_a_convolution_in_the_authors_file():
    """locuslab's convmixer(dim, depth, kernel_size, patch_size=1) begins with nn.Conv2d(3, dim, 1)."""
    theirs = export(create_model("convmixer_16_2_p1_k5_32"), LOCUSLAB)
    assert theirs["0.weight"].shape == (16, 3, 1, 1)
    network = create_model("convmixer_16_2_p1_k5_32")
    glocal.weights.load_into(network, theirs)
    assert torch.equal(network.stem.conv1.weight, theirs["0.weight"][:, :, 0, 0])


def test_a_saved_network_keeps_its_own_channels(saved):
    grey = create_model(NAME, weights=saved, in_chans=1)
    save_model(saved, Model(grey, grey.labels, dict(grey.preprocess)))
    assert load_model(saved).network.in_chans == 1
