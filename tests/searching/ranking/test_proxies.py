"""Proxies: what each must do by its definition, on small networks."""

import numpy as np
import pytest
import torch
from torch import nn

from glocal.design import Architecture, Conv, Grid, Linear, Mean, Norm, Stage, cost
from glocal.families.coatnet import MBConv
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.vit import TransformerLayer
from glocal.net import Network, layers
from glocal.recipes.schema import Recipe
from glocal.searching.ranking.proxies import PROXIES, proxy_score

RECIPE = Recipe(batch_size=16, warmup_epochs=0)
WORDS = {"ConvMixer": ConvMixerLayer(3), "MBConv": MBConv(2), "attention": TransformerLayer(1)}


def arch(word, depth=2, width=8):
    stem = Conv(width, 2, 2, padding=0), Norm("layer", 1e-6)
    return Architecture("small", stem, (Stage(width, (word,) * depth),), (Mean(), Linear(4)), Grid(3, 8, 8))


def batches(n=1):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(16) % 4
    return [(torch.randn(16, 3, 8, 8, generator=generator) + y[:, None, None, None], y) for _ in range(n)]


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("name", PROXIES)
def test_a_score_is_a_finite_number_and_the_same_in_every_call(name, word):
    first, again = (proxy_score(name, arch(word), batches(3), recipe=RECIPE) for _ in range(2))
    assert first == again
    assert abs(first) < float("inf")


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_sizes_are_the_exact_ones(word):
    size = cost(arch(word))
    assert proxy_score("macs", arch(word), [], recipe=RECIPE) == size.macs
    assert proxy_score("params", arch(word), [], recipe=RECIPE) == size.params


def test_synflow_of_linear_layers_is_the_flow_through_their_absolute_weights():
    """Of a network of linear layers, weight x gradient adds up to the output, once for each layer."""
    linear = Architecture(
        "linear", (Conv(5, 2, 2, padding=0, bias=False),), (), (Mean(), Linear(4, bias=False)), Grid(3, 4, 4)
    )
    torch.manual_seed(RECIPE.seed)
    network = Network(linear).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()
        flow = 2 * network(torch.ones(1, 3, 4, 4, dtype=torch.float64)).sum().log().exp()
    assert proxy_score("synflow", linear, batches(), recipe=RECIPE) == pytest.approx(flow.log().item(), rel=1e-6)


def test_naswot_is_the_determinant_of_how_many_units_agree_on_two_pictures():
    """By a loop over pairs of pictures."""
    small = arch(ConvMixerLayer(3), width=4)
    (x, y), *_ = batches()
    codes = []
    torch.manual_seed(RECIPE.seed)
    built = Network(small).train()
    for module in built.modules():
        if isinstance(module, nn.GELU | layers.GELU2d):
            module.register_forward_pre_hook(lambda _, given: codes.append(given[0].flatten(1) > 0))
    with torch.no_grad():
        built(x)
    alike = [[sum(int((code[i] == code[j]).sum()) for code in codes) for j in range(len(x))] for i in range(len(x))]
    assert len(codes) == 4
    expected = np.linalg.slogdet(np.array(alike, dtype=float))[1]
    assert proxy_score("naswot", small, [(x, y)], recipe=RECIPE) == pytest.approx(expected, rel=1e-12)


def test_naswot_tells_pictures_apart_the_better_the_more_units_there_are():
    narrow, wide = (proxy_score("naswot", arch(MBConv(2), width=w), batches(), recipe=RECIPE) for w in (4, 32))
    assert wide > narrow


def test_an_early_loss_falls_with_more_steps():
    few, many = (proxy_score("early_loss", arch(MBConv(2)), batches(n), recipe=RECIPE) for n in (2, 60))
    assert many > few
