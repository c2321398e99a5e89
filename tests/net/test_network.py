"""A network drops into code written for timm, refuses what its design does not read, and computes what it says."""

import pytest
import torch
from torch import nn

import glocal
from glocal.design import Architecture, Dropout, Grid, Linear, Mean, Patches, Residual, Stage
from glocal.errors import ShapeError
from glocal.net import Network, layers

SMALL = ("cct_2_3x2_32", "cvt_2_4_32_sine", "vit_lite_2_4_32", "convmixer_16_2_p2_k5_32")


@pytest.fixture(params=SMALL)
def network(request):
    torch.manual_seed(0)
    return glocal.create_model(request.param).eval()


def pictures(n=2, c=3, h=32, w=32):
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(1))


def test_forward_is_the_head_after_the_features(network):
    x = pictures()
    features = network.forward_features(x)
    assert features.ndim == (4 if "convmixer" in network.arch.name else 3)
    assert torch.equal(network.forward_head(features), network(x))
    pooled = network.forward_head(features, pre_logits=True)
    assert pooled.shape == (2, network.num_features)
    assert torch.equal(network.get_classifier()(pooled), network(x))


def test_a_fresh_classifier_leaves_the_body_and_none_gives_what_it_would_read(network):
    x = pictures()
    body = {key: t.clone() for key, t in network.state_dict().items() if not key.startswith("head.linear")}
    pooled = network.forward_head(network.forward_features(x), pre_logits=True)
    network.reset_classifier(0)
    assert network.num_classes == 0
    assert isinstance(network.get_classifier(), nn.Identity)
    assert torch.equal(network(x), pooled)
    assert network.num_features == pooled.shape[1]
    network.reset_classifier(7)
    assert network(x).shape == (2, 7)
    assert network.num_classes == network.get_classifier().out_features == 7
    assert all(torch.equal(network.state_dict()[key], t) for key, t in body.items())
    assert network.arch.head[-1] == Linear(7)


def test_a_fresh_classifier_keeps_the_type_of_the_weights(network):
    network.double().reset_classifier(3)
    assert network.get_classifier().weight.dtype == torch.float64
    assert network(pictures().double()).shape == (2, 3)


def test_the_number_of_input_channels_is_checked(network):
    for wrong in (pictures(c=1), pictures()[0]):
        with pytest.raises(ShapeError, match=rf"{network.arch.name} reads \(batch, 3, .*in_chans"):
            network(wrong)
    one = glocal.create_model(network.arch, in_chans=1)
    assert one(pictures(c=1)).shape == (2, 10)


@pytest.mark.parametrize("name", [name for name in SMALL if "mixer" not in name])
@pytest.mark.parametrize("size", [(28, 32), (64, 16), (16, 64), (48, 48)])
def test_positions_are_those_of_one_picture_size(name, size):
    """Also where the number of tokens happens to agree: 16 x 64 has the 64 patches of 32 x 32."""
    network = glocal.create_model(name)
    with pytest.raises(
        ShapeError, match=rf"{name} has positions for pictures of 32x32, not {size[0]}x{size[1]}; .*img_size"
    ):
        network(pictures(1, 3, *size))
    assert glocal.create_model(name, img_size=size)(pictures(1, 3, *size)).shape == (1, 10)


@pytest.mark.parametrize("name", ["cct_2_3x2_32_none", "convmixer_16_2_p2_k5_32"])
@pytest.mark.parametrize("size", [(7, 40), (33, 31), (64, 64)])
def test_without_positions_any_size_is_read(name, size):
    assert glocal.create_model(name).eval()(pictures(1, 3, *size)).shape == (1, 10)


def test_table_of_a_layer_alone_refuses_another_number_of_tokens():
    layer = layers.Position(torch.zeros(1, 12, 8), learned=True, grid=(3, 4))
    with pytest.raises(ShapeError, match=r"those of a 3x4 grid \(12 tokens\), the picture gives 13 tokens"):
        layer(torch.zeros(1, 13, 8))


# ------------------------------------------------------------------------------------------------------ training mode


def test_stochastic_depth_rises_from_none_in_the_first_layer():
    network = glocal.create_model("cct_7_3x2_32")
    rates = [
        {m.drop_path for m in block.modules() if isinstance(m, layers.Residual)} for block in network.stages[0].blocks
    ]
    assert [rate for (rate,) in rates] == pytest.approx([0, 1 / 60, 1 / 30, 0.05, 1 / 15, 1 / 12, 0.1])
    (fourteen,) = {
        m.drop_path
        for m in glocal.create_model("cct_14_7x2_224").stages[0].blocks[1].modules()
        if hasattr(m, "drop_path")
    }
    assert fourteen == pytest.approx(0.1 / 13)


def test_one_layer_alone_has_no_stochastic_depth():
    from glocal.families.compact import CompactLayer

    arch = Architecture(
        "one",
        (Patches(64, 4), *glocal.architecture("cvt_2_4_32").stem[1:2]),
        (Stage(64, (CompactLayer(1, 1),)),),
        (Mean(), Linear(2)),
        image=Grid(3, 32, 32),
        drop_path=0.3,
    )
    assert {m.drop_path for m in Network(arch).modules() if isinstance(m, layers.Residual)} == {0.0}


def test_stochastic_depth_keeps_the_mean_drops_whole_pictures_and_is_off_in_eval():
    residual = layers.Residual(nn.Identity(), nn.Identity())
    residual.drop_path = 0.25
    x = torch.ones(20_000, 2, 3)
    assert torch.equal(residual.eval()(x), 2 * x)
    torch.manual_seed(0)
    y = residual.train()(x)
    assert y.mean().item() == pytest.approx(2, abs=0.02)
    assert torch.equal(y, y[:, :1, :1].expand_as(y))
    torch.testing.assert_close(y[:, 0, 0].unique(), torch.tensor([1.0, 1 + 1 / 0.75]))
    assert (y[:, 0, 0] == 1).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_train_differs_from_eval_only_by_dropout_and_stochastic_depth():
    torch.manual_seed(0)
    network, x = glocal.create_model("cct_7_3x2_32"), pictures()
    calm = glocal.create_model(glocal.design.adapt(network.arch, drop_path=0.0, attention_dropout=0.0))
    calm.load_state_dict(network.state_dict())
    torch.testing.assert_close(calm.train()(x), network.eval()(x), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(network.train()(x), network.eval()(x), atol=1e-4)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_dropout_ops_drop_their_rate(rate):
    arch = Architecture("drop", (Residual((Dropout(rate),)),), (), (Mean(), Linear(2)), image=Grid(3, 64, 64))
    y = Network(arch).train().stem(torch.ones(8, 3, 64, 64))
    assert (y == 1).float().mean().item() == pytest.approx(rate, abs=0.02)
    assert y.mean().item() == pytest.approx(2, abs=0.05)


# ------------------------------------------------------------------------------------------------------ precision, layout


def test_autocast_runs_in_bfloat16_and_stays_near(network):
    x = pictures()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        low = network(x)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), network(x), rtol=0.1, atol=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        network.train()(x).float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_channels_last_gives_the_same_logits(network):
    x, before = pictures(), network(pictures())
    after = network.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_even_kernels_are_padded_one_less_before_than_after():
    conv = layers.EvenConv2d(1, 1, 4, bias=False)
    nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 3, 3] = 1
    rows = conv(x)[0, 0].nonzero()[:, 0]
    assert (rows.min(), rows.max()) == (3 - 2, 3 + 1)
