"""Attention read from outside is the attention that the layers compute, of glocal and of timm."""

import pytest
import timm
import torch
from torch import nn

from glocal.design import (
    AreaAttention,
    Attention,
    Grid,
    LogRelativeAttention,
    RelativeAttention,
    Tokens,
    WindowAttention,
)
from glocal.errors import RecipeError
from glocal.explaining.attention.own_layers import probabilities
from glocal.explaining.attention.places import Positions, carry
from glocal.explaining.attention.rollout import attention_of, rollout, why_no_rollout
from glocal.explaining.methods import choose_methods
from glocal.explaining.subject import readable_place, subject_of
from glocal.net.build import layer


def filled(network: nn.Module) -> nn.Module:
    """The network with values in place of its first ones, which leave branches out."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


CASES = {
    "tokens": (Attention(2, 3, 5), Tokens(4, 4, 6, 1)),
    "grid": (Attention(2, 3, 5), Grid(4, 4, 6)),
    "offsets": (RelativeAttention(2, 3, 5), Grid(4, 4, 6)),
    "logarithms": (LogRelativeAttention(2, 3, 5, True, 0.0, 7), Grid(4, 4, 6)),
    "areas": (AreaAttention(2, 3, 5, True, 0.0, 2, 3), Tokens(4, 4, 6, 1)),
    "windows": (WindowAttention(2, 3, 5, window_size=2), Grid(4, 4, 6)),
    "shifted windows": (WindowAttention(2, 3, 5, window_size=4, shifted=True), Grid(4, 8, 12)),
}


@pytest.mark.parametrize("name", CASES)
def test_probabilities_times_values_is_what_the_layer_leaves(name):
    op, s = CASES[name]
    attention = layer(op, s).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        shape = (2, s.n, s.c) if isinstance(s, Tokens) else (2, s.c, s.h, s.w)
        x = torch.randn(shape, generator=generator)
        tokens = x if isinstance(s, Tokens) else x.flatten(2).mT
        shares = probabilities(attention, x)
        again = attention.joined(shares @ attention.heads_of(tokens)[2])
        left = attention(x)
    left = left if isinstance(s, Tokens) else left.flatten(2).mT
    torch.testing.assert_close(again, left, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 2, s.n))


@pytest.mark.parametrize("name", CASES)
def test_the_mean_of_the_heads_is_the_mean_of_their_probabilities(name):
    op, s = CASES[name]
    attention, x = layer(op, s).eval(), torch.randn((2, s.n, s.c) if isinstance(s, Tokens) else (2, s.c, s.h, s.w))
    mean = probabilities(attention, x, heads="mean")
    torch.testing.assert_close(mean, probabilities(attention, x).mean(1, keepdim=True))


def test_padded_windows_lose_what_they_spend_on_the_padding():
    op, s = WindowAttention(2, 3, 5, window_size=4), Grid(4, 5, 6)
    shares = probabilities(layer(op, s), torch.randn(1, 4, 5, 6)).sum(-1)
    assert shares.max() <= 1 + 1e-6
    assert shares.min() < 0.9


def test_positions_are_carried_by_the_area_that_they_cover():
    halved = carry(Positions(4, 6), Positions(2, 3))
    x = torch.randn(1, 1, 4, 6)
    torch.testing.assert_close(halved @ x.flatten(), nn.functional.avg_pool2d(x, 2).flatten())
    for a, b in ((Positions(3, 5), Positions(4, 2)), (Positions(7, 7, 1), Positions(3, 4, 1))):
        torch.testing.assert_close(carry(a, b).sum(1), torch.ones(b.n))
    assert carry(Positions(2, 2), Positions(2, 2, 1))[0].sum() == 0, "a new class token has read nothing"
    assert torch.equal(carry(Positions(3, 2, 1), Positions(3, 2, 1)), torch.eye(7))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("test_vit", {"img_size": 64}),
        ("vit_tiny_patch16_224", {"img_size": 64, "global_pool": "avg"}),
        ("vit_tiny_r_s16_p8_224", {"img_size": 64}),  # convolutions in front
        ("swin_tiny_patch4_window7_224", {"img_size": 64, "window_size": 4}),
    ],
)
def test_what_is_read_of_timm_times_values_is_what_its_layers_leave(name, options):
    network = filled(
        timm.create_model(name, num_classes=3, depths=(2, 2), **options)
        if "swin" in name
        else timm.create_model(name, num_classes=3, **options)
    )
    subject, x = subject_of(network, (64, 64)), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    blocks = {
        path: block for path, block in network.named_modules() if hasattr(block, "attn") and hasattr(block, "norm1")
    }
    streams = {}
    hooks = [
        block.register_forward_pre_hook(lambda _, given, path=path: streams.update({path: given[0]}))
        for path, block in blocks.items()
    ]
    with torch.no_grad():
        layers = attention_of(subject, x)
        assert [place.path for place, _ in layers] == [f"{path}.attn" for path in blocks]
        for place, shares in layers:
            block = blocks[place.path.removesuffix(".attn")]
            normed = block.norm1(streams[place.path.removesuffix(".attn")])
            left = block._attn(normed) if normed.ndim == 4 else block.attn(normed)  # of windows, shifted back
            tokens = normed.flatten(1, -2)
            b, n, _ = tokens.shape
            assert n == place.positions.n
            values = block.attn.qkv(tokens).view(b, n, 3, block.attn.num_heads, -1)[:, :, 2].transpose(1, 2)
            again = block.attn.proj((shares @ values).transpose(1, 2).flatten(2))
            torch.testing.assert_close(again, left.flatten(1, -2), rtol=1e-4, atol=1e-4)
    for hook in hooks:
        hook.remove()


def test_windows_of_timm_that_are_padded_lose_what_they_spend_on_the_padding():
    network = filled(timm.create_model("swin_tiny_patch4_window7_224", img_size=64, window_size=3, depths=(2,)))
    sums = [shares.sum(-1) for _, shares in attention_of(subject_of(network, (64, 64)), torch.randn(1, 3, 64, 64))]
    assert all(s.max() <= 1 + 1e-5 and s.min() < 0.9 for s in sums)


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_rollout_of_timm_is_that_of_the_same_network_of_glocal(pool):
    """Two layers without convolutions: the product written out."""
    network = filled(timm.create_model("test_vit", img_size=64, num_classes=3, global_pool=pool))
    subject, x = subject_of(network, (64, 64)), torch.randn(2, 3, 64, 64)
    flow = torch.eye(17)
    for _, shares in attention_of(subject, x):
        flow = (shares.mean(1) + torch.eye(17)) / 2 @ flow
    expected = flow[:, 0, 1:] if pool == "token" else flow[:, 1:, 1:].mean(1)
    torch.testing.assert_close(rollout(subject, x), expected.unflatten(1, (4, 4)))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("coatnet_nano_rw_224", "attention of timm's MaxxVit is not read"),
        ("vit_base_patch16_siglip_224", "it pools by 'map'"),
        ("resnet10t", "attention of timm's ResNet is not read"),
    ],
)
def test_where_attention_is_not_read_one_line_says_so(name, reason):
    options = {} if name == "resnet10t" else {"img_size": 64}
    options |= {"depth": 1} if "siglip" in name else {}
    subject = subject_of(timm.create_model(name, num_classes=3, **options), (64, 64))
    assert reason in why_no_rollout(subject)
    with pytest.raises(RecipeError, match=reason):
        choose_methods(subject, readable_place(subject), "attention")
    assert bool(attention_of(subject, torch.randn(1, 3, 64, 64))) == ("siglip" in name), (
        "layers are known, pooling is not"
    )
