"""Words of three papers beside those of others: in one network, as options of one question, and in supernets."""

import random

import pytest
import torch

import glocal
from glocal.design import Architecture, Conv, Grid, Linear, Mean, OneOf, Stage, cost, decide, dump, load, python, sample
from glocal.design.space import size
from glocal.design.span import cost_range
from glocal.families import vocabulary
from glocal.families.coatnet import MBConv
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.glit import GLiTBlock
from glocal.families.mixture import ToTokens
from glocal.families.mobilenetv4 import UIB
from glocal.families.poolformer import PatchEmbedding, PoolFormerBlock
from glocal.families.swin import PatchMerging, SwinBlock
from glocal.families.vit import TransformerLayer
from glocal.searching.supernet.supernet import SHARINGS, Supernet

OPTIONS = (
    *(UIB(5, 3), UIB(0, 0), UIB(3, 0, 2.0), PoolFormerBlock(), PoolFormerBlock(5, 2.0), ConvNeXtBlock(5), MBConv()),
    *(SwinBlock(False, 3, 8), SwinBlock(True, 3, 8), SwinBlock(True, 5, 4), TransformerLayer(2)),
)
SPACE = Architecture(
    "of_recent_words",
    stem=(Conv(16, 2, 2),),
    stages=(
        Stage(16, (OneOf(OPTIONS),) * 2),
        Stage(24, (OneOf(OPTIONS, "late"),) * 2, 2, PatchMerging()),
        Stage(32, (OneOf((UIB(5, 3), UIB(3, 0), UIB(0, 3, 2.0))), OneOf(OPTIONS)), 2),
    ),
    head=(Mean(), Linear(3)),
    image=Grid(3, 20, 28),
)


def test_every_answer_makes_a_network_within_the_costs_that_are_told():
    assert size(SPACE) == 11**2 * 11 * 3 * 11
    least, most = cost_range(SPACE)
    rng = random.Random(0)
    for _ in range(30):
        arch = decide(SPACE, sample(SPACE, rng))
        assert least.params <= cost(arch).params <= most.params
        assert least.macs <= cost(arch).macs <= most.macs
        assert load(dump(arch), vocabulary()) == arch
        assert eval(python(arch), {**vocabulary(), "Grid": Grid}) == arch


@pytest.mark.parametrize("sharing", SHARINGS)
def test_a_path_of_the_supernet_is_its_network_to_the_bit(sharing):
    torch.manual_seed(0)
    supernet, rng = Supernet(SPACE, sharing=sharing).eval(), random.Random(1)
    x = torch.randn(2, *SPACE.image)
    for _ in range(6):
        answers = sample(SPACE, rng)
        path, alone = supernet.path(answers).eval(), supernet.network(answers).eval()
        with torch.no_grad():
            assert torch.equal(path(x), alone(x))


def test_ways_between_stages_are_options_too():
    between = OneOf((PatchMerging(), PatchEmbedding(), PatchEmbedding(5), Downsample()))
    stages = (Stage(16, (PoolFormerBlock(),)), Stage(32, (SwinBlock(),), 2, between))
    space = Architecture("between", SPACE.stem, stages, SPACE.head, SPACE.image)
    supernet, x = Supernet(space).eval(), torch.randn(1, *space.image)
    for answer in range(4):
        with torch.no_grad():
            assert torch.equal(supernet.path((answer,)).eval()(x), supernet.network((answer,)).eval()(x))


def test_all_of_them_stand_in_one_network_with_tokens_after_them_and_read_another_size():
    stages = (
        Stage(16, (UIB(3, 3), SwinBlock(False, 4, 8), SwinBlock(True, 4, 8), PoolFormerBlock(), ConvNeXtBlock(3))),
        Stage(24, (UIB(0, 5), SwinBlock(True, 4, 8)), 2),
        Stage(32, (PoolFormerBlock(), UIB(0, 0), UIB(5, 0)), 2, PatchMerging()),
    )
    arch = Architecture("mixed", SPACE.stem, stages, SPACE.head, SPACE.image, init="vit", drop_path=0.1)
    network, x = glocal.create_model(arch), torch.randn(2, *arch.image)
    network.train()(x).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    larger = network.eval().resized((50, 34))
    with torch.no_grad():
        assert torch.equal(larger(torch.ones(1, 3, 50, 34)), network(torch.ones(1, 3, 50, 34)))
    assert [level.stride for level in network.features().levels] == [2, 4, 8]
    tokens = Stage(24, (GLiTBlock(2, 1, kernel=3),), 1, ToTokens())
    assert glocal.create_model(Architecture("t", arch.stem, (*stages, tokens), arch.head, arch.image))(x).shape == (
        2,
        3,
    )
