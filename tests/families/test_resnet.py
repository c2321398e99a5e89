"""ResNet: the sizes of torchvision's, the spelling of a block's branch, and what it refuses."""

import pytest

from glocal.design import Act, Conv, Depthwise, Grid, Linear, Norm, Residual, Scale, adapt, cost, parts
from glocal.design.cost import ops
from glocal.design.op import read
from glocal.errors import ArchitectureError, ShapeError
from glocal.families import architecture
from glocal.families.resnet import BN, BOTTLENECK, ResidualBlock

# depths; params; multiply-adds at 224
SIZES = {
    "resnet50": ((3, 4, 6, 3), 25_557_032, 4_089_184_256),
    "resnet101": ((3, 4, 23, 3), 44_549_160, 7_801_405_440),
    "resnet200": ((3, 24, 36, 3), 64_673_832, 15_007_481_856),
}


def closed_form(depths, *, width=64, classes=1000, side=224):
    """Params and multiply-adds of bottlenecks whose stride is on the 3 x 3."""
    n = (side // 2) ** 2
    params, macs, c = 147 * width + 2 * width, 147 * width * n, width
    n //= 4
    for i, depth in enumerate(depths):
        w = width * 2**i
        for j in range(depth):
            first, stride = j == 0, 2 if i and j == 0 else 1
            after = n // stride**2
            params += c * w + 9 * w * w + 4 * w * w + 2 * (w + w + 4 * w) + first * (4 * c * w + 8 * w)
            macs += c * w * n + (9 * w * w + 4 * w * w + first * 4 * c * w) * after
            c, n = 4 * w, after
    return params + (c + 1) * classes, macs + c * classes


@pytest.mark.parametrize("name", SIZES)
def test_params_and_macs_are_torchvisions(name):
    depths, params, macs = SIZES[name]
    arch = architecture(name)
    assert tuple(len(stage.blocks) for stage in arch.stages) == depths
    assert cost(arch) == (params, macs) == closed_form(depths)


def test_the_closed_form_holds_for_other_depths_widths_and_sizes():
    from glocal.families.resnet import stages, stem

    for depths, width, side in (((1, 1), 8, 64), ((2, 3, 1), 16, 96), ((1, 2, 1, 2, 1), 4, 128)):
        arch = architecture("resnet50")
        arch = type(arch)("any", stem(width), stages(BOTTLENECK, depths, 4 * width), arch.head, Grid(3, side, side))
        assert cost(arch) == closed_form(depths, width=width, side=side)


def test_maps_are_a_quarter_to_a_thirtysecond_of_the_picture():
    left = [part.left for path, part in parts(architecture("resnet50")) if path.endswith("blocks.0")]
    assert left == [Grid(256, 56, 56), Grid(512, 28, 28), Grid(1024, 14, 14), Grid(2048, 7, 7)]
    odd = [part.left for path, part in parts(adapt(architecture("resnet50"), size=(225, 97))) if ".blocks.0" in path]
    assert [grid[1:] for grid in odd] == [(57, 25), (29, 13), (15, 7), (8, 4)]


def test_only_the_first_block_of_a_stage_projects_its_shortcut_and_strides_on_the_3x3():
    spelled = [part.sentence[0] for path, part in parts(architecture("resnet50")) if ".blocks." in path]
    assert [bool(residual.shortcut) for residual in spelled] == [i in (0, 3, 7, 13) for i in range(16)]
    strides = [[op.stride for op in residual.branch if isinstance(op, Conv)] for residual in spelled]
    assert strides == [[2] if i in (3, 7, 13) else [1] for i in range(16)]


def test_every_convolution_is_followed_by_a_batch_norm_and_has_no_bias():
    found = [op for _, op, _ in ops(architecture("resnet50")) if isinstance(op, Conv | Linear)]
    assert len([op for _, op, _ in ops(architecture("resnet50")) if op == BN]) == 53
    assert [op.bias for op in found] == [False] * 53 + [True]


# ------------------------------------------------------------------------------------------------------ branches


def test_a_branch_is_spelled_layer_by_layer():
    said = ResidualBlock("d7x7 ln 1x1*4 gelu 3x3/2 bn relu 1x1 scale", shortcut="ln", after="gelu").spell(8, 16, 2)
    branch = (
        Depthwise(7, 2),
        Norm("layer", 1e-6),
        Linear(64),
        Act("gelu"),
        Conv(8, 3, 1, bias=False),
        BN,
        Act("relu"),
        Linear(16),
        Scale(1e-6),
    )
    assert said == (Residual(branch, (Conv(16, 1, 2), Norm("layer", 1e-6))), Act("gelu"))


def test_the_first_kernel_above_one_carries_the_stride_and_the_rest_keep_the_size():
    (residual,) = ResidualBlock("1x1 bn 3x3 bn d5x5 bn").spell(8, 8, 2)
    assert [getattr(op, "stride", 1) for op in residual.branch] == [1, 1, 2, 1, 1, 1]
    assert residual.shortcut == (Conv(8, 1, 2, bias=False), BN)
    assert read((residual,), Grid(8, 9, 7)) == Grid(8, 5, 4)


def test_a_block_that_keeps_width_and_size_projects_nothing():
    (residual,) = ResidualBlock("3x3 bn").spell(8, 8, 1)
    assert residual.shortcut == ()


@pytest.mark.parametrize("layer", ["conv", "3x5", "x3", "d0x0", "3x3*", "1x1**2", "BN", "3x3*0"])
def test_an_unknown_layer_is_named_with_what_may_be_written(layer):
    with pytest.raises(ArchitectureError, match=r"is no layer; write 3x3, d7x7, 1x1\*4 or bn, ln, relu") as error:
        ResidualBlock(f"1x1 bn {layer}").spell(8, 8, 1)
    assert repr(layer) in str(error.value)


def test_a_branch_without_a_kernel_above_one_cannot_stride():
    arch = architecture("resnet50")
    first, second, *_ = arch.stages
    wrong = type(second)(second.width, (ResidualBlock("1x1 bn relu"),), 2)
    with pytest.raises(
        ShapeError, match=r"resnet50, stages\.1\.blocks\.0, given 256x56x56: .*leaves 512x56x56.*512x28x28"
    ):
        cost(type(arch)(arch.name, arch.stem, (first, wrong), arch.head))


def test_an_edit_replaces_whole_layers_and_every_run_of_them():
    block = ResidualBlock("1x1 bn relu d3x3 bn relu 3x3 bn")
    assert block.edited("3x3", "5x5").branch == "1x1 bn relu d3x3 bn relu 5x5 bn"
    assert block.edited("bn relu", "ln", after="relu") == ResidualBlock("1x1 ln d3x3 ln 3x3 bn", after="relu")
    with pytest.raises(AssertionError):
        block.edited("gelu", "relu")
