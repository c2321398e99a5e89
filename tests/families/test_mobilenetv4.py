"""MobileNetV4: the four blocks that the universal inverted bottleneck stands for, and timm's network on the same weights."""

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.models._efficientnet_blocks import UniversalInvertedResidual

import glocal
from drawn import randomised
from glocal.design import Depthwise, Grid, Residual, cost, parts
from glocal.design.op import count_macs, count_params, leaves, read
from glocal.errors import ArchitectureError, ShapeError
from glocal.families.mobilenetv4 import UIB, ConvPair, eighths
from glocal.net.build import build
from peers import agrees
from strategies import law

KINDS = {"IB": (0, 3), "ConvNext": (3, 0), "ExtraDW": (3, 5), "FFN": (0, 0)}
kernels = st.sampled_from([0, 3, 5])


@pytest.mark.parametrize("kind", KINDS)
def test_which_depthwise_convolutions_are_there_gives_the_papers_four_blocks(kind):
    block = UIB(*KINDS[kind])
    assert block.kind == kind
    (residual,) = block.spell(16, 16, 1)
    assert isinstance(residual, Residual)
    assert tuple(op.kernel for op in residual.branch if isinstance(op, Depthwise)) == tuple(k for k in KINDS[kind] if k)


@law(60)
@given(kernels, kernels, st.sampled_from([1.0, 2.0, 3.0, 6.0]), st.sampled_from([8, 16, 24]), st.sampled_from([8, 32]))
def test_cost_is_the_closed_form(start, middle, expansion, width_in, width):
    inner, n = int(expansion * width_in), 7 * 9
    params = start**2 * width_in + (2 * width_in if start else 0) + (width_in + 2) * inner
    params += (middle**2 * inner + 2 * inner if middle else 0) + (inner + 2) * width
    macs = n * (start**2 * width_in + width_in * inner + middle**2 * inner + inner * width)
    sentence, s = UIB(start, middle, expansion).spell(width_in, width, 1), Grid(width_in, 7, 9)
    assert (count_params(sentence, s), count_macs(sentence, s)) == (params, macs)


@pytest.mark.parametrize("width", [8, 24])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_block_computes_what_timms_computes(kind, stride, width):
    if stride == 2 and kind == "FFN":
        return
    start, middle = KINDS[kind]
    theirs = randomised(
        UniversalInvertedResidual(8, width, start, middle, stride=stride, exp_ratio=3.0, layer_scale_init_value=None)
    )
    ours = build(UIB(start, middle, 3.0).spell(8, width, stride), Grid(8, 9, 7))
    state = {
        key: t.view(like.shape)
        for (key, like), t in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True)
    }
    ours.load_state_dict(state)
    x = torch.randn(2, 8, 9, 7, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval().double()(x), theirs.eval().double()(x), rtol=1e-10, atol=1e-10)


def test_the_middle_convolution_strides_or_else_the_first():
    strides = {
        kind: [
            op.stride
            for _, op, _ in leaves(UIB(*KINDS[kind]).spell(8, 8, 2), Grid(8, 9, 9))
            if isinstance(op, Depthwise)
        ]
        for kind in ("IB", "ConvNext", "ExtraDW")
    }
    assert strides == {"IB": [2], "ConvNext": [2], "ExtraDW": [1, 2]}
    assert read(UIB().spell(8, 16, 2), Grid(8, 9, 8)) == Grid(16, 5, 4)
    with pytest.raises(ShapeError, match="has no depthwise convolution that could stride by 2"):
        UIB(0, 0).spell(8, 8, 2)
    with pytest.raises(ArchitectureError, match="a kernel is a number of positions"):
        UIB(-1)


def test_inner_widths_are_multiples_of_eight():
    assert [eighths(width) for width in (1, 8, 11, 12, 18, 20, 96.0, 100)] == [8, 8, 16, 16, 24, 24, 96, 104]


def test_conv_small_is_timms():
    theirs = timm.create_model("mobilenetv4_conv_small")
    ours = glocal.create_model("mobilenetv4_conv_small", img_size=(96, 64))
    agrees(ours, theirs, source="timm (MobileNetV4)")


def test_conv_small_has_the_weights_that_timm_counts_and_halves_the_picture_five_times():
    arch = glocal.architecture("mobilenetv4_conv_small")
    assert cost(arch).params == sum(p.numel() for p in timm.create_model(arch.name).parameters()) == 3_774_024
    sides = [part.left.h for path, part in parts(arch) if path == "stem" or path.endswith("blocks.0")]
    assert sides == [112, 56, 28, 14, 7]
    assert isinstance(arch.stages[0].blocks[0], ConvPair)
