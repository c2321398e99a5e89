"""Swin: its sizes, what attention in shifted windows computes on any grid, and timm's network on the same weights."""

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.models.swin_transformer import PatchMerging as TimmsMerging

import glocal
from glocal.design import Grid, RelativeAttention, SpaceToDepth, WindowAttention, cost
from glocal.design.op import read
from glocal.errors import ShapeError
from glocal.families.swin import PatchMerging, Size, SwinBlock, swin
from glocal.net.build import build
from peers import agrees
from strategies import law

SMALL = Size((2, 2, 2, 2), 32, 0.0)


@pytest.mark.parametrize(
    ("size", "millions", "giga"), [("tiny", 28, 4.5), ("small", 50, 8.7), ("base", 88, 15.4)], ids=str
)
def test_weights_and_multiply_adds_are_those_of_the_authors_readme(size, millions, giga):
    params, macs = cost(glocal.architecture(f"swin_{size}"))
    assert (round(params / 1e6), round(macs / 1e9, 1)) == (millions, giga)


def test_timms_name_is_answered_with_ours():
    assert glocal.architecture("swin_tiny_patch4_window7_224") == glocal.architecture("swin_tiny")


# ------------------------------------------------------------------------------------------------------ attention


def attention(h, w, *, window, shifted, heads=2, c=8):
    """A layer with every weight drawn, and the op it is of."""
    op = WindowAttention(heads, 3, c, window_size=window, shifted=shifted)
    torch.manual_seed(0)
    layer = build((op,), Grid(c, h, w)).double().eval()
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn_like(p) / 2)
    return op, layer[0]


def seen_from(i, side, *, window, shifted):
    """The places along one side, padding among them, that place i looks at: its window's, on its side of the seam."""
    if side <= window:
        return list(range(side))
    padded, shift = -(-side // window) * window, window // 2 if shifted else 0
    k = (i - shift) % padded // window
    places = [(k * window + j + shift) % padded for j in range(window)]
    return [p for p in places if (p < shift) == (i < shift)]


def by_definition(op, layer, x_CHW):
    """Every position by itself: softmax over what it sees of q k' / sqrt(D) + the scalar of the offset (Eq. 4)."""
    c, h, w = x_CHW.shape
    weight, bias = layer.qkv.weight.view(3, op.heads, op.head_dim, c), layer.qkv.bias.view(3, op.heads, op.head_dim)

    def project(which, place):
        x = x_CHW[:, *place] if place[0] < h and place[1] < w else torch.zeros(c).double()
        return weight[which] @ x + bias[which]

    out = torch.zeros(op.width, h, w).double()
    for i in range(h):
        for j in range(w):
            rows = seen_from(i, h, window=op.window_size, shifted=op.shifted)
            columns = seen_from(j, w, window=op.window_size, shifted=op.shifted)
            places = [(r, s) for r in rows for s in columns]
            middle = op.window_size - 1
            scalars = torch.stack([layer.offsets[:, i - r + middle, j - s + middle] for r, s in places])
            k, v = (torch.stack([project(n, place) for place in places]) for n in (1, 2))
            logits = (k * project(0, (i, j))).sum(2) / op.head_dim**0.5 + scalars
            seen = (logits.softmax(0)[:, :, None] * v).sum(0)
            out[:, i, j] = layer.project.weight @ seen.flatten() + layer.project.bias
    return out


@law(25)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 5), st.booleans())
def test_attention_in_windows_is_its_definition_on_any_grid(h, w, window, shifted):
    op, layer = attention(h, w, window=window, shifted=shifted)
    x = torch.randn(8, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(layer(x[None])[0], by_definition(op, layer, x), rtol=1e-10, atol=1e-10)


def test_positions_at_opposite_edges_do_not_see_one_another_and_neighbours_of_two_windows_do():
    _, layer = attention(8, 8, window=4, shifted=True)
    x = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    poked = x.clone()
    poked[:, :, 3, 3] += 1
    with torch.no_grad():
        moved = (layer(poked) - layer(x)).abs().amax((0, 1)) > 1e-9
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[2:6, 2:6] = True  # across the border between rows 3 and 4
    assert torch.equal(moved, expected)
    poked = x.clone()
    poked[:, :, 0, 0] += 1
    with torch.no_grad():
        moved = (layer(poked) - layer(x)).abs().amax((0, 1)) > 1e-9
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:2, :2] = True  # the corner, and not those that the roll puts beside it
    assert torch.equal(moved, expected)


def test_one_window_is_attention_with_the_middle_of_the_table():
    _, layer = attention(3, 4, window=5, shifted=True)
    plain = build((RelativeAttention(2, 3, 8),), Grid(8, 3, 4)).double().eval()[0]
    state = {key: value for key, value in layer.state_dict().items() if key != "offsets"}
    plain.load_state_dict({**state, "table": layer.offsets[:, 2:7, 1:8]})
    x = torch.randn(2, 8, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), plain(x), rtol=1e-12, atol=1e-12)


def test_the_same_weights_read_every_picture_size():
    network = glocal.create_model(swin("small", SMALL, window=4, image=64), num_classes=3).eval()
    for size in ((64, 64), (96, 64), (40, 72)):
        twin = network.resized(size).eval()
        x = torch.randn(1, 3, *size)
        with torch.no_grad():
            assert torch.equal(network(x), twin(x))
        assert cost(twin.arch).params == cost(network.arch).params


# ------------------------------------------------------------------------------------------------------ timm


@pytest.mark.parametrize("size", [(64, 64), (128, 64)])
def test_timms_network_gives_the_same_logits(size):
    """At sizes that windows divide; elsewhere timm rolls before it pads, and its mask lies beside the seam."""
    theirs = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=size,
        window_size=2,
        depths=SMALL.depths,
        embed_dim=SMALL.width,
        num_heads=(1, 2, 4, 8),
    )
    ours = glocal.create_model(swin("small", SMALL, window=2), img_size=size)
    agrees(ours, theirs, source="timm (Swin)")


def test_swin_tiny_is_timms():
    theirs = timm.create_model("swin_tiny_patch4_window7_224")
    agrees(glocal.create_model("swin_tiny"), theirs, source="timm (Swin)", batch=1)


@pytest.mark.parametrize("size", [(6, 8), (5, 8), (6, 7), (1, 3)])
def test_patches_are_merged_as_in_timm_on_odd_grids_too(size):
    torch.manual_seed(0)
    theirs = TimmsMerging(6).eval()
    ours = build(PatchMerging().spell(6, 12, 2), Grid(6, *size)).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    x = torch.randn(2, *size, 6)
    with torch.no_grad():
        torch.testing.assert_close(ours(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), theirs(x))


# ------------------------------------------------------------------------------------------------------ words


def test_neighbours_stand_side_by_side_down_the_columns():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    merged = build((SpaceToDepth(2),), Grid(1, 2, 3))(x)
    assert merged.squeeze(0).tolist() == [[[0, 2]], [[3, 5]], [[1, 0]], [[4, 0]]]


def test_a_block_keeps_any_grid_and_its_heads_must_divide_the_width():
    assert read(SwinBlock(True, 4, 8).spell(24, 24, 1), Grid(24, 5, 9)) == Grid(24, 5, 9)
    with pytest.raises(ShapeError, match="heads of 32 do not divide the width 24"):
        SwinBlock().spell(24, 24, 1)
