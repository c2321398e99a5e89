"""ConvMixer computes what the authors' code does: golden digits, the order of its layers, translation, gradients."""

import pytest
import torch
from torch import nn

import glocal
from glocal.design import adapt
from glocal.errors import ShapeError
from glocal.families.convmixer import convmixer
from glocal.net import Network, layers


def filled(kernel: int, act: str = "gelu"):
    """Width 8, depth 2, patch 2; tensor number j holds sin(0.7 i + j) / 2, about 1 where it scales."""
    network = Network(
        convmixer("golden", width=8, depth=2, kernel=kernel, patch=2, act=act, size=16, classes=10)
    ).double()
    tensors = [(key, t) for key, t in network.state_dict().items() if "num_batches" not in key]
    for j, (key, t) in enumerate(tensors):
        value = 0.5 * torch.sin(0.7 * torch.arange(t.numel(), dtype=torch.float64) + j).reshape(t.shape)
        t.copy_(value + (key.endswith("running_var") or (key.endswith("weight") and t.ndim == 1)))
    return network.eval()


def wave():
    return torch.sin(0.3 * torch.arange(2 * 3 * 16 * 16, dtype=torch.float64)).reshape(2, 3, 16, 16)


K5 = [1.6055095275, -0.4678122848, -2.3341535281, -3.1616976340, -2.5807110412]
K5 += [-0.8486936927, 1.2636588245, 2.8152204837, 3.1135644719, 2.0238809548]
K4 = [1.2134285242, -0.2617791600, -1.6224880019, -2.2638437607, -1.8996869114]
K4 += [-0.6901894110, 0.8284957197, 1.9817208907, 2.2558598885, 1.5269677303]


@pytest.mark.parametrize(("kernel", "golden"), [(5, K5), (4, K4)])
def test_logits_are_the_authors_for_odd_and_even_kernels(kernel, golden):
    logits = filled(kernel)(wave())
    assert logits[0].tolist() == pytest.approx(golden, abs=1e-6)
    if kernel == 5:
        assert logits.sum().item() == pytest.approx(2.97319574, abs=1e-6)


def test_even_kernels_padded_the_other_way_give_other_logits(monkeypatch):

    mirrored = filled(4)
    plain = mirrored(wave())
    pad = nn.functional.pad
    monkeypatch.setattr(nn.functional, "pad", lambda x, sides: pad(x, (sides[1], sides[0], sides[3], sides[2])))
    assert (mirrored(wave()) - plain).abs().max() > 1e-3


def test_logits_with_relu_are_the_authors():
    logits = filled(5, "relu")(wave())
    assert logits[0, :4].tolist() == pytest.approx([1.76704051, -0.62673713, -2.74219789, -3.63570335], abs=1e-6)
    assert logits.sum().item() == pytest.approx(3.30256140, abs=1e-6)


def test_one_step_of_batch_statistics_is_the_authors():
    network = filled(5).train()
    logits = network(wave())
    assert logits[0, :4].tolist() == pytest.approx([-1.08616883, -0.44538632, 0.39231045, 1.04498126], abs=1e-6)
    norm = network.stem.norm1
    assert norm.running_mean[:2].tolist() == pytest.approx([-0.3123924396, -0.4153217046], abs=1e-6)
    assert norm.running_var[:2].tolist() == pytest.approx([0.4693541951, 0.6531414704], abs=1e-6)


def test_gelu_is_the_exact_one():
    network = filled(5)
    for m in network.modules():
        if isinstance(m, nn.GELU):
            m.approximate = "tanh"
    assert max(abs(a - b) for a, b in zip(network(wave())[0].tolist(), K5, strict=True)) > 1e-6


def test_the_residual_is_around_the_depthwise_part_alone():
    block = filled(5).stages[0].blocks[0]
    z = torch.randn(2, 8, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    branch = block.residual1.branch
    for t in (branch.depthwise1.weight, branch.depthwise1.bias, branch.norm1.bias, branch.norm1.running_mean):
        nn.init.zeros_(t)
    torch.testing.assert_close(block(z), block.norm1(block.act1(block.linear1(z))))
    nn.init.zeros_(block.linear1.weight)
    assert not torch.allclose(block(z), z, atol=0.1)


def test_the_norm_follows_the_activation_everywhere():
    network = filled(5)
    chains = [network.stem, *(c for b in network.stages[0].blocks for c in (b.residual1.branch, b))]
    for chain in chains:
        dense, act, norm = [type(m) for m in chain][-3:]
        assert (issubclass(dense, nn.Conv2d | layers.Pointwise), issubclass(act, nn.GELU)) == (True, True)
        assert norm is nn.BatchNorm2d


def test_a_trailing_row_that_fills_no_patch_is_dropped_and_a_picture_below_a_patch_refused():
    arch = convmixer("patches", width=4, depth=1, kernel=3, patch=7, size=224, classes=2)
    network = Network(arch).eval()
    x = torch.randn(1, 3, 225, 230, generator=torch.Generator().manual_seed(0))
    assert network.stem(x).shape == (1, 4, 32, 32)
    torch.testing.assert_close(network(x), network(x[:, :, :224, :224]))
    with pytest.raises(ShapeError, match=r"patches, stem, given 3x6x224: .*at least 7 pixels a side, not 6"):
        adapt(arch, size=(6, 224))


@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_a_shift_by_a_patch_shifts_the_features_by_a_cell_away_from_borders(kernel):
    network = filled(kernel)
    x = torch.randn(1, 3, 48, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    here, there = network.forward_features(x), network.forward_features(x.roll((2, 2), (2, 3)))
    inner = slice(2 * kernel, -2 * kernel)
    torch.testing.assert_close(there[..., inner, inner], here.roll((1, 1), (2, 3))[..., inner, inner])


def test_gradients_are_right_to_float64():
    torch.manual_seed(0)
    network = Network(convmixer("small", width=4, depth=1, kernel=3, patch=2, size=8, classes=3)).double().eval()
    x = torch.randn(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    weights = dict(network.named_parameters())

    def logits(x, *values):
        return torch.func.functional_call(network, dict(zip(weights, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(logits, (x, *weights.values()), fast_mode=True)


def test_initial_values_are_pytorchs():
    torch.manual_seed(0)
    ours = glocal.create_model("convmixer_16_1_p2_k5_32")
    torch.manual_seed(0)
    stem, norm = nn.Conv2d(3, 16, 2, 2), nn.BatchNorm2d(16)
    depthwise, pointwise = nn.Conv2d(16, 16, 5, padding=2, groups=16), nn.Conv2d(16, 16, 1)
    head, block = nn.Linear(16, 10), ours.stages[0].blocks[0]
    mine = (ours.stem.conv1, block.residual1.branch.depthwise1, block.linear1, ours.head.linear1)
    for a, b in zip(mine, (stem, depthwise, pointwise, head), strict=True):
        assert torch.equal(a.weight, b.weight.view_as(a.weight))
        assert torch.equal(a.bias, b.bias)
    assert (ours.stem.norm1.eps, ours.stem.norm1.momentum) == (norm.eps, norm.momentum) == (1e-5, 0.1)
