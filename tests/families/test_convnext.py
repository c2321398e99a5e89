"""ConvNeXt: sizes and multiply-adds of its networks, their closed forms, and what the paper's tables print."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glocal.design import Act, Conv, Depthwise, Grid, Linear, Mean, Norm, Scale, adapt, cost, parts
from glocal.design.cost import ops, part_cost
from glocal.errors import ArchitectureError, ShapeError
from glocal.families import architecture, list_models
from glocal.families.convnext import ConvNeXtBlock, Downsample, convnext, isotropic
from strategies import law

# widths of the first stage, depths, params, multiply-adds at 224, at 288, at 384 in units of 1e6
SIZES = {
    "convnext_tiny": (96, (3, 3, 9, 3), 28_589_128, 4_455_531_264, 7365, 13092),
    "convnext_small": (96, (3, 3, 27, 3), 50_223_688, 8_683_712_256, 14354, 25518),
    "convnext_base": (128, (3, 3, 27, 3), 88_591_464, 15_354_729_472, 25382, 45122),
    "convnext_large": (192, (3, 3, 27, 3), 197_767_336, 34_361_433_600, 56801, 100978),
    "convnext_xlarge": (256, (3, 3, 27, 3), 350_196_968, 60_921_030_656, 100705, 179029),
}
# timm's: params, multiply-adds at 224 and 288 in units of 1e6
SMALLER = {
    "convnext_zepto_rms": (32, (2, 2, 4, 2), 2_155_656, 302, 499),
    "convnext_atto": (40, (2, 2, 6, 2), 3_695_520, 547, 905),
    "convnext_femto": (48, (2, 2, 6, 2), 5_217_784, 780, 1289),
    "convnext_pico": (64, (2, 2, 6, 2), 9_045_672, 1367, 2259),
    "convnext_nano": (80, (2, 2, 8, 2), 15_593_560, 2446, 4042),
    "convnext_xxlarge": (384, (3, 4, 30, 3), 846_471_016, 151570, 250550),
}
CLASSES_22K = {
    "tiny": 44_615_857,
    "small": 66_250_417,
    "base": 109_953_489,
    "large": 229_799_953,
    "xlarge": 392_900_177,
}
OVERLAPPING = {"atto": 3_702_912, "femto": 5_226_520, "pico": 9_061_928, "nano": 15_649_560}
# width, depth, params, multiply-adds in units of 1e6, initial LayerScale
ISOTROPIC = {
    "convnext_isotropic_small": (384, 18, 22_308_712, 4286, 0.0),
    "convnext_isotropic_base": (768, 18, 87_083_752, 16896, 0.0),
    "convnext_isotropic_large": (1024, 36, 305_942_504, 59699, 1e-6),
}


def closed_form(depths, width, *, kernel=7, expansion=4, scaled=True, classes=1000, h=224, w=224):
    """Section 1.2 of docs: 4 x 4 patches, blocks of 8 C^2 + 58 C weights, 2 x 2 between stages, LN before the classifier."""
    h, w = h // 4, w // 4
    params, macs, c = 48 * width + 3 * width, h * w * 48 * width, width
    for i, depth in enumerate(depths):
        if i:
            h, w = h // 2, w // 2
            params += 2 * c + 4 * c * 2 * c + 2 * c
            macs += h * w * 4 * c * 2 * c
            c *= 2
        inner = expansion * c
        params += depth * ((kernel**2 + 1) * c + 2 * c + (c + 1) * inner + (inner + 1) * c + scaled * c)
        macs += depth * h * w * (kernel**2 * c + 2 * c * inner)
    return params + 2 * c + (c + 1) * classes, macs + c * classes


@pytest.mark.parametrize("name", SIZES)
def test_params_and_macs_are_exact_at_224_288_and_384(name):
    width, depths, params, macs, at_288, at_384 = SIZES[name]
    arch = architecture(name)
    assert cost(arch) == (params, macs) == closed_form(depths, width)
    assert [round(cost(adapt(arch, size=s)).macs / 1e6) for s in (288, 384)] == [at_288, at_384]
    assert cost(adapt(arch, size=384)).params == params


@pytest.mark.parametrize("name", SMALLER)
def test_timms_other_sizes_are_exact(name):
    width, depths, params, at_224, at_288 = SMALLER[name]
    arch = architecture(name)
    unit = 10 if name == "convnext_xxlarge" else 1
    gmacs = [round(cost(adapt(arch, size=s)).macs / 1e6 / unit) * unit for s in (224, 288)]
    assert (cost(arch).params, gmacs) == (params, [at_224, at_288])
    assert tuple(len(stage.blocks) for stage in arch.stages) == depths
    assert [stage.width for stage in arch.stages] == [width, 2 * width, 4 * width, 8 * width]


@pytest.mark.parametrize("size", CLASSES_22K)
def test_the_networks_of_imagenet_22k_have_its_21841_classes_and_nothing_else_differs(size):
    arch, plain = architecture(f"convnext_{size}_22k"), architecture(f"convnext_{size}")
    assert cost(arch).params == CLASSES_22K[size]
    assert arch.head[-1] == Linear(21841)
    assert (arch.stem, arch.stages, adapt(arch, classes=1000).head) == (plain.stem, plain.stages, plain.head)


@pytest.mark.parametrize("size", OVERLAPPING)
def test_overlapping_stems_are_two_3x3_of_stride_2_without_an_activation_between(size):
    arch, plain = architecture(f"convnext_{size}_ols"), architecture(f"convnext_{size}")
    assert cost(arch).params == OVERLAPPING[size]
    assert [(type(op), getattr(op, "stride", 0)) for op in arch.stem] == [(Conv, 2), (Conv, 2), (Norm, 0)]
    assert (arch.stages, arch.head) == (plain.stages, plain.head)


def test_hnf_is_the_norm_before_the_pooling():
    arch, plain = architecture("convnext_tiny_hnf"), architecture("convnext_tiny")
    assert [type(op) for op in arch.head] == [Norm, Mean, Linear]
    assert [type(op) for op in plain.head] == [Mean, Norm, Linear]
    assert cost(arch) == cost(plain)
    assert (arch.stem, arch.stages) == (plain.stem, plain.stages)


@pytest.mark.parametrize("name", ISOTROPIC)
def test_isotropic_networks_are_exact_and_only_the_large_one_has_a_layer_scale(name):
    width, depth, params, macs, scale = ISOTROPIC[name]
    arch = architecture(name)
    per_block = 8 * width**2 + 57 * width + (scale > 0) * width
    assert cost(arch).params == params == 769 * width + depth * per_block + 2 * width + (width + 1) * 1000
    assert cost(arch).macs == 196 * width * (768 + depth * (49 + 8 * width)) + width * 1000
    assert round(cost(arch).macs / 1e6) == macs
    assert {op.init for _, op, _ in ops(arch) if isinstance(op, Scale)} == ({scale} if scale else set())
    assert [part.left for path, part in parts(arch) if path == "stem"] == [Grid(width, 14, 14)]
    assert len(arch.stem) == 1, "no norm after the patches"


@law(100)
@given(
    width=st.integers(1, 40),
    depths=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    classes=st.integers(1, 99),
    h=st.integers(64, 99),
    w=st.integers(64, 99),
    kernel=st.sampled_from((1, 3, 5, 7, 9)),
    expansion=st.integers(1, 5),
    scale=st.sampled_from((0.0, 1e-6)),
)
def test_cost_is_the_closed_form(width, depths, classes, h, w, kernel, expansion, scale):
    arch = convnext("any", tuple(depths), width, classes=classes)
    block = ConvNeXtBlock(kernel, expansion, scale)
    arch = adapt(arch, size=(h, w))
    arch = replace(arch, stages=tuple(replace(s, blocks=(block,) * len(s.blocks)) for s in arch.stages))
    form = closed_form(depths, width, kernel=kernel, expansion=expansion, scaled=scale > 0, classes=classes, h=h, w=w)
    assert cost(arch) == form


def test_stem_stages_and_layers_between_of_t_are_exact():
    spent = {path: part_cost(part) for path, part in parts(architecture("convnext_tiny"))}
    stages = [sum(c.params for path, c in spent.items() if path.startswith(f"stages.{i}.blocks")) for i in range(4)]
    macs = [sum(c.macs for path, c in spent.items() if path.startswith(f"stages.{i}.blocks")) / 1e6 for i in range(4)]
    between = [spent[f"stages.{i}.downsample"] for i in (1, 2, 3)]
    assert stages == [237_888, 918_144, 10_817_280, 14_289_408]
    assert macs == pytest.approx([737.9, 715.8, 2114.1, 699.2], abs=0.05)
    assert [c.params for c in between] == [74_112, 295_680, 1_181_184]
    assert [c.macs / 1e6 for c in between] == pytest.approx([57.8] * 3, abs=0.05)
    assert (spent["stem"].params, spent["head"].params) == (4_896, 1_536 + 769_000)
    assert spent["stem"].macs / 1e6 == pytest.approx(14.5, abs=0.05)


@pytest.mark.parametrize(("patch", "macs"), [(4, 90.9), (2, 362.8), (1, 1450)])
def test_smaller_patches_on_small_pictures_cost_four_times_as_much(patch, macs):
    arch = adapt(architecture("convnext_tiny"), size=32, classes=10)
    arch = replace(arch, stem=(Conv(96, patch, patch, padding=0), *arch.stem[1:]))
    assert cost(arch).macs / 1e6 == pytest.approx(macs, abs=0.06 if patch > 1 else 0.6)


# ------------------------------------------------------------------------------------------------------ the paper's tables

# Table 1: size, params in millions, multiply-adds in billions
TABLE_1 = {
    "convnext_tiny": [(224, "29", "4.5")],
    "convnext_small": [(224, "50", "8.7")],
    "convnext_base": [(224, "89", "15.4"), (384, "89", "45.0")],
    "convnext_large": [(224, "198", "34.4"), (384, "198", "101.0")],
    "convnext_xlarge": [(224, "350", "60.9"), (384, "350", "179.0")],
}
TABLE_2 = {
    "convnext_isotropic_small": ("22", "4.3"),
    "convnext_isotropic_base": ("87", "16.9"),
    "convnext_isotropic_large": ("306", "59.7"),
}
# Table 9 and the appendix: 384 pixels
TABLE_9 = {"convnext_tiny": "13.1", "convnext_small": "25.5", "convnext_base": "45.1", "convnext_large": "101.0"}


def printed(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


def test_table_1_prints_these_params_and_macs():
    """But for B at 384, which Table 1 prints as 45.0 and Table 9 as 45.1: it is 45.12."""
    wrong = []
    for name, rows in TABLE_1.items():
        for size, params, macs in rows:
            ours = cost(adapt(architecture(name), size=size))
            assert printed(ours.params / 1e6, params) == params
            wrong += [(name, size)] if printed(ours.macs / 1e9, macs) != macs else []
    assert wrong == [("convnext_base", 384)]


@pytest.mark.parametrize("name", TABLE_2)
def test_table_2_prints_these_params_and_macs(name):
    params, macs = TABLE_2[name]
    ours = cost(architecture(name))
    assert (printed(ours.params / 1e6, params), printed(ours.macs / 1e9, macs)) == (params, macs)


@pytest.mark.parametrize("name", TABLE_9)
def test_the_rows_at_384_print_these_macs(name):
    assert printed(cost(adapt(architecture(name), size=384)).macs / 1e9, TABLE_9[name]) == TABLE_9[name]


# ------------------------------------------------------------------------------------------------------ layers, names


@pytest.mark.parametrize("name", [*SIZES, *SMALLER])
def test_maps_are_a_quarter_to_a_thirtysecond_of_the_picture(name):
    width, *_ = {**SIZES, **SMALLER}[name]
    left = [part.left for path, part in parts(architecture(name)) if path.endswith("blocks.0")]
    assert left == [Grid(width * 2**i, 56 >> i, 56 >> i) for i in range(4)]
    odd = [part.left[1:] for path, part in parts(adapt(architecture(name), size=(225, 250))) if ".blocks.0" in path]
    assert odd == [(56, 62), (28, 31), (14, 15), (7, 7)], "a remainder is dropped: windows do not overlap"


def test_a_picture_below_a_last_window_is_refused_and_32_pixels_are_read():
    assert cost(adapt(architecture("convnext_tiny"), size=32)).params == 28_589_128
    with pytest.raises(ShapeError, match=r"convnext_tiny, stages\.3\.downsample, given 384x1x2: .*at least 2 pixels"):
        adapt(architecture("convnext_tiny"), size=(31, 32))


def test_a_block_is_one_norm_and_one_activation_around_an_inverted_bottleneck():
    (residual,) = ConvNeXtBlock().spell(96, 96, 1)
    kinds = [type(op) for op in residual.branch]
    assert kinds == [Depthwise, Norm, Linear, Act, Linear, Scale]
    assert residual.shortcut == ()
    assert [op.width for op in residual.branch if isinstance(op, Linear)] == [384, 96]
    assert {op.eps for _, op, _ in ops(architecture("convnext_tiny")) if isinstance(op, Norm)} == {1e-6}
    assert {op.eps for _, op, _ in ops(architecture("convnext_xxlarge")) if isinstance(op, Norm)} == {1e-5}
    assert {op.kind for _, op, _ in ops(architecture("convnext_zepto_rms")) if isinstance(op, Norm)} == {"variance"}


@pytest.mark.parametrize(("width_in", "width", "stride"), [(8, 16, 1), (8, 8, 2)])
def test_a_block_that_should_change_width_or_size_asks_for_a_downsample(width_in, width, stride):
    with pytest.raises(ShapeError, match=r"ConvNeXtBlock\(.*cannot .*give its Stage a downsample"):
        ConvNeXtBlock().spell(width_in, width, stride)


def test_downsampling_is_a_norm_and_then_windows_that_do_not_overlap():
    norm, conv = Downsample().spell(96, 192, 2)
    assert (norm, conv) == (Norm("layer", 1e-6), Conv(192, 2, 2, padding=0))


def test_stochastic_depth_is_table_5s():
    rates = {size: architecture(f"convnext_{size}").drop_path for size in ("tiny", "small", "base", "large")}
    assert rates == {"tiny": 0.1, "small": 0.4, "base": 0.5, "large": 0.5}
    assert [architecture(name).drop_path for name in ISOTROPIC] == [0.1, 0.2, 0.5]


@pytest.mark.parametrize("name", list_models("convnext*"))
def test_every_listed_name_is_tested_above(name):
    plain = name.removesuffix("_22k").removesuffix("_hnf").removesuffix("_ols")
    assert plain in {**SIZES, **SMALLER, **ISOTROPIC}
    assert architecture(name).init == "normal"


@pytest.mark.parametrize(
    "name", ["convnext_tiny_rms", "convnext_zepto", "convnext_tiny_21k", "convnext_isotropic_tiny"]
)
def test_a_name_that_only_looks_right_is_none(name):
    with pytest.raises(ArchitectureError, match=rf"no architecture is called '{name}'; did you mean convnext_"):
        architecture(name)


def test_suffixes_combine_in_their_order():
    arch = architecture("convnext_base_22k_hnf_ols")
    assert (arch.head[-1], type(arch.head[0]), len(arch.stem)) == (Linear(21841), Norm, 3)
    assert isotropic("x", 8, 2, drop_path=0.0, scale=0.0).name == "x"


def test_stochastic_depth_is_table_5s_for_each_data_set():
    sizes = ("tiny", "small", "base", "large")
    assert [architecture(f"convnext_{size}").drop_path for size in sizes] == [0.1, 0.4, 0.5, 0.5]
    assert [architecture(f"convnext_{size}_22k").drop_path for size in (*sizes, "xlarge")] == [0.0, 0.0, 0.1, 0.1, 0.2]
