"""Compact Transformers behave as the authors' code does: layer by layer, in initial values, and to the golden digits."""

import math

import pytest
import torch
from torch import nn

import glocal
from glocal.net import layers
from glocal.net.layers import sinusoid
from glocal.weights import load_into
from glocal.weights.tables import SHI_LABS
from glocal.weights.translate import names


def pictures(n=2):
    return torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def made(name, **said):
    torch.manual_seed(0)
    return glocal.create_model(name, **said).eval()


# ------------------------------------------------------------------------------------------------------ tokens and pooling


@pytest.mark.parametrize("name", ["cct_2_3x2_32_none", "cvt_2_4_32", "vit_lite_2_4_32"])
def test_the_order_of_tokens_matters_where_there_are_positions(name):
    network = made(name)
    tokens = [op for op in network.stem.named_children() if "position" not in op[0] and "class" not in op[0]]
    late = [m for key, m in network.stem.named_children() if "position" in key or "class" in key]
    x_BNC = nn.Sequential(*(m for _, m in tokens))(pictures())

    def logits(t_BNC):
        return network.forward_head(network.head[0](network.stages(nn.Sequential(*late)(t_BNC))))

    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    same = torch.allclose(logits(x_BNC), logits(x_BNC[:, order]), rtol=0, atol=1e-5)
    assert same == ("none" in name)


def test_tokens_behind_the_class_token_may_be_permuted_once_their_positions_are_added():
    network = made("vit_lite_2_4_32")
    x_BNC = network.stem(pictures())
    order = torch.cat((torch.tensor([0]), 1 + torch.randperm(64, generator=torch.Generator().manual_seed(2))))
    torch.testing.assert_close(network.head(network.stages(x_BNC)), network.head(network.stages(x_BNC[:, order])))


def test_the_conv_tokenizer_leaves_no_negative_number():
    network = made("cct_2_3x2_32_none")
    assert network.stem(pictures()).min() >= 0


def test_the_shares_of_sequence_pooling_are_positive_and_sum_to_1():
    network = made("cct_2_3x2_32")
    pool = network.head.sequence_pool1
    nn.init.normal_(pool.score.weight)
    x_BNC = network.forward_features(pictures())
    shares_BN = pool.weights(x_BNC)
    assert shares_BN.min() > 0
    torch.testing.assert_close(shares_BN.sum(1), torch.ones(2))
    torch.testing.assert_close(pool(x_BNC), (shares_BN[..., None] * x_BNC).sum(1))
    torch.testing.assert_close(pool(x_BNC[:, 5:6]), x_BNC[:, 5])


def test_the_bias_of_the_score_is_inert_and_a_zero_score_is_the_mean():
    network, x = made("cct_2_3x2_32").double(), pictures().double()
    before, pool = network(x), network.head.sequence_pool1
    with torch.no_grad():
        pool.score.bias += 3
    torch.testing.assert_close(network(x), before)
    network(x).square().sum().backward()
    assert pool.score.bias.grad.abs().item() < 1e-12
    nn.init.zeros_(pool.score.weight)
    x_BNC = network.forward_features(x)
    torch.testing.assert_close(pool(x_BNC), x_BNC.mean(1))


# ------------------------------------------------------------------------------------------------------ the order of norms


def silenced(name, *, attention):
    """The first layer with a zero MLP branch (linear2), and where asked a zero attention branch too."""
    block = made(name).double().stages[0].blocks[0]
    zero = [block.residual2.branch.linear2, *([block.residual1.branch.attention1.project] if attention else [])]
    for layer in zero:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return block


def test_the_second_norm_lies_on_the_stream_itself():
    x_BNC = torch.randn(2, 64, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 3 + 1
    official, pre = (silenced(name, attention=False) for name in ("cct_2_3x2_32", "cct_2_3x2_32_pre"))
    y_BNC, u_BNC = official(x_BNC), official.residual1(x_BNC)
    torch.testing.assert_close(y_BNC, official.norm1(u_BNC))
    torch.testing.assert_close(y_BNC.mean(2), torch.zeros(2, 64, dtype=torch.float64))
    torch.testing.assert_close(y_BNC.var(2, correction=0), torch.ones(2, 64, dtype=torch.float64), rtol=1e-4, atol=0)
    torch.testing.assert_close(pre(x_BNC), pre.residual1(x_BNC))
    assert not torch.allclose(pre(x_BNC), y_BNC, atol=0.1)


def test_a_silent_layer_is_a_layer_norm_in_the_official_order_and_the_identity_in_the_other():
    x_BNC = torch.randn(2, 64, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 3 + 1
    official, pre = (silenced(name, attention=True) for name in ("cct_2_3x2_32", "cct_2_3x2_32_pre"))
    torch.testing.assert_close(official(x_BNC), nn.functional.layer_norm(x_BNC, (128,)))
    assert torch.equal(pre(x_BNC), x_BNC)


def test_both_orders_have_the_same_weights():
    official, pre = (sorted(tuple(p.shape) for p in made(f"cct_7_3x1_32{end}").parameters()) for end in ("", "_pre"))
    assert official == pre


# ------------------------------------------------------------------------------------------------------ positions


def test_the_sinusoid_has_its_check_values():
    table_NC = sinusoid(256, 256)[0]
    assert table_NC[0].tolist() == [0.0, 1.0] * 128
    assert table_NC[1, :6].tolist() == pytest.approx([0.8415, 0.5403, 0.8020, 0.5974, 0.7617, 0.6479], abs=5e-5)
    assert table_NC[255, :4].tolist() == pytest.approx([-0.5064, -0.8623, -0.9944, 0.1054], abs=5e-5)


def test_the_sinusoid_is_neither_trained_nor_stored():
    network = made("vit_lite_2_4_32_sine").train()
    table = network.stem.sine_position1.table
    before = table.clone()
    assert not any("sine" in key for key in [*dict(network.named_parameters()), *network.state_dict()])
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5)
    network(pictures()).square().sum().backward()
    optimiser.step()
    assert torch.equal(table, before)
    torch.testing.assert_close(table[0, 0, :2], torch.tensor([0.0, 1.0]))  # position 0 is the class token's


def test_adding_positions_leaves_the_tokens_as_they_were():
    layer = layers.Position(torch.ones(1, 4, 8), learned=True, grid=(2, 2))
    x_BNC = torch.zeros(1, 4, 8)
    layer(x_BNC)
    assert x_BNC.abs().sum() == 0


# ------------------------------------------------------------------------------------------------------ initial values


def test_initial_values_are_the_authors():
    torch.manual_seed(0)
    network = glocal.create_model("cct_7_3x1_32")
    assert network.stem.conv1.weight.std().item() == pytest.approx(math.sqrt(2 / 27), rel=0.03)
    assert network.stem.learned_position1.table.std().item() == pytest.approx(0.199, abs=0.003)
    dense = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert len(dense) == 4 * 7 + 2
    for m in dense:
        assert m.weight.std().item() == pytest.approx(0.02, rel=0.15)
        assert m.bias is None or not m.bias.any()
    for m in network.modules():
        if isinstance(m, nn.LayerNorm):
            assert m.eps == 1e-5
            assert m.weight.eq(1).all()
            assert not m.bias.any()
        assert not isinstance(m, nn.BatchNorm2d)


def test_the_class_token_starts_at_0_and_the_patch_bias_uniform():
    network = made("vit_lite_7_4_32")
    assert not network.stem.class_token1.token.any()
    bias, bound = network.stem.patches1.bias, 1 / math.sqrt(3 * 16)
    assert bias.abs().max() <= bound
    assert bias.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.2)
    assert network.stem.patches1.weight.std().item() == pytest.approx(math.sqrt(2 / 48), rel=0.05)


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("name", ["cct_2_3x2_32", "cvt_2_4_32", "vit_lite_2_4_32"])
def test_the_loss_of_a_fresh_network_is_that_of_guessing(name, classes):
    network = made(name, num_classes=classes)
    labels = torch.arange(32) % classes
    loss = nn.functional.cross_entropy(network(pictures(32)), labels).item()
    assert loss == pytest.approx(math.log(classes), abs=0.12)


# ------------------------------------------------------------------------------------------------------ golden values

# Logits of the authors' code in float64, first picture; `fill` and `wave` say the weights and the pictures.
GOLDEN = {
    "cct_2_3x2_32": "0.736661 0.239241 -0.503817 -0.866050 -0.491583 0.333499 0.888803 0.671169 -0.127360 -0.795756",
    "cct_2_3x2_32_pre": "1.400277 -0.216285 -1.707430 -1.837330 -0.439360 1.366687 2.061356 1.027968 -0.876951 -2.041148",
    "cct_2_3x2_32_sine": "0.439937 -0.590694 -1.190926 -0.850640 0.213794 1.154269 1.156394 0.167612 -0.991886 -1.317039",
    "cct_2_3x2_32_sine_pre": "0.860812 -1.909430 -3.175079 -1.883988 0.972980 3.087582 2.689027 0.051136 -2.662593 -3.181079",
    "cct_2_3x2_32_none": "3.169898 -2.548303 -6.241508 -4.880169 0.487629 5.508411 6.044114 1.607546 -4.172657 -6.527572",
    "cct_2_3x2_32_none_pre": "0.808356 -3.521547 -5.033683 -2.475127 2.130827 5.051274 3.859010 -0.525617 -4.516280 -4.801751",
    "cct_7_3x1_32": "-0.061257 -0.460563 0.456385 0.259735 -0.685475 0.028098 0.664281 -0.306285 -0.400491 0.481459",
    "cct_7_3x1_32_pre": "1.180832 -2.630786 0.505020 2.401032 -2.007631 -1.326856 2.792286 -0.216947 -2.581629 1.689337",
    "cvt_2_4_32": "0.173550 0.393122 0.241710 -0.136157 -0.371869 -0.254480 0.072077 0.290972 0.238668 0.018343",
    "cvt_2_4_32_pre": "0.905996 -0.073266 -1.043609 -1.193432 -0.339881 0.840715 1.338372 0.696888 -0.546440 -1.318268",
    "vit_lite_2_4_32": "1.820045 0.884626 -0.822139 -1.888786 -1.385648 0.296379 1.738863 1.715981 0.261138 -1.380030",
    "vit_lite_2_4_32_pre": "2.578659 0.622713 -1.891234 -2.894216 -1.508425 1.156264 2.880980 2.210001 -0.295351 -2.533731",
}
SECOND = {
    "cct_2_3x2_32": "0.738771 0.252526 -0.490178 -0.863168 -0.501805 0.318500 0.881244 0.677208 -0.112642 -0.784349",
    "cct_7_3x1_32": "-0.076173 -0.450891 0.465550 0.244613 -0.685646 0.043322 0.655397 -0.316226 -0.385695 0.482600",
}


def fill(key: str, shape: torch.Size) -> torch.Tensor:
    """The weight for an authors' key: a sine whose phase is the sum of the key's letters."""
    j = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    s = torch.sin(1.2345 * j + 0.01 * sum(map(ord, key))).reshape(shape)
    if "emb" in key:
        return 0.2 * s
    if "norm" in key and key.endswith("weight"):
        return 1 + 0.1 * s
    return 0.1 * s if len(shape) == 1 else math.sqrt(2 / math.prod(shape[1:])) * s


def wave():
    return torch.sin(0.05 * torch.arange(1, 6145, dtype=torch.float64)).reshape(2, 3, 32, 32)


def filled(name: str):
    """A network with the weights above; the pre-norm one by the name its second norm has in the authors' code."""
    official = glocal.create_model(name.removesuffix("_pre"))
    said = names(official, SHI_LABS).learned
    weights = {ours: fill(theirs, official.state_dict()[ours].shape) for ours, theirs in said.items()}
    network = glocal.create_model(name).double().eval()
    if name.endswith("_pre"):
        weights = {
            key if "residual" in key or "blocks" not in key else key.replace("norm1", "residual2.branch.norm1"): t
            for key, t in weights.items()
        }
    load_into(network, weights)
    return network


def test_the_fill_is_the_one_that_the_numbers_were_made_with():
    assert sum(map(ord, "classifier.fc.weight")) == 2002
    assert sum(map(ord, "tokenizer.conv_layers.0.0.weight")) == 3104
    assert wave().flatten()[:4].tolist() == pytest.approx([0.049979, 0.099833, 0.149438, 0.198669], abs=1e-6)


@pytest.mark.parametrize("name", GOLDEN)
def test_logits_are_the_authors(name):
    with torch.no_grad():
        logits = filled(name)(wave())
    digits = 1e-4 if "sine" in name else 1e-5  # the authors' sinusoid is rounded to float32
    for row, golden in ((0, GOLDEN[name]), *([(1, SECOND[name])] if name in SECOND else [])):
        assert logits[row].tolist() == pytest.approx([float(v) for v in golden.split()], abs=digits)


def test_what_lies_between_is_the_authors_too():
    network, x = filled("cct_2_3x2_32"), wave()
    with torch.no_grad():
        tokens = x
        for key, module in network.stem.named_children():
            tokens = module(tokens) if "position" not in key else tokens
        layer0 = network.stages[0].blocks[0](network.stem(x))
        last = network.forward_features(x)
        shares = network.head.sequence_pool1.weights(last)[0]
    shown = [(tokens, 0.111947, 0.061104), (layer0, 0.002496, 1.117050), (last, 0.000102, 0.991255)]
    for t, mean, std in shown:
        assert (t.mean().item(), t.std(correction=0).item()) == pytest.approx((mean, std), abs=1e-6)
    assert tokens[0, 0, :4].tolist() == pytest.approx([0.258153, 0.250263, 0.089310, 0.158108], abs=1e-6)
    assert layer0[0, 0, :4].tolist() == pytest.approx([0.111894, -1.548028, -1.958004, -0.492207], abs=1e-6)
    assert [*shares[:4].tolist(), shares.max().item()] == pytest.approx(
        [0.028449, 0.031786, 0.026729, 0.003225, 0.035492], abs=1e-6
    )
