"""PoolFormer: its sizes, what its two ops compute, and timm's network on the same weights."""

import pytest
import timm
import torch
from torch.nn import functional

import glocal
from glocal.design import Architecture, Conv, Grid, GroupNorm, Linear, Mean, PoolingMixer, Stage, cost, parts
from glocal.errors import ShapeError
from glocal.families.poolformer import SIZES, WEIGHTS, PatchEmbedding, PoolFormerBlock
from glocal.net.build import build
from glocal.weights import SOURCES, export
from peers import agrees


@pytest.mark.parametrize(("size", "millions"), [("s12", 12), ("s24", 21), ("s36", 31), ("m36", 56), ("m48", 73)])
def test_weights_are_those_of_the_authors_readme(size, millions):
    assert round(cost(glocal.architecture(f"poolformer_{size}")).params / 1e6) == millions


@pytest.mark.parametrize("name", SIZES)
def test_cost_is_the_closed_form(name):
    depths, widths, *_ = SIZES[name]
    arch = glocal.architecture(f"poolformer_{name}")
    before, sides = (3, *widths), (56, 28, 14, 7)
    kernels = (49, 9, 9, 9)
    params = sum((k * a + 1) * b for k, a, b in zip(kernels, before, widths, strict=False)) + 2 * widths[-1]
    params += sum(d * (8 * w * w + 5 * w + 2 * 2 * w + 2 * w) for d, w in zip(depths, widths, strict=True))
    macs = sum(k * a * b * n * n for k, a, b, n in zip(kernels, before, widths, sides, strict=False))
    macs += sum(d * 8 * w * w * n * n for d, w, n in zip(depths, widths, sides, strict=True))
    assert cost(arch) == (params + (widths[-1] + 1) * 1000, macs + widths[-1] * 1000)


def test_the_mixer_is_the_mean_of_the_neighbours_on_the_grid_minus_the_position():
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    mixed = build((PoolingMixer(3),), Grid(3, 5, 4))(x)
    for i in range(5):
        for j in range(4):
            near = x[:, :, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            torch.testing.assert_close(mixed[:, :, i, j], near.mean((2, 3)) - x[:, :, i, j])


def test_the_mixer_moves_nothing_in_an_even_picture():
    x = torch.full((1, 2, 6, 6), 3.0)
    assert torch.equal(build((PoolingMixer(5),), Grid(2, 6, 6))(x), torch.zeros_like(x))


def test_the_norm_is_over_all_positions_and_channels_of_a_picture():
    x = torch.randn(3, 8, 5, 4, dtype=torch.float64) * 7 + 2
    one, four = (build((GroupNorm(groups),), Grid(8, 5, 4)).double()(x) for groups in (1, 4))
    torch.testing.assert_close(one.mean((1, 2, 3)), torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(one.var((1, 2, 3), correction=0), torch.ones(3).double(), rtol=0, atol=1e-5)
    assert four.unflatten(1, (4, 2)).mean((2, 3, 4)).abs().max() < 1e-12
    torch.testing.assert_close(one, functional.layer_norm(x, x.shape[1:]))


@pytest.mark.parametrize(
    ("op", "said"), [(PoolingMixer(4), "give it an odd kernel"), (GroupNorm(3), "3 groups do not divide 8 channels")]
)
def test_what_does_not_fit_is_an_error(op, said):
    with pytest.raises(ShapeError, match=said):
        op.out(Grid(8, 4, 4))


def test_timms_network_of_the_name_gives_the_same_logits():
    theirs = timm.create_model("poolformer_s12", num_classes=10)
    ours = glocal.create_model("poolformer_s12_timm", img_size=(64, 96), num_classes=10)
    agrees(ours, theirs, source="timm (PoolFormer)")


def test_timms_weights_are_not_taken_for_the_papers_which_compute_something_else():
    paper, timms = (glocal.create_model(f"poolformer_s12{end}", img_size=64) for end in ("", "_timm"))
    tables = {source.name: source for source in SOURCES if source.name in WEIGHTS}
    with pytest.raises(glocal.errors.WeightError, match="has no names for the weights of poolformer_s12"):
        export(paper, tables["timm (PoolFormer)"])
    with pytest.raises(glocal.errors.WeightError, match="has no names for the weights of poolformer_s12_timm"):
        export(timms, tables["sail-sg/poolformer"])


def test_the_authors_names():
    """The keys of poolformer_s12.pth.tar."""
    keys = export(glocal.create_model("poolformer_s12"), next(s for s in SOURCES if s.name == "sail-sg/poolformer"))
    block = {f"network.0.1.{key}" for key in ("layer_scale_1", "layer_scale_2", "norm1.weight", "mlp.fc2.bias")}
    assert {
        "patch_embed.proj.weight",
        "network.1.proj.bias",
        "network.5.proj.weight",
        "network.6.1.norm2.bias",
    } <= keys.keys()
    assert block | {"norm.weight", "norm.bias", "head.weight", "head.bias"} <= keys.keys()
    assert keys["network.0.0.mlp.fc1.weight"].shape == (256, 64, 1, 1)


def test_a_block_keeps_the_picture_at_first_and_leads_on_from_any_grid():
    stages = (Stage(8, (PoolFormerBlock(),) * 2), Stage(12, (PoolFormerBlock(scale=0.0),), 2, PatchEmbedding(5)))
    arch = Architecture("p", (Conv(8, 3),), stages, (Mean(), Linear(2)), Grid(3, 9, 7))
    assert [part.left for _, part in parts(arch)][-2] == Grid(12, 5, 4)
    network, x = glocal.create_model(arch), torch.randn(1, 3, 9, 7)
    stem = network.stem(x)
    torch.testing.assert_close(network.stages[0](stem), stem, rtol=0, atol=1e-3)  # LayerScale of 1e-5
