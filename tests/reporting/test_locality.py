"""How local, how global a block is: read off the ops, and what the networks themselves do."""

from dataclasses import replace

import pytest
import torch

from glocal.design import Architecture, Conv, Grid, Linear, Mean, Stage
from glocal.families import architecture, list_models
from glocal.families.coatnet import RelativeTransformer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.convnext import ConvNeXtBlock
from glocal.families.glit import GLiTBlock, glit, options
from glocal.families.resnet import ResidualBlock
from glocal.net import Network
from glocal.reporting import letters, locality


def test_glit_tiny_reads_as_its_authors_released_it():
    assert letters(architecture("glit_tiny")) == "GLXGLXGXLGLG"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coatnet_layout_cccc", "L" * 16),
        ("coatnet_layout_ccct", "L" * 13 + "GG"),
        ("coatnet_0", "LLLLL" + "GGGGGGG"),  # C-C-T-T
        ("coatnet_layout_cttt", "LL" + "G" * 8),
        ("vit_rel", "G" * 16),
        ("deit_tiny", "G" * 12),
        ("cct_7_3x1_32", "G" * 7),
        ("convmixer_768_32", "L" * 32),
        ("convnext_tiny", "L" * 18),
        ("resnet50", "L" * 16),
        ("glit_mix_1_2", "X" * 12),
    ],
)
def test_families_are_where_they_say_they_are(name, expected):
    assert letters(architecture(name)) == expected


@pytest.mark.parametrize("heads", [3, 6])
@pytest.mark.parametrize("thirds", range(4))
def test_the_share_of_a_glit_block_is_that_of_its_global_heads(heads, thirds):
    blocks = options(heads, thirds)
    for block, found in zip(blocks, locality(glit("g", blocks, width=16 * heads)), strict=True):
        assert found.share == pytest.approx((block.heads - block.local) / block.heads)
        assert found.window == ((1, block.kernel) if block.local else None)
        assert found.feed == block.mlp


def test_area_attention_lies_between_convolution_and_attention():
    area, conv, everywhere = (
        locality(architecture(name))[1].seen for name in ("glit_tiny_area_49", "glit_tiny_conv2d_5", "glit_mix_3_0")
    )
    assert conv < area == 49 / 197 < everywhere == 1
    assert letters(architecture("glit_tiny_area_49")) == letters(architecture("glit_tiny"))


def test_windows_are_counted_in_positions_and_positions_in_pixels():
    first, *_, last = locality(architecture("convnext_tiny"))
    assert (first.window, first.stride) == ((7, 7), 4)
    assert (last.window, last.stride, last.seen) == ((7, 7), 32, 1)  # 7 x 7 positions are left


def test_fields_in_the_papers_letters():
    (strand,) = locality(architecture("coatnet_0"))[0].strands
    assert (strand.kernel, strand.expansion) == (3, 4)
    look, near = locality(architecture("glit_tiny"))[2].strands
    assert (look.heads, look.head_dim) == (1, 64)
    assert (near.kernel, near.expansion, near.rows) == (31, 4, 1)


def test_every_architecture_has_shares_that_make_a_whole():
    for name in list_models():
        for block in locality(architecture(name)):
            assert sum(strand.share for strand in block.strands) == pytest.approx(1), (name, block.path)
            assert 0 <= block.share <= 1, (name, block.path)
            assert 0 < block.seen <= 1, (name, block.path)


@pytest.mark.parametrize(
    "word",
    [
        ConvMixerLayer(3),
        ConvMixerLayer(5),
        ConvNeXtBlock(7, scale=0.0),
        ResidualBlock("3x3 bn relu  3x3 bn"),
        RelativeTransformer(4),
    ],
    ids=lambda word: type(word).__name__,
)
def test_the_window_is_what_a_network_reads(word):
    """A changed pixel changes exactly the positions whose window holds it."""
    arch = Architecture("one", (Conv(8),), (Stage(8, (word,)),), (Mean(), Linear(2)), Grid(3, 15, 15))
    (found,) = locality(arch)
    torch.manual_seed(0)
    network = Network(arch).eval().double()
    x = torch.randn(1, 3, 15, 15, dtype=torch.float64)
    other = x.clone()
    other[..., 7, 7] += 1
    with torch.no_grad():
        change = (network.forward_features(x) - network.forward_features(other)).abs().amax((0, 1))
    rows, columns = (int((change.amax(dim) > 1e-12).sum()) for dim in (1, 0))
    assert (rows, columns) == (found.window or (15, 15))


def test_half_a_glit_block_reads_all_and_half_its_neighbours():
    arch = glit("one", (GLiTBlock(2, 1, kernel=5),), width=8, patch=2, size=16)
    arch = replace(arch, stem=arch.stem[:2], head=(Mean(), Linear(2)))
    (found,) = locality(arch)
    assert found.share == 0.5
    assert found.seen == pytest.approx((1 + 5 / 64) / 2)
