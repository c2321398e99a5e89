"""ConvNeXt's block, norms and initial values do what the paper and its code say; also where the block alone does nothing."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

import glocal
from glocal.design import Grid, Norm, Tokens, Vector, adapt
from glocal.families.convnext import ConvNeXtBlock, Downsample, convnext
from glocal.families.variants.roadmap import roadmap
from glocal.net import Network, layers
from glocal.net.build import build


def tiny(*, scale=1.0, drop_path=0.0, **options):
    """A narrow ConvNeXt whose LayerScale starts at `scale`, every norm, bias and scale drawn around its start."""
    torch.manual_seed(0)
    arch = adapt(convnext("tiny", (1, 2, 1), 8, classes=5, drop_path=drop_path, **options), size=(32, 48))
    block = ConvNeXtBlock(scale=scale)
    stages = tuple(replace(stage, blocks=(block,) * len(stage.blocks)) for stage in arch.stages)
    network = Network(replace(arch, stages=stages))
    with torch.no_grad():
        for name, p in network.named_parameters():
            if p.ndim == 1 and "scale" not in name:
                p.add_(torch.rand_like(p) - 0.5)
            elif p.ndim > 1:
                p.normal_(std=p[0].numel() ** -0.5)
    return network.eval()


def pictures(n=2):
    return torch.randn(n, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def grid(c=8, n=2):
    return torch.randn(n, c, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


# ------------------------------------------------------------------------------------------------------ the norms


def norm(c=8, kind="layer"):
    torch.manual_seed(0)
    module = build((Norm(kind, 1e-6),), Grid(c, 5, 7))[0].double()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p))
    return module


@pytest.mark.parametrize("layout", ["contiguous", "channels last", "transposed", "strided"])
def test_layer_norm_of_a_grid_is_that_of_each_position_in_any_layout(layout):
    module, x = norm(), grid()
    x = {
        "contiguous": x,
        "channels last": x.to(memory_format=torch.channels_last),
        "transposed": x.mT.contiguous().mT,
        "strided": torch.cat((x, x), 1)[:, ::2],
    }[layout]
    expected = functional.layer_norm(x.permute(0, 2, 3, 1), (8,), module.weight, module.bias, 1e-6).permute(0, 3, 1, 2)
    torch.testing.assert_close(module(x), expected)
    mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    by_hand = (x - mean) / (var + 1e-6).sqrt() * module.weight[:, None, None] + module.bias[:, None, None]
    torch.testing.assert_close(module(x), by_hand)


def test_layer_norm_is_neither_group_norm_nor_over_positions():
    module, x = norm(), grid()
    group = nn.GroupNorm(1, 8, eps=1e-6).double()
    group.load_state_dict(module.state_dict())
    assert (group(x) - module(x)).abs().max() > 0.5
    instance = functional.instance_norm(x, weight=module.weight, bias=module.bias, eps=1e-6)
    assert (instance - module(x)).abs().max() > 0.5


def test_layer_norm_forgets_what_all_channels_share():
    module, x = norm(), grid()
    shift = torch.randn(2, 1, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(module(x + shift), module(x))
    torch.testing.assert_close(module(x * (1 + shift.abs())), module(x), rtol=1e-4, atol=1e-4)


def test_a_norm_that_divides_by_the_variance_does_not_centre():
    module, x = norm(kind="variance"), grid()
    by_hand = x / (x.var(1, keepdim=True) + 1e-6).sqrt() * module.weight[:, None, None]
    torch.testing.assert_close(module(x), by_hand)
    torch.testing.assert_close(module(x.flatten(2).mT), by_hand.flatten(2).mT)
    torch.testing.assert_close(
        module(x.mean((2, 3))), x.mean((2, 3)) * module.weight / (x.mean((2, 3)).var(1, keepdim=True) + 1e-6).sqrt()
    )
    assert (module(x + 1) - module(x)).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["layer", "variance"])
@pytest.mark.parametrize("s", [Grid(4, 2, 3), Tokens(4, 2, 3), Vector(4)])
def test_gradients_of_norms_are_right_to_float64(kind, s):
    shape = {Grid: (2, 4, 2, 3), Tokens: (2, 6, 4), Vector: (2, 4)}[type(s)]
    module = build((Norm(kind, 1e-6),), s)[0].double()
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,))


# ------------------------------------------------------------------------------------------------------ blocks


def test_a_block_is_what_figure_4_draws():
    torch.manual_seed(0)
    module, x = build(ConvNeXtBlock(scale=0.7).spell(8, 8, 1), Grid(8, 5, 7)).double(), grid()
    b = module[0].branch
    y = functional.conv2d(x, b.depthwise1.weight, b.depthwise1.bias, padding=3, groups=8).permute(0, 2, 3, 1)
    y = functional.layer_norm(y, (8,), b.norm1.weight, b.norm1.bias, 1e-6)
    y = functional.linear(functional.gelu(functional.linear(y, b.linear1.weight, b.linear1.bias)), b.linear2.weight)
    expected = x + 0.7 * (y + b.linear2.bias).permute(0, 3, 1, 2)
    torch.testing.assert_close(module(x), expected)
    assert (b.linear1.out_features, b.linear2.out_features) == (32, 8)


def test_downsampling_is_a_norm_and_then_2x2_windows():
    torch.manual_seed(0)
    module, x = build(Downsample().spell(8, 16, 2), Grid(8, 5, 7)).double(), grid()
    expected = functional.conv2d(module.norm1(x), module.conv1.weight, module.conv1.bias, 2)
    torch.testing.assert_close(module(x), expected)
    assert module(x).shape == (2, 16, 2, 3)
    assert not torch.allclose(module.norm1(functional.conv2d(x, module.conv1.weight, None, 2)[:, :8]), expected[:, :8])


def test_with_a_scale_of_zero_blocks_are_the_identity_and_the_network_is_what_is_between_them():
    network, x = tiny(), pictures()
    loud = network(x)
    for name, p in network.named_parameters():
        if "scale" in name:
            nn.init.zeros_(p)
    y = network.stem(x)
    for i, stage in enumerate(network.stages):
        z = torch.randn(2, 8 * 2**i, 4, 4)
        assert all(torch.equal(block(z), z) for block in stage.blocks)
    for stage in network.stages:
        y = stage.downsample(y) if hasattr(stage, "downsample") else y
    torch.testing.assert_close(network(x), network.head(y))
    assert (loud - network(x)).abs().max() > 0.05


def test_a_block_whose_pointwise_layers_are_broken_shows_only_with_a_scale_of_one():
    """Why networks are compared with every scale drawn: at 1e-6 the blocks say almost nothing."""
    for scale, least, most in ((1.0, 1e-2, 1e3), (1e-6, 0, 1e-4)):
        network, x = tiny(scale=scale), pictures()
        before = network(x)
        for name, p in network.named_parameters():
            if name.endswith("linear1.weight") and "blocks" in name:
                nn.init.zeros_(p)
        assert least <= (network(x) - before).abs().max() <= most


def test_a_pixel_before_the_stem_reaches_seven_by_seven_patches_in_the_first_block():
    network = tiny()
    branch = network.stages[0].blocks[0].residual1.branch
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    poked = x.clone()
    poked[..., 33, 30] += 1
    moved = (branch(network.stem(poked)) - branch(network.stem(x))).abs().amax((0, 1)) > 1e-6
    rows, columns = moved.any(1).nonzero().flatten(), moved.any(0).nonzero().flatten()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8 - 3, 8 + 3, 7 - 3, 7 + 3)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_heads_norm_is_after_the_pooling_or_for_hnf_before_it(norm_first):
    network, x = tiny(norm_first=norm_first), pictures()
    y = network.stages(network.stem(x))
    n, last = network.head.norm1, network.head.linear1
    after = last(functional.layer_norm(y.mean((2, 3)), (32,), n.weight, n.bias, 1e-6))
    before = last(functional.layer_norm(y.permute(0, 2, 3, 1), (32,), n.weight, n.bias, 1e-6).mean((1, 2)))
    torch.testing.assert_close(network(x), before if norm_first else after)
    assert (before - after).abs().max() > 1e-3


# ------------------------------------------------------------------------------------------------------ pictures alone


def alone(network, x):
    return torch.cat([network(picture[None]) for picture in x])


def test_pictures_do_not_see_one_another_in_training_either():
    network, x = tiny().train(), pictures(3)
    torch.testing.assert_close(network(x), alone(network, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("step", "together"), [(0, False), (5, False), (10, False), (11, True), (12, True)])
def test_on_the_road_pictures_see_one_another_until_batch_norm_is_gone(step, together):
    torch.manual_seed(0)
    arch = adapt(roadmap("resnet50")[step], size=64, drop_path=0.0, classes=5)
    stages = tuple(replace(stage, blocks=stage.blocks[:1]) for stage in arch.stages)
    network, x = Network(replace(arch, stages=stages)), torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.train()(x), alone(network, x), rtol=1e-3, atol=1e-4) == together
        torch.testing.assert_close(network.eval()(x), alone(network, x), rtol=1e-3, atol=1e-4)


# ------------------------------------------------------------------------------------------------------ training


@pytest.mark.parametrize("name", ["convnext_tiny", "convnext_isotropic_large", "resnet50_step_9"])
def test_dense_layers_start_from_a_normal_of_0_02_and_biases_from_0(name):
    torch.manual_seed(0)
    network = glocal.create_model(name, img_size=64)
    for path, m in network.named_modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            sampling = 4 / (2 * m.weight.numel()) ** 0.5
            assert m.weight.std().item() == pytest.approx(0.02, rel=max(0.01, sampling)), path
            assert m.weight.mean().abs() < 5 * 0.02 / m.weight.numel() ** 0.5, path
            assert m.bias is None or not m.bias.any(), path
        elif isinstance(m, layers.LayerNorm2d | nn.LayerNorm):
            assert (m.weight == 1).all(), path
            assert not m.bias.any(), path
            assert m.eps == 1e-6, path
        elif isinstance(m, layers.Scale):
            assert (m.weight == 1e-6).all(), path


def test_a_fresh_network_knows_nothing():
    torch.manual_seed(0)
    network = glocal.create_model("convnext_atto", img_size=64, num_classes=100).eval()
    with torch.no_grad():
        logits = network(torch.randn(8, 3, 64, 64))
    loss = functional.cross_entropy(logits, torch.arange(8))
    assert loss.item() == pytest.approx(torch.tensor(100.0).log().item(), abs=0.3)
    assert logits.std().item() == pytest.approx(0.02 * 320**0.5, rel=0.3)


def test_stochastic_depth_of_t_rises_evenly_to_a_tenth_over_18_blocks():
    network = glocal.create_model("convnext_tiny", img_size=32)
    residuals = [m for m in network.modules() if isinstance(m, layers.Residual)]
    assert [m.drop_path for m in residuals] == pytest.approx(torch.linspace(0, 0.1, 18).tolist())
    assert residuals[1].drop_path == pytest.approx(0.00588, abs=5e-6)


def test_stochastic_depth_drops_whole_pictures_keeps_the_mean_and_is_off_in_eval():
    network = tiny(drop_path=0.5)
    block, x = network.stages[2].blocks[0], torch.randn(1, 32, 2, 2).expand(4000, -1, -1, -1)
    with torch.no_grad():
        branch = (block.eval()(x) - x)[:1]
        torch.manual_seed(0)
        dropped = block.train()(x) - x
        kept = (dropped.abs() > 1e-6).flatten(1).any(1)
    assert kept.float().mean().item() == pytest.approx(0.5, abs=0.03)
    torch.testing.assert_close(dropped[kept], 2 * branch.expand(int(kept.sum()), -1, -1, -1), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(dropped.mean(0, keepdim=True), branch, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_every_weight_of_every_block_learns(scale):
    network = tiny(scale=scale).train()
    functional.cross_entropy(network(pictures(4)), torch.arange(4)).backward()
    for name, p in network.named_parameters():
        assert p.grad.abs().max() > 1e-5 * scale, name


def test_overfitting_moves_the_scales_too():
    """The stem, the layers between stages and the head alone can overfit; that the blocks join in shows in their scales."""
    torch.manual_seed(0)
    network = glocal.create_model("convnext_atto", img_size=32, num_classes=4).train()
    x, target = torch.randn(16, 3, 32, 32), torch.arange(16) % 4
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(8):
        loss = functional.cross_entropy(network(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1
    moved = torch.cat([m.weight.detach().abs() for m in network.modules() if isinstance(m, layers.Scale)])
    assert moved.mean().item() > 1e-3
