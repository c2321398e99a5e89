"""A pyramid is its network's own stages, read at every resolution and at every size that they can read."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from torch import nn

import glocal
from glocal.design import Architecture, Conv, Grid, Linear, Mean, Norm, Stage, Tokens, adapt, parts
from glocal.errors import ShapeError
from glocal.families.coatnet import MBConv, RelativeTransformer, coatnet
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.glit import GLiTBlock
from glocal.families.mixture import ToGrid, ToTokens
from glocal.net import Network
from glocal.net.pyramid import levels_of, reads_one_size
from strategies import architectures, law

STRIDES = {
    "coatnet_0": ((2, 4, 8, 16, 32), (64, 96, 192, 384, 768)),
    "coatnet_6": ((2, 4, 8, 16, 32), (192, 192, 384, 1536, 3072)),  # two stages at 1/16 are one level
    "coatnet_7": ((2, 4, 8, 16, 32), (192, 256, 512, 2048, 3072)),
    "convnext_tiny": ((4, 8, 16, 32), (96, 192, 384, 768)),
    "convnext_isotropic_small": ((16,), (384,)),
    "resnet50": ((4, 8, 16, 32), (256, 512, 1024, 2048)),
    "resnet200_step_12": ((4, 8, 16, 32), (128, 256, 512, 1024)),
    "vit_base": ((16,), (768,)),
    "vit_rel": ((16,), (352,)),
    "glit_tiny": ((16,), (192,)),
    "convmixer_768_32": ((7,), (768,)),
    "cct_7_3x1_32": ((2,), (256,)),
    "cct_14_7x2_224": ((16,), (384,)),
    "vit_lite_7_4_32": ((4,), (256,)),
}
SMALL_CONVNEXT = Architecture(
    "small_convnext",
    stem=(Conv(8, 4, 4, padding=0), Norm("layer", 1e-6)),
    stages=(
        Stage(8, (ConvNeXtBlock(),) * 2),
        Stage(12, (ConvNeXtBlock(),), 2, Downsample()),
        Stage(16, (ConvNeXtBlock(),), 2, Downsample()),
    ),
    head=(Mean(), Norm("layer"), Linear(5)),
    image=Grid(3, 32, 48),
)
SMALL_COATNET = adapt(
    coatnet("small_coatnet", (1, 1, 2, 1), (8, 8, 12, 16, 24), transformer=RelativeTransformer(8)), size=64
)
# convolution, then tokens without positions, then a grid again: CoAtNet's order with GLiT's words
TOKENS_BETWEEN = Architecture(
    "tokens_between",
    stem=(Conv(8, 3, 2),),
    stages=(
        Stage(8, (MBConv(),), 2),
        Stage(12, (GLiTBlock(2),), 2, ToTokens()),
        Stage(16, (MBConv(),), 1, ToGrid()),
    ),
    head=(Mean(), Linear(5)),
    image=Grid(3, 16, 32),
)


def pictures(h, w, *, n=2, c=3):
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(1))


def built(arch):
    torch.manual_seed(0)
    network = glocal.create_model(arch).eval()
    for module in network.modules():  # tables of offsets begin at zero, which would hide them
        if hasattr(module, "merge"):
            nn.init.normal_(module.table)
    return network


@pytest.fixture(params=[SMALL_CONVNEXT, SMALL_COATNET], ids=lambda arch: arch.name)
def network(request):
    return built(request.param)


# ---------------------------------------------------------------------------------------------------- what the levels are


@pytest.mark.parametrize("name", STRIDES)
def test_strides_and_widths_are_those_of_the_papers_and_known_without_weights(name):
    levels = levels_of(glocal.architecture(name))
    assert (tuple(level.stride for level in levels), tuple(level.width for level in levels)) == STRIDES[name]


@pytest.mark.parametrize("name", glocal.list_models())
def test_every_named_architecture_has_levels_each_coarser_than_the_one_before(name):
    arch = glocal.architecture(name)
    strides = [level.stride for level in levels_of(arch)]
    assert strides == sorted(set(strides))
    assert levels_of(arch)[-1].path == f"stages.{len(arch.stages) - 1}"


def test_strides_do_not_depend_on_the_size_that_the_network_is_built_for():
    tiny = glocal.architecture("convnext_tiny")
    for size in (32, 60, (33, 100), 512):
        assert levels_of(adapt(tiny, size=size)) == levels_of(tiny)


@law(50)
@given(architectures())
def test_a_pyramid_of_a_random_architecture_ends_in_what_its_head_is_given(arch):
    torch.manual_seed(0)
    network = Network(arch).eval()
    pyramid, x = network.features(), pictures(*arch.image[1:], c=arch.image.c)
    with torch.no_grad():
        maps, last = pyramid(x), network.stages(network.stem(x))
    given_to_head = next(part.given for path, part in parts(arch) if path == "head")
    assert [m.shape[1] for m in maps] == [*pyramid.widths]
    assert maps[-1].shape[1:] == given_to_head[:3]
    extra = given_to_head.extra if isinstance(given_to_head, Tokens) else 0
    flat = last.flatten(2).mT if last.ndim == 4 else last[:, extra:]
    torch.testing.assert_close(maps[-1].flatten(2).mT, flat)


# ------------------------------------------------------------------------------------------------------------- what it is


def test_a_pyramid_shares_the_weights_under_their_names_and_has_no_head(network):
    pyramid = network.features()
    theirs, ours = network.state_dict(keep_vars=True), pyramid.state_dict(keep_vars=True)
    assert ours.keys() == {key for key in theirs if not key.startswith("head.")}
    assert all(ours[key] is theirs[key] for key in ours)


def test_maps_are_the_outputs_of_the_networks_own_stages(network):
    h, w = network.arch.image[1:]
    pyramid, x = network.features(), pictures(h, w)
    seen = {}
    for level in pyramid.levels:
        network.get_submodule(level.path).register_forward_hook(
            lambda _, __, y, path=level.path: seen.update({path: y})
        )
    logits = network(x)
    expected = [seen[level.path] for level in pyramid.levels]
    for map_BCHW, output in zip(pyramid(x), expected, strict=True):
        assert torch.equal(map_BCHW, output)
    assert torch.equal(network.forward_head(network.forward_features(x)), logits)


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (64, 96), (160, 32), (128, 128)])
def test_maps_are_the_picture_divided_by_the_strides_at_any_size_that_fits(network, size):
    pyramid = network.features()
    for map_BCHW, stride, width in zip(pyramid(pictures(*size)), pyramid.strides, pyramid.widths, strict=True):
        assert map_BCHW.shape == (2, width, size[0] // stride, size[1] // stride)
        assert torch.isfinite(map_BCHW).all()


def test_another_size_is_read_as_by_the_network_that_is_built_for_it_from_these_weights(network, tmp_path):
    """The tables of offsets are resized on the way as they are when a file is loaded."""
    from safetensors.torch import save_file

    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    other = glocal.create_model(network.arch, img_size=(96, 128), weights=tmp_path / "weights.safetensors").eval()
    x = pictures(96, 128)
    for ours, theirs in zip(network.features()(x), other.features()(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_tokens_are_put_back_on_their_grid_without_the_class_token():
    network = built("vit_lite_2_4_32")
    x, (level,) = pictures(32, 32), network.features()(pictures(32, 32))
    tokens = network.stages(network.stem(x))
    extra = tokens.shape[1] - 64
    assert level.shape == (2, 128, 8, 8)
    assert torch.equal(level[:, :, 2, 5], tokens[:, extra + 2 * 8 + 5])


def test_tokens_without_positions_are_put_back_on_the_grid_of_any_size():
    network = built("cct_2_3x2_32_none")
    (level,) = network.features()(pictures(33, 57))
    assert level.shape == (2, 128, 9, 15)  # two convolutions and two poolings, each rounding up


def test_gradients_reach_the_first_convolution_from_every_level(network):
    pyramid = network.features(norm=True).train()
    for i in range(len(pyramid.levels)):
        pyramid.zero_grad()
        pyramid(pictures(64, 96))[i].square().mean().backward()
        first = next(pyramid.stem.parameters())
        assert torch.isfinite(first.grad).all()
        assert first.grad.abs().sum() > 0


# ----------------------------------------------------------------------------------------------------------- its options


def test_levels_are_chosen_by_index_and_nothing_runs_behind_the_last(network):
    whole, x = network.features(), pictures(64, 64)
    maps = whole(x)
    for asked, expected in [
        ((0,), (0,)),
        ((1, -1), (1, len(maps) - 1)),
        ((-1, 1), (1, len(maps) - 1)),
        ((0, 1), (0, 1)),
    ]:
        some = network.features(asked)
        assert some.indices == expected
        assert some.strides == tuple(whole.strides[i] for i in expected)
        assert some.widths == tuple(whole.widths[i] for i in expected)
        for map_BCHW, i in zip(some(x), expected, strict=True):
            assert torch.equal(map_BCHW, maps[i])
    assert not [key for key in network.features((0,)).state_dict() if key.startswith("stages.1")]


@pytest.mark.parametrize("wrong", [(9,), (-9,), (0, 0), ()])
def test_levels_that_are_not_there_are_refused_with_those_that_are(wrong):
    with pytest.raises(ShapeError, match=r"has level 0 \(stride 4\), 1 \(stride 8\), 2 \(stride 16\); choose"):
        built(SMALL_CONVNEXT).features(wrong)


def test_norm_gives_each_map_a_layer_norm_of_its_own_and_the_raw_map_goes_on(network):
    x = pictures(64, 64)
    raw, pyramid = network.features()(x), network.features(norm=True)
    for i, (normed, map_BCHW) in enumerate(zip(pyramid(x), raw, strict=True)):
        norm = pyramid.get_submodule(f"norm{i}")
        assert norm.eps == 1e-6
        assert torch.equal(norm.weight, torch.ones(pyramid.widths[i]))
        expected = nn.functional.layer_norm(map_BCHW.permute(0, 2, 3, 1), (pyramid.widths[i],), eps=1e-6)
        torch.testing.assert_close(normed, expected.permute(0, 3, 1, 2), rtol=1e-4, atol=1e-5)
    assert not [key for key in network.state_dict() if key.startswith("norm")], "the network gains nothing"
    last = network.features((-1,), norm=True).state_dict().keys()
    assert f"norm{len(raw) - 1}.weight" in last, "a norm is named by its level, whichever levels are chosen"


def test_norms_have_the_type_of_the_weights(network):
    maps = network.double().features(norm=True)(pictures(64, 64).double())
    assert {m.dtype for m in maps} == {torch.float64}


def test_a_pyramid_can_be_copied_and_pickled(network):
    pyramid, x = network.features(norm=True), pictures(64, 96)
    for twin in (copy.deepcopy(pyramid), pickle.loads(pickle.dumps(pyramid))):
        assert all(torch.equal(a, b) for a, b in zip(twin(x), pyramid(x), strict=True))


# ------------------------------------------------------------------------------------------------------------ what it refuses


def test_a_size_that_does_not_fit_is_refused_before_a_layer_runs_with_sizes_that_do():
    network = built(SMALL_COATNET)
    network.stem.register_forward_hook(lambda *_: pytest.fail("ran"))
    with pytest.raises(ShapeError, match="pictures of 70x100 do not fit small_coatnet; 64x96 or 72x104 would "):
        network.features()(pictures(70, 100))
    with pytest.raises(ShapeError, match=r"pictures of 3x64 do not fit small_convnext; 16x64 would \("):
        built(SMALL_CONVNEXT).features()(pictures(3, 64))


def test_only_the_levels_asked_for_must_fit():
    pyramid = built(SMALL_CONVNEXT).features((0,))
    assert pyramid(pictures(7, 5))[0].shape == (2, 8, 1, 1)


@pytest.mark.parametrize("name", ["cct_2_3x2_32", "vit_lite_2_4_32_sine"])
@pytest.mark.parametrize("size", [(16, 64), (64, 64)])
def test_positions_are_those_of_one_picture_size(name, size):
    with pytest.raises(
        ShapeError, match=rf"{name} is built for pictures of 32x32, not {size[0]}x{size[1]}; .*img_size="
    ):
        built(name).features()(pictures(*size))
    arch = adapt(glocal.architecture(name), size=size)
    assert built(arch).features()(pictures(*size))[0].shape == (2, 128, size[0] // 4, size[1] // 4)


def test_tokens_that_return_to_a_grid_between_stages_are_those_of_one_picture_size():
    """Also where the number of tokens agrees: 32 x 16 has as many as 16 x 32, and another grid."""
    network = built(TOKENS_BETWEEN)
    assert reads_one_size(network.arch)
    assert [tuple(m.shape[1:]) for m in network.features()(pictures(16, 32))] == [(8, 8, 16), (8, 4, 8), (16, 2, 4)]
    with pytest.raises(ShapeError, match="tokens_between is built for pictures of 16x32, not 32x16"):
        network.features()(pictures(32, 16))
    assert network.features((0, 1))(pictures(32, 16))[1].shape == (2, 8, 8, 4), "before the tokens any size is read"


def test_the_number_of_input_channels_is_checked(network):
    for wrong in (pictures(64, 64, c=1), pictures(64, 64)[0]):
        with pytest.raises(ShapeError, match=rf"{network.arch.name} reads \(batch, 3, .*in_chans"):
            network.features()(wrong)


# ---------------------------------------------------------------------------------------------------------- the compiler


@pytest.mark.parametrize(
    ("arch", "size"), [(SMALL_CONVNEXT, (64, 32)), (SMALL_COATNET, (32, 64)), (TOKENS_BETWEEN, (16, 32))]
)
def test_a_pyramid_is_one_graph_for_the_compiler(arch, size):
    pyramid, x = built(arch).features(norm=True), pictures(*size)
    compiled = torch.compile(pyramid, backend="eager", fullgraph=True, dynamic=False)
    for ours, theirs in zip(compiled(x), pyramid(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    torch.compiler.reset()
