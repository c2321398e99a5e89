"""timm knows our architectures once it is told, under names of their own, and is told nothing that is not so."""

import subprocess
import sys

import pytest
import timm
import torch
from timm.models import FeatureInfo

import glocal
from glocal.errors import ArchitectureError, ShapeError, WeightError
from glocal.net import Network
from glocal.net.pyramid import Pyramid
from glocal.weights import Model, save_model

pytestmark = pytest.mark.usefixtures("registered")
MINI = "glocal_convnext_zepto_rms"


@pytest.fixture(scope="module")
def registered():
    return glocal.register_with_timm()


def pictures(h=64, w=96, c=3):
    return torch.randn(2, c, h, w, generator=torch.Generator().manual_seed(1))


def test_every_named_architecture_is_listed_and_nothing_of_timms_is_shadowed(registered):
    assert registered == [f"glocal_{name}" for name in glocal.list_models()]
    assert set(timm.list_models("glocal_*")) == set(registered) == set(timm.list_models(module="glocal"))
    assert timm.list_models(pretrained=True, filter="glocal_*") == []
    assert type(timm.create_model("convnext_atto")).__module__.startswith("timm.")


@pytest.mark.slow
def test_a_second_call_changes_nothing_and_an_import_registers_nothing(registered):
    code = """
import glocal, timm, glocal.weights.registry
before = timm.list_models()
assert not timm.list_models("glocal_*")
names = glocal.register_with_timm()
after = timm.list_models()
assert set(after) == {*before, *names} and len(after) == len(before) + len(names)
assert glocal.register_with_timm() == names and timm.list_models() == after
assert "glocal_cct_2_3x2_32" not in glocal.__all__ + getattr(glocal.weights.registry, "__all__", [])
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_a_model_from_timm_is_ours_with_timms_arguments():
    torch.manual_seed(0)
    network = timm.create_model(MINI, num_classes=7, in_chans=1, img_size=(64, 96), drop_path_rate=0.2, drop_rate=0.0)
    torch.manual_seed(0)
    ours = glocal.create_model(
        MINI.removeprefix("glocal_"), num_classes=7, in_chans=1, img_size=(64, 96), drop_path_rate=0.2
    )
    assert isinstance(network, Network)
    assert network.arch == ours.arch
    assert torch.equal(network.eval()(pictures(c=1)), ours.eval()(pictures(c=1)))


def test_timms_data_pipeline_is_told_the_size_and_the_channels():
    network = timm.create_model("glocal_cct_2_3x2_32", in_chans=1, img_size=(40, 48))
    assert timm.data.resolve_data_config(model=network)["input_size"] == (1, 40, 48)
    assert network.pretrained_cfg["fixed_input_size"]
    assert not timm.create_model(MINI).pretrained_cfg["fixed_input_size"]
    assert timm.get_pretrained_cfg("glocal_cct_2_3x2_32").num_classes == 10


def test_a_file_says_its_preprocessing_and_fills_the_pyramid(tmp_path):
    torch.manual_seed(0)
    network = glocal.create_model("cct_2_3x2_32", num_classes=3)
    prepared = {"size": [32, 32], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "crop_pct": 0.75}
    prepared |= {"interpolation": "bilinear", "aspect": "squash"}
    save_model(tmp_path / "ours.safetensors", Model(network, ("a", "b", "c"), prepared))
    model = timm.create_model("glocal_cct_2_3x2_32", features_only=True, weights=tmp_path / "ours.safetensors")
    weights = network.state_dict()
    assert all(torch.equal(t, weights[key]) for key, t in model.state_dict().items())
    said = timm.data.resolve_data_config(model=model)
    assert (said["mean"], said["std"], said["crop_pct"]) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 0.75)
    assert (said["interpolation"], said["crop_mode"]) == ("bilinear", "squash")


# ---------------------------------------------------------------------------------------------------------- feature maps


@pytest.mark.parametrize(
    ("name", "strides"), [(MINI, [4, 8, 16, 32]), ("glocal_coatnet_0", [2, 4, 8, 16, 32]), ("glocal_vit_rel", [16])]
)
def test_features_only_gives_the_maps_that_feature_info_describes(name, strides):
    model = timm.create_model(name, features_only=True).eval()
    assert isinstance(model, Pyramid)
    assert isinstance(model.feature_info, FeatureInfo)
    assert model.feature_info.reduction() == strides
    with torch.no_grad():
        maps = model(pictures())
    assert [m.shape[1] for m in maps] == model.feature_info.channels()
    assert [tuple(m.shape[2:]) for m in maps] == [(64 // s, 96 // s) for s in strides]
    for said in model.feature_info.get_dicts():
        assert said["module"] in dict(model.named_modules())


@pytest.mark.parametrize(("asked", "taken"), [((0, 2), (0, 2)), ((-1,), (3,)), (2, (2, 3)), (None, (0, 1, 2, 3))])
def test_out_indices_choose_the_maps_as_in_timm(asked, taken):
    model = timm.create_model(MINI, features_only=True, out_indices=asked)
    theirs = timm.create_model("convnext_atto", features_only=True, **({} if asked is None else {"out_indices": asked}))
    assert model.feature_info.reduction() == theirs.feature_info.reduction()
    assert model.feature_info.out_indices == taken
    assert len(model(pictures())) == len(taken)
    assert len(model.feature_info) == 4


# --------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("features_only", [False, True])
def test_there_are_no_weights_to_download(features_only):
    with pytest.raises(WeightError, match=f"{MINI}: glocal ships no weights; give weights=FILE"):
        timm.create_model(MINI, pretrained=True, features_only=features_only)
    with pytest.raises(RuntimeError, match="Invalid pretrained tag"):
        timm.create_model(f"{MINI}.in1k")


@pytest.mark.parametrize("unknown", [{"output_stride": 8}, {"num_clases": 3}])
def test_an_unknown_argument_is_an_error(unknown):
    with pytest.raises(TypeError, match=next(iter(unknown))):
        timm.create_model(MINI, **unknown)


@pytest.mark.parametrize(
    ("idle", "why"),
    [
        ({"drop_rate": 0.1}, "dropout of a head"),
        ({"out_indices": (1,)}, "features_only"),
        ({"cache_dir": "x"}, "nothing is downloaded"),
        ({"global_pool": "avg", "features_only": True}, "maps are not pooled"),
    ],
)
def test_an_argument_that_would_have_no_effect_is_an_error(idle, why):
    with pytest.raises(ArchitectureError, match=f"{MINI}: {next(iter(idle))} .*{why}.* would have no effect"):
        timm.create_model(MINI, **idle)


def test_a_level_that_is_not_there_is_an_error():
    with pytest.raises(ShapeError, match=r"has level 0 .* 3 \(stride 32\)"):
        timm.create_model(MINI, features_only=True, out_indices=(1, 4))


def test_pooling_is_the_networks_own_or_none():
    assert timm.create_model(MINI, global_pool="avg").num_classes
    with pytest.raises(ArchitectureError, match=r"pools by 'avg', and global_pool='max' would need another head"):
        timm.create_model(MINI, global_pool="max")
    bare = timm.create_model(MINI, num_classes=0, global_pool="").eval()
    assert torch.equal(bare(pictures()), bare.forward_features(pictures()))
    assert bare(pictures()).ndim == 4


@pytest.mark.parametrize(
    "given", [{"pretrained_cfg_overlay": {"input_size": (3, 64, 64)}}, {"pretrained_cfg": {"url": "x"}}]
)
@pytest.mark.parametrize("features_only", [False, True])
def test_a_description_of_pretrained_weights_is_refused_with_the_reason(given, features_only):
    with pytest.raises(
        ArchitectureError, match=r"a file of weights says its own: give weights=FILE; timm.data.resolve"
    ):
        timm.create_model(MINI, features_only=features_only, **given)
