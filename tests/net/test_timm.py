"""A network of ours in code written for timm: timm's own functions read it, group its weights, average it and train it."""

import pytest
import timm
import torch
from hypothesis import given
from timm.models import group_modules, group_parameters
from timm.models._features import FeatureGetterNet
from timm.optim import create_optimizer_v2
from timm.optim._param_groups import param_groups_layer_decay

import glocal
from glocal.design import adapt
from glocal.errors import ArchitectureError, DataError, ShapeError
from glocal.net import Network
from glocal.weights import SOURCES, export
from strategies import architectures, law

SMALL = ("cct_2_3x2_32", "vit_lite_2_4_32", "convmixer_16_2_p2_k5_32", "airbench_32_128_256")
SOURCE = {source.name: source for source in SOURCES}


def network(name, **more):
    torch.manual_seed(0)
    return glocal.create_model(name, **more).eval()


def pictures(network, n=2):
    return torch.randn(n, *network.arch.image, generator=torch.Generator().manual_seed(1))


# ------------------------------------------------------------------------------------------------------- the data pipeline


@pytest.mark.parametrize("name", SMALL)
def test_timms_data_configuration_is_the_networks_own_size(name):
    assert timm.data.resolve_model_data_config(network(name))["input_size"] == (3, 32, 32)
    other = network(name, in_chans=1, img_size=(32, 64), num_classes=3)
    told = timm.data.resolve_model_data_config(other)
    assert told["input_size"] == (1, 32, 64)
    assert len(told["mean"]) == len(told["std"]) == 1
    assert other.default_cfg == other.pretrained_cfg
    other.reset_classifier(5)
    assert other.pretrained_cfg["num_classes"] == 5


@pytest.mark.parametrize("name", [*SMALL, "convnext_zepto_rms", "coatnet_0"])
def test_the_first_convolution_and_the_classifier_are_named(name):
    arch = glocal.architecture(name)
    with torch.device("meta"):
        made = Network(arch)
    told = made.pretrained_cfg
    first = made.get_submodule(told["first_conv"])
    assert first is next(m for m in made.modules() if hasattr(m, "weight"))
    assert made.get_submodule(told["classifier"]) is made.get_classifier()
    made.reset_classifier(0)
    assert made.pretrained_cfg["classifier"] is None
    assert timm.models.PretrainedCfg(**told).num_classes == told["num_classes"]


def test_a_size_that_a_network_must_be_built_for_is_said():
    fixed = {name: network(name).pretrained_cfg["fixed_input_size"] for name in ("cct_2_3x2_32", "convnext_zepto_rms")}
    assert fixed == {"cct_2_3x2_32": True, "convnext_zepto_rms": False}
    with torch.device("meta"):
        assert Network(glocal.architecture("coatnet_0")).pretrained_cfg["fixed_input_size"]


# ------------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_whole_numbers_are_no_pictures(dtype):
    made = network("cct_2_3x2_32")
    for reader in (made, made.features()):
        with pytest.raises(DataError, match=r"reads normalised pictures, .* \(x.float\(\) / 255 - mean\) / std"):
            reader(torch.zeros(2, 3, 32, 32, dtype=dtype))


def test_the_check_of_pictures_leaves_nothing_in_an_exported_program():
    made = network("convmixer_16_2_p2_k5_32")
    program = torch.export.export(made, (pictures(made),))
    assert not [node for node in program.graph.nodes if "assert" in str(node.target) or "item" in str(node.target)]


def test_pooling_is_the_networks_own_or_none():
    made = network("vit_lite_2_4_32")
    assert made.global_pool == "token"
    assert network("convmixer_16_2_p2_k5_32").global_pool == "avg"
    for asked, classes in (("max", 10), ("avg", 0)):
        with pytest.raises(ArchitectureError, match=rf"pools by 'token', and global_pool='{asked}' would need"):
            made.reset_classifier(classes, asked)
    with pytest.raises(ArchitectureError, match="add num_classes=0"):
        made.reset_classifier(10, "")
    made.reset_classifier(0, "")
    x = pictures(made)
    assert torch.equal(made(x), made.forward_features(x))
    with pytest.raises(ArchitectureError, match="add num_classes=0"):
        made.reset_classifier(10)
    made.reset_classifier(4, "token")
    assert made(x).shape == (2, 4)


# ------------------------------------------------------------------------------------------------------- intermediates


def peers(ours, theirs, source, **more):
    """A network of ours and timm's of the same weights."""
    torch.manual_seed(0)
    peer = timm.create_model(theirs, **more).eval()
    made = glocal.create_model(ours).eval()
    peer.load_state_dict(export(made, SOURCE[source]))
    return made, peer


def small_vit():
    return peers(adapt(glocal.architecture("deit_tiny"), size=32), "deit_tiny_patch16_224", "timm (ViT)", img_size=32)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("output_fmt", ["NCHW", "NLC"])
@pytest.mark.parametrize("indices", [None, 3, (0, -1), (5,)])
def test_intermediates_of_a_vit_are_timms(norm, output_fmt, indices):
    made, peer = small_vit()
    x = pictures(made)
    for stop_early in (False, True):
        asked = {"norm": norm, "output_fmt": output_fmt, "stop_early": stop_early}
        _, ours = made.forward_intermediates(x, indices, **asked)
        _, theirs = peer.forward_intermediates(x, indices, **asked)
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("indices", [None, 2, (1, 3)])
def test_intermediates_of_a_convnext_are_timms(indices):
    made, peer = peers("convnext_atto", "convnext_atto", "timm (ConvNeXt, conv_mlp)")
    x = torch.randn(1, 3, 64, 96)
    for stop_early in (False, True):
        end, ours = made.forward_intermediates(x, indices, stop_early=stop_early)
        their_end, theirs = peer.forward_intermediates(x, indices, stop_early=stop_early)
        for mine, other in zip([end, *ours], [their_end, *theirs], strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)
    assert [info["reduction"] for info in made.feature_info] == [info["reduction"] for info in peer.feature_info]


@law(40)
@given(architectures())
def test_intermediates_of_any_network_are_where_feature_info_says(arch):
    torch.manual_seed(0)
    made = Network(arch).eval()
    x = pictures(made)
    with torch.no_grad():
        end, maps = made.forward_intermediates(x)
        assert torch.equal(end, made.forward_features(x))
        assert [m.shape[1] for m in maps] == [info["num_chs"] for info in made.feature_info]
        assert all(info["module"] in dict(made.named_modules()) for info in made.feature_info)
        flat = made.forward_intermediates(x, output_fmt="NLC", intermediates_only=True)
        assert all(torch.equal(f, m.flatten(2).mT) for f, m in zip(flat, maps, strict=True))
        (last,) = made.forward_intermediates(x, 1, intermediates_only=True, stop_early=True)
        assert torch.equal(last, maps[-1])
        if ".blocks." not in made.feature_info[0]["module"]:
            assert all(torch.equal(a, b) for a, b in zip(made.features()(x), maps, strict=True))


def test_intermediates_that_are_not_there_are_an_error():
    made = network("cct_2_3x2_32")
    for wrong in (0, 3, (2,), (0, 0), ()):
        with pytest.raises(ShapeError, match=r"has level 0 \(stages.0.blocks.0\), 1 \(stages.0.blocks.1\); choose"):
            made.forward_intermediates(pictures(made), wrong)
    with pytest.raises(ShapeError, match="output_fmt is 'NHWC'; possible are 'NCHW' and 'NLC'"):
        made.forward_intermediates(pictures(made), output_fmt="NHWC")


def test_timms_feature_getter_reads_a_network_of_ours():
    made = network("vit_lite_2_4_32")
    getter = FeatureGetterNet(made, out_indices=(0, 1))
    maps = getter(pictures(made))
    assert getter.feature_info.channels() == [m.shape[1] for m in maps]
    assert [tuple(m.shape[2:]) for m in maps] == [(32 // r, 32 // r) for r in getter.feature_info.reduction()]


# ------------------------------------------------------------------------------------------------------- checkpointing


def step(made, x, checkpointed):
    """Gradients and state after a backward pass in training mode, and how many blocks were run."""
    runs = []
    hooks = [b.register_forward_pre_hook(lambda *_: runs.append(1)) for stage in made.stages for b in stage.blocks]
    made.set_grad_checkpointing(checkpointed)
    made.train().zero_grad()
    torch.manual_seed(7)
    made(x).square().mean().backward()
    for hook in hooks:
        hook.remove()
    grads = {name: p.grad.clone() for name, p in made.named_parameters()}
    return grads, {key: t.clone() for key, t in made.state_dict().items()}, len(runs)


@law(30)
@given(architectures())
def test_checkpointing_gives_the_same_gradients_and_statistics_and_runs_each_block_twice(arch):
    torch.manual_seed(0)
    made = Network(arch)
    start = {key: t.clone() for key, t in made.state_dict().items()}
    x = pictures(made)
    grads, state, runs = step(made, x, checkpointed=False)
    made.load_state_dict(start)
    again, state_again, runs_again = step(made, x, checkpointed=True)
    assert runs_again == 2 * runs
    assert all(torch.equal(state[key], state_again[key]) for key in state)
    for key in grads:
        torch.testing.assert_close(again[key], grads[key], rtol=1e-5, atol=1e-6)


def test_checkpointing_is_switched_off_again_and_reaches_the_pyramid():
    made = network("convmixer_16_2_p2_k5_32")
    pyramid = made.features()
    pyramid.set_grad_checkpointing()
    assert made.grad_checkpointing
    made.set_grad_checkpointing(enable=False)
    assert not made.grad_checkpointing
    assert step(made, pictures(made), checkpointed=False)[2] == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_lite_2_4_32", "convmixer_16_2_p2_k5_32"])
def test_a_compiler_takes_all_of_it_as_one_graph(name):
    made = network(name)
    x, getter = pictures(made), FeatureGetterNet(made, out_indices=(0, 1))
    for module in (made, getter):
        compiled = torch.compile(module, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), module(x))
    start = {key: t.clone() for key, t in made.state_dict().items()}
    grads, state, _ = step(made, x, checkpointed=False)
    made.load_state_dict(start)
    made.set_grad_checkpointing()
    made.zero_grad()
    torch.manual_seed(7)
    torch.compile(made, backend="aot_eager", fullgraph=True)(x).square().mean().backward()
    for key, p in made.named_parameters():
        torch.testing.assert_close(p.grad, grads[key], rtol=1e-5, atol=1e-6)
    for key, t in made.state_dict().items():
        torch.testing.assert_close(t, state[key])


# ------------------------------------------------------------------------------------------------------- optimisers


def timms_scales(made):
    """The factor on the learning rate of each parameter, as timm's layer decay gives it."""
    named = {id(p): name for name, p in made.named_parameters()}
    spared = made.no_weight_decay() if hasattr(made, "no_weight_decay") else ()  # as timm's factory asks
    groups = param_groups_layer_decay(made, no_weight_decay_list=spared, layer_decay=0.5)
    return {named[id(p)]: (g["lr_scale"], g["weight_decay"]) for g in groups for p in g["params"]}


@pytest.mark.parametrize("name", ["vit", "convnext"])
def test_layer_decay_by_timm_gives_our_weights_the_rates_of_timms(name):
    convnext = ("convnext_atto", "convnext_atto", "timm (ConvNeXt, conv_mlp)")
    made, peer = small_vit() if name == "vit" else peers(*convnext)
    theirs, ours = timms_scales(peer), timms_scales(made)
    moved = export(made, SOURCE["timm (ViT)" if name == "vit" else convnext[2]])
    keys = dict(zip(made.state_dict(), moved, strict=True))
    assert {keys[key]: scale for key, scale in ours.items()} == theirs


@pytest.mark.parametrize("name", SMALL)
def test_timms_optimiser_factory_takes_layer_decay(name):
    made = network(name, num_classes=3).train()
    optimizer = create_optimizer_v2(made, opt="adamw", lr=0.1, weight_decay=0.05, layer_decay=0.5)
    scales = sorted({group["lr_scale"] for group in optimizer.param_groups})
    layers = len(group_parameters(made, made.group_matcher()))
    assert scales == [0.5**i for i in reversed(range(layers))]
    before = made.get_classifier().weight.clone()
    made(pictures(made)).square().mean().backward()
    optimizer.step()
    assert not torch.equal(before, made.get_classifier().weight)


@law(40)
@given(architectures())
def test_every_parameter_of_any_network_is_in_one_group_in_forward_order(arch):
    with torch.device("meta"):
        made = Network(arch)
    names = [name for name, _ in made.named_parameters()]
    for coarse in (False, True):
        groups = group_parameters(made, made.group_matcher(coarse=coarse))
        assert sorted(name for group in groups.values() for name in group) == sorted(names)
        if len(groups) > 2:
            assert all(name.startswith("stem.") for name in groups[0])
        stages = [{name.split(".")[1] for name in g if name.startswith("stages")} for g in groups.values()]
        assert all(len(found) <= 1 for found in stages)
        assert [min(found) for found in stages if found] == sorted(min(found) for found in stages if found)
    assert made.no_weight_decay() <= set(names)


def test_what_decay_spares_is_what_timm_spares():
    made, peer = small_vit()
    keys = dict(zip(made.state_dict(), export(made, SOURCE["timm (ViT)"]), strict=True))
    assert {keys[key] for key in made.no_weight_decay()} == peer.no_weight_decay() & peer.state_dict().keys()
    for name, source in (
        ("coatnet_nano_rw_224", "timm (CoAtNet, rw)"),
        ("coatnet_rmlp_nano_rw_224", "timm (CoAtNet, rw)"),
    ):
        with torch.device("meta"):
            made, peer = Network(glocal.architecture(name)), timm.create_model(name)
        keys = dict(zip(made.state_dict(), export(made, SOURCE[source]), strict=True))
        assert {keys[key] for key in made.no_weight_decay()} == peer.no_weight_decay()


def test_timm_freezes_our_stages_by_its_groups():
    made = network("cct_2_3x2_32")
    groups = group_modules(made, made.group_matcher(coarse=True))
    rooms = [sorted({name.split(".")[0] for name in group}) for group in groups.values()]
    assert rooms == [["stem"], ["head", "stages"], ["head"]]
    timm.utils.freeze(made, ["stem"])
    assert {name.split(".")[0] for name, p in made.named_parameters() if not p.requires_grad} == {"stem"}
