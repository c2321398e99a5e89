"""GLiT: the authors' two lists, the cost of all their options, and what the paper's tables print."""

import json
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glocal.design import (
    AreaAttention,
    Attention,
    ClassToken,
    Conv1d,
    Depthwise,
    Depthwise1d,
    First,
    Flatten,
    Gate,
    Grid,
    LearnedPosition,
    Linear,
    Mean,
    Norm,
    Residual,
    Split,
    Unflatten,
    adapt,
    cost,
    dump,
    load,
    parts,
)
from glocal.design.cost import ops, part_cost
from glocal.errors import ArchitectureError, ShapeError
from glocal.families import architecture, vocabulary
from glocal.families.glit import (
    NAMES,
    RELEASED,
    GLiTAreaBlock,
    GLiTBlock,
    GLiTGridBlock,
    from_official,
    glit,
    kind,
    legacy_macs,
    options,
    to_official,
)
from strategies import law


def block_form(block, d, t):
    """Section 3.8 of docs: params, multiply-adds and the authors' count of them for one block on t tokens."""
    r, e, k, z = block.qkv, block.expansion, block.kernel, block.mlp
    g = d * (block.heads - block.local) // block.heads
    c = d - g
    params = 4 * r * g**2 + 3 * r * g + g + (3 * e * c**2 + e * c * (k + 5) + c if c else 0)
    params += 2 * z * d**2 + z * d + d + 4 * d
    macs = 4 * r * g**2 * t + 2 * r * g * t**2 + 3 * e * c**2 * t + e * k * c * t + 2 * z * d**2 * t
    return params, macs, macs - e * c**2 * t


def around(d, *, p=16, w=14, n=1000):
    """Patches, class token, positions, the last norm, the classifier."""
    return 3 * p**2 * d + d + d + (w * w + 1) * d + 2 * d + d * n + n, 3 * p**2 * d * w**2 + d * n


# multiply-adds in millions, true and by the authors' counter, and params of every option: all local, all global, one global
# of three, two global of three
OPTIONS = [
    [(80.527, 73.265, 411648), (51.025, 51.025, 223008), (47.709, 44.481, 219328), (54.706, 53.899, 229504)],
    [(102.957, 88.433, 526464), (80.073, 80.073, 370848), (76.758, 73.530, 367168), (83.755, 82.948, 377344)],
    [(147.816, 118.767, 756096), (109.122, 109.122, 518688), (105.806, 102.579, 515008), (112.804, 111.997, 525184)],
    [(81.057, 73.795, 414336), (73.000, 73.000, 297024), (58.173, 51.718, 273088), (57.518, 55.904, 244096)],
    [(104.016, 89.492, 531840), (102.049, 102.049, 444864), (87.222, 80.767, 420928), (86.567, 84.953, 391936)],
    [(149.934, 120.886, 766848), (131.098, 131.098, 592704), (116.271, 109.816, 568768), (115.615, 114.002, 539776)],
    [(81.586, 74.324, 417024), (116.952, 116.952, 445056), (79.103, 66.192, 380608), (63.141, 59.913, 273280)],
    [(105.075, 90.551, 537216), (146.001, 146.001, 592896), (108.151, 95.241, 528448), (92.190, 88.962, 421120)],
    [(152.052, 123.004, 777600), (175.049, 175.049, 740736), (137.200, 124.290, 676288), (121.239, 118.011, 568960)],
]
COLUMNS = dict(zip((0, 3, 1, 2), range(4), strict=True))  # thirds of the heads that are global


@pytest.mark.parametrize("index", range(9))
@pytest.mark.parametrize("thirds", COLUMNS)
def test_every_option_of_a_block_costs_what_the_authors_modules_do(thirds, index):
    true, legacy, params = OPTIONS[index][COLUMNS[thirds]]
    arch = from_official([thirds], [index])
    ((path, block),) = [(path, part) for path, part in parts(arch) if ".blocks." in path]
    assert path == "stages.0.blocks.0"
    spent = part_cost(block)
    assert spent.params == params
    assert spent.macs / 1e6 == pytest.approx(true, abs=5.1e-4)
    assert (spent.macs - cost(arch).macs + legacy_macs(arch)) / 1e6 == pytest.approx(legacy, abs=5.1e-4)
    assert (*spent, spent.macs - cost(arch).macs + legacy_macs(arch)) == block_form(block.word, 192, 197)


@law(100)
@given(
    local=st.integers(0, 4),
    qkv=st.sampled_from((0.5, 1.0, 2.0)),
    kernel=st.sampled_from((1, 4, 5, 17)),
    expansion=st.integers(1, 4),
    mlp=st.integers(1, 6),
    head=st.integers(1, 8),
    depth=st.integers(1, 3),
    patch=st.sampled_from((4, 8)),
    side=st.integers(2, 6),
)
def test_cost_is_the_closed_form(local, qkv, kernel, expansion, mlp, head, depth, patch, side):
    d = 4 * 2 * head
    block = GLiTBlock(4, local, qkv, float(mlp), kernel=kernel, expansion=expansion)
    arch = glit("any", (block,) * depth, width=d, patch=patch, size=patch * side)
    params, macs, legacy = block_form(block, d, side**2 + 1)
    params_around, macs_around = around(d, p=patch, w=side)
    assert cost(arch) == (depth * params + params_around, depth * macs + macs_around)
    assert legacy_macs(arch) == depth * legacy + macs_around


# ------------------------------------------------------------------------------------------------------ the released network

# G, option, d_k or nothing, E, K, d_z, params, multiply-adds true and by the authors' counter
TINY = [
    (3, 1, 96, None, None, 4, 370_848, 80.073, 80.073),
    (0, 4, None, 2, 31, 4, 531_840, 104.016, 89.492),
    (1, 8, 64, 4, 31, 6, 676_288, 137.200, 124.290),
    (3, 4, 192, None, None, 4, 444_864, 102.049, 102.049),
    (0, 8, None, 4, 45, 4, 777_600, 152.052, 123.004),
    (1, 8, 64, 4, 31, 6, 676_288, 137.200, 124.290),
    (3, 3, 192, None, None, 2, 297_024, 73.000, 73.000),
    (1, 6, 64, 4, 31, 2, 380_608, 79.103, 66.192),
    (0, 8, None, 4, 45, 4, 777_600, 152.052, 123.004),
    (3, 4, 192, None, None, 4, 444_864, 102.049, 102.049),
    (0, 5, None, 4, 31, 4, 766_848, 149.934, 120.886),
    (3, 8, 384, None, None, 6, 740_736, 175.049, 175.049),
]


def test_glit_tiny_is_exact():
    arch = architecture("glit_tiny")
    assert cost(arch) == (7_264_456, 1_472_873_280)
    assert legacy_macs(arch) == 1_332_470_592
    assert cost(arch).macs - legacy_macs(arch) == 140_402_688


def test_the_paper_prints_7_2_m_weights_and_the_readme_the_authors_count_of_1_33_g():
    arch = architecture("glit_tiny")
    assert int(cost(arch).params / 1e5) / 10 == 7.2, "cut, not rounded"
    assert f"{legacy_macs(arch) / 1e9:.2f}" == "1.33"
    assert f"{cost(arch).macs / 1e9:.2f}" == "1.47", "which the paper prints as 1.4 G"


@pytest.mark.parametrize("i", range(12))
def test_each_block_of_glit_tiny_is_the_released_one(i):
    g, option, d_k, e, k, d_z, params, true, legacy = TINY[i]
    part = dict(parts(architecture("glit_tiny")))[f"stages.0.blocks.{i}"]
    said = {type(op): op for path, op, _ in _leaves(part)}
    assert (RELEASED[0][i], RELEASED[1][i]) == (g, option)
    assert (said[Attention].inner if d_k else None) == d_k
    if e:
        assert (said[Depthwise1d].kernel, part.word.expansion) == (k, e)
    assert (Attention in said, Depthwise1d in said) == (g > 0, g < 3)
    assert part.word.mlp == d_z
    assert (part_cost(part).params, part_cost(part).macs / 1e6) == (params, pytest.approx(true, abs=5.1e-4))
    assert block_form(part.word, 192, 197)[2] / 1e6 == pytest.approx(legacy, abs=5.1e-4)


def _leaves(part):
    from glocal.design.op import leaves

    return leaves(part.sentence, part.given)


def test_what_lies_around_the_blocks_of_glit_tiny():
    spent = dict(parts(architecture("glit_tiny")))
    both = [part_cost(spent[path]) for path in ("stem", "head")]
    assert sum(c.params for c in both) == 379_048
    assert sum(c.macs for c in both) / 1e6 == pytest.approx(29.093, abs=5.1e-4)


@pytest.mark.parametrize(
    ("name", "params", "true", "legacy"),
    [("glit_small_scaled", 27_897_256, 5579.5, 5017.9), ("glit_base_scaled", 109_270_888, 21694.1, 19447.6)],
)
def test_the_scaled_networks_are_larger_than_the_papers(name, params, true, legacy):
    arch = architecture(name)
    assert cost(arch).params == params
    assert cost(arch).macs / 1e6 == pytest.approx(true, abs=0.051)
    assert legacy_macs(arch) / 1e6 == pytest.approx(legacy, abs=0.051)
    printed = {"glit_small_scaled": 24.6e6, "glit_base_scaled": 96.1e6}[name]
    assert cost(arch).params > 1.1 * printed


@pytest.mark.parametrize(
    ("name", "width", "heads", "params", "macs"),
    [
        ("deit_tiny", 192, 3, 5_717_416, 1_253_683_200),
        ("deit_small", 384, 6, 22_050_664, 4_598_882_304),
        ("deit_base", 768, 12, 86_567_656, 17_563_828_224),
    ],
)
def test_with_global_heads_alone_it_is_deit(name, width, heads, params, macs):
    arch = from_official([3] * 12, [4] * 12, width=width, heads=heads)
    assert cost(arch) == cost(architecture(name)) == (params, macs)
    assert legacy_macs(arch) == macs
    assert [part.sentence for path, part in parts(arch) if ".blocks." in path] == [
        part.sentence for path, part in parts(architecture(name)) if ".blocks." in path
    ]


# Table 1: global and local heads of every block; params and multiply-adds in millions with E = 1 and E = 2
MIXES = {
    (3, 0): (5_717_416, 1253.68, 5_717_416, 1253.68),
    (2, 1): (4_907_176, 1034.15, 5_082_280, 1067.89),
    (1, 2): (4_785_064, 950.18, 5_430_184, 1075.76),
    (0, 3): (5_351_080, 1001.78, 6_761_128, 1277.29),
}


@pytest.mark.parametrize(("g", "local"), MIXES)
def test_table_1_mixes_heads_at_deit_tinys_size(g, local):
    *first, params, macs = MIXES[g, local]
    arch = architecture(f"glit_mix_{g}_{local}")
    assert [cost(arch).params, cost(arch).macs / 1e6] == [first[0], pytest.approx(first[1], abs=5.1e-3)]
    (stage,) = arch.stages
    assert stage.blocks == (GLiTBlock(3, local),) * 12
    wide = replace(arch, stages=(replace(stage, blocks=(GLiTBlock(3, local, expansion=2),) * 12),))
    assert [cost(wide).params, cost(wide).macs / 1e6] == [params, pytest.approx(macs, abs=5.1e-3)]


# ------------------------------------------------------------------------------------------------------ the authors' lists


@pytest.mark.parametrize(("thirds", "index"), [*product(range(4), range(9))])
def test_all_four_times_nine_options_go_to_the_authors_lists_and_back(thirds, index):
    arch = from_official([thirds], [index])
    assert to_official(arch) == ([thirds], [index])
    assert load(json.loads(json.dumps(dump(arch))), vocabulary()) == arch


@pytest.mark.parametrize(("width", "heads"), [(192, 3), (384, 6), (768, 12)])
def test_the_released_lists_go_there_and_back_at_every_width(width, heads):
    arch = from_official(*RELEASED, width=width, heads=heads)
    assert to_official(arch) == (list(RELEASED[0]), list(RELEASED[1]))
    assert [kind(block) for block in arch.stages[0].blocks].count("mixed") == 3
    assert [block.local for block in arch.stages[0].blocks] == [heads - g * heads // 3 for g in RELEASED[0]]


def test_swish_and_dropout_are_no_part_of_the_authors_lists():
    assert to_official(architecture("glit_tiny_swish")) == to_official(architecture("glit_tiny"))
    assert to_official(adapt(architecture("glit_tiny"), attention_dropout=0.1))[0] == list(RELEASED[0])
    acts = {op.kind for path, op, _ in ops(architecture("glit_tiny_swish")) if "residual2.branch.act" in path}
    assert acts == {"silu"}


def test_the_first_of_two_factors_is_the_slow_one():
    local, mixed, both, last = (options(3, g) for g in range(4))
    assert [(b.kernel, b.expansion) for b in local] == [*product((17, 31, 45), (1, 2, 4))]
    assert (
        [(b.expansion, b.mlp) for b in mixed]
        == [(b.expansion, b.mlp) for b in both]
        == [*product((1, 2, 4), (2, 4, 6))]
    )
    assert [(b.qkv, b.mlp) for b in last] == [*product((0.5, 1, 2), (2, 4, 6))]
    assert {b.mlp for b in local} == {4.0}, "what a kind of block does not choose is DeiT's"
    assert {(b.qkv, b.kernel) for b in (*mixed, *both)} == {(1.0, 31)}
    assert len({*local, *mixed, *both, *last}) == 36


@pytest.mark.parametrize(
    ("heads_global", "choice", "heads", "said"),
    [
        ([3, 0], [1], 3, "2 numbers of global heads and 1 choices; give one a block"),
        ([], [], 3, "0 numbers of global heads and 0 choices; give one a block"),
        ([3], [9], 3, "choice 9 is none of the options 0 to 8"),
        ([3], [-1], 3, "choice -1 is none of the options 0 to 8"),
        ([4], [1], 3, "4 thirds of 3 heads; give 0 to 3 thirds of a number that 3 divides"),
        ([-1], [1], 3, "-1 thirds of 3 heads; give 0 to 3 thirds"),
        ([1], [1], 4, "1 thirds of 4 heads; give 0 to 3 thirds of a number that 3 divides"),
    ],
)
def test_lists_that_mean_nothing_are_refused_by_what_is_wrong_with_them(heads_global, choice, heads, said):
    with pytest.raises(ArchitectureError, match=said):
        from_official(heads_global, choice, heads=heads)


@pytest.mark.parametrize(
    "wrong",
    [
        GLiTBlock(3, 3, kernel=19),
        GLiTBlock(3, 0, qkv=1.5),
        GLiTBlock(3, 1, kernel=17),
        GLiTBlock(6, 1),
        GLiTBlock(3, 3, mlp=2.0),
        GLiTAreaBlock(3, 1),
        GLiTGridBlock(3, 1),
    ],
)
def test_a_block_that_the_lists_cannot_say_is_named(wrong):
    (stage,) = from_official(*RELEASED).stages
    arch = replace(from_official(*RELEASED, name="mine"), stages=(replace(stage, blocks=(*stage.blocks[:2], wrong)),))
    if isinstance(wrong, GLiTGridBlock):
        arch = replace(arch, stem=tuple(op for op in arch.stem if op != ClassToken()), head=(Mean(), Linear(2)))
    with pytest.raises(ArchitectureError, match=r"mine, stages\.0\.blocks\.2: GLiT.* is none of the authors' options"):
        to_official(arch)


def test_another_family_has_no_lists():
    with pytest.raises(ArchitectureError, match=r"deit_tiny, stages\.0\.blocks\.0: .* none of the authors' options"):
        to_official(architecture("deit_tiny"))


# ------------------------------------------------------------------------------------------------------ words, names


def test_a_mixed_block_gives_the_first_channels_to_attention_and_the_rest_to_convolution():
    attend, feed = GLiTBlock(3, 2, expansion=4, mlp=6.0).spell(192, 192, 1)
    norm, split = attend.branch
    assert norm == Norm("layer", 1e-6)
    assert isinstance(split, Split)
    assert (split.first, split.one) == (64, (Attention(1, 64, 64),))
    assert [type(op) for op in split.other] == [Conv1d, Gate, Depthwise1d, Norm, type(feed.branch[2]), Conv1d]
    assert [op.width for op in split.other if isinstance(op, Conv1d)] == [2 * 4 * 128, 128]
    assert [op.width for op in feed.branch if isinstance(op, Linear)] == [6 * 192, 192]
    assert all(isinstance(op, Residual) and not op.shortcut for op in (attend, feed))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_the_width_of_queries_and_keys_is_a_ratio_of_their_channels(ratio):
    (attend, _) = GLiTBlock(3, 0, qkv=ratio).spell(192, 192, 1)
    assert attend.branch[1] == Attention(3, int(64 * ratio), 192)


@pytest.mark.parametrize(("heads", "local", "width"), [(3, 0, 64), (3, 4, 192), (3, -1, 192)])
@pytest.mark.parametrize("word", [GLiTBlock, GLiTGridBlock, GLiTAreaBlock])
def test_heads_that_do_not_fit_are_refused(word, heads, local, width):
    with pytest.raises(ShapeError, match=rf"{word.__name__}\(.*the heads must divide the width {width}"):
        word(heads, local).spell(width, width, 1)


@pytest.mark.parametrize("word", [GLiTBlock, GLiTGridBlock, GLiTAreaBlock])
def test_a_block_that_should_change_width_or_size_asks_for_a_downsample(word):
    for width_in, width, stride in ((192, 384, 1), (192, 192, 2)):
        with pytest.raises(ShapeError, match=r"cannot .*give its Stage a downsample"):
            word(3, 1).spell(width_in, width, stride)


@pytest.mark.parametrize(("patches", "area"), [(14, (1, 14)), (28, (2, 14)), (49, (7, 7))])
def test_table_6_attends_within_areas(patches, area):
    arch = architecture(f"glit_tiny_area_{patches}")
    found = [op for _, op, _ in ops(arch) if isinstance(op, AreaAttention)]
    assert {(op.rows, op.columns) for op in found} == {area}
    assert len(found) == sum(g < 3 for g in RELEASED[0])
    assert not any(isinstance(op, Depthwise1d) for _, op, _ in ops(arch))
    with pytest.raises(ShapeError, match=r"16x16 patches do not divide into areas of"):
        adapt(arch, size=256)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_table_6_convolves_in_two_dimensions_without_a_class_token(kernel):
    arch = architecture(f"glit_tiny_conv2d_{kernel}")
    said = [op for _, op, _ in ops(arch)]
    assert {op.kernel for op in said if isinstance(op, Depthwise)} == {kernel}
    assert not any(isinstance(op, ClassToken | First | Depthwise1d) for op in said)
    assert (arch.head[1], sum(isinstance(op, Unflatten) for op in said)) == (Mean(), 7)
    with_token = replace(arch, stem=(*arch.stem[:2], ClassToken(), *arch.stem[2:]))
    with pytest.raises(ShapeError, match=r"stages\.0\.blocks\.1, .*no place on the grid for a class token"):
        cost(with_token)


def test_its_stem_and_head_are_deits():
    arch = architecture("glit_tiny")
    assert [type(op) for op in arch.stem[1:]] == [Flatten, ClassToken, LearnedPosition]
    assert arch.head == (Norm("layer", 1e-6), First(), Linear(1000))
    assert (arch.image, arch.init, arch.drop_path) == (Grid(3, 224, 224), "vit", 0.1)


def test_the_authors_name_is_answered_with_ours():
    assert architecture("glit_tiny_patch16_224") == architecture("glit_tiny")
    assert {name for name in NAMES if name.startswith("glit_tiny")} >= {"glit_tiny", "glit_tiny_swish"}


@pytest.mark.parametrize(
    "name", ["glit_small", "glit_base", "glit_mix_1_1", "glit_mix_3_3", "glit_tiny_area_15", "glit_tiny_conv2d_0"]
)
def test_a_name_that_only_looks_right_is_none(name):
    with pytest.raises(ArchitectureError, match=rf"no architecture is called '{name}'; did you mean .*glit_"):
        architecture(name)
