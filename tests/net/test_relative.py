"""CoAtNet's blocks compute Eqs. 3 to 5: the laws of attention that knows offsets, its kept bias, and the order of the layers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import glocal
from glocal.design import Architecture, Attention, Conv, Grid, Linear, Mean, RelativeAttention, Stage, cost
from glocal.errors import WeightError
from glocal.families.coatnet import LN, MBConv, RelativeTransformer
from glocal.net import Network
from glocal.net.attention import einsum_bias, resized_table
from glocal.net.build import build
from glocal.weights import load_into

GRIDS = [(1, 1), (1, 4), (3, 3), (4, 2), (3, 5)]


def attention(h, w, *, heads=2, head_dim=4, merge="before", c=8):
    """The layer in float64, evaluating, with a random table."""
    torch.manual_seed(0)
    op = RelativeAttention(heads, head_dim, c, merge=merge)
    layer = build((op,), Grid(c, h, w))[0].double().eval()
    nn.init.normal_(layer.table)
    return layer


def grid(h, w, *, n=2, c=8):
    return torch.randn(n, c, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def bias_by_definition(table_hUV, h, w):
    """B[h, (i, j), (k, l)] = P[h, i - k + H - 1, j - l + W - 1], entry by entry."""
    out = torch.empty(len(table_hUV), h, w, h, w, dtype=table_hUV.dtype)
    for i in range(h):
        for j in range(w):
            for k in range(h):
                for m in range(w):
                    out[:, i, j, k, m] = table_hUV[:, i - k + h - 1, j - m + w - 1]
    return out.view(len(table_hUV), h * w, h * w)


# ------------------------------------------------------------------------------------------------------ the bias


@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_the_bias_is_read_by_query_minus_key(h, w):
    layer = attention(h, w)
    assert layer.table.shape == (2, 2 * h - 1, 2 * w - 1)
    assert torch.equal(layer.bias((h, w)), bias_by_definition(layer.table, h, w))
    if h * w > 1:
        flipped = bias_by_definition(layer.table.flip(1, 2), h, w)
        assert not torch.equal(layer.bias((h, w)), flipped), "an asymmetric table tells query - key from key - query"
        assert torch.equal(layer.bias((h, w)).mT, flipped)


@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_the_gather_is_the_two_einsums_exactly(h, w):
    layer = attention(h, w)
    gathered = layer.bias((h, w))
    layer.form = einsum_bias
    assert torch.equal(layer.train().bias((h, w)), gathered)


@pytest.mark.parametrize(("h", "w"), [(3, 3), (4, 2), (3, 5)])
def test_the_bias_of_two_positions_moves_with_them(h, w):
    bias = attention(h, w).bias((h, w)).view(2, h, w, h, w)
    assert torch.equal(bias[:, 1:, 1:, 1:, 1:], bias[:, :-1, :-1, :-1, :-1])
    assert torch.equal(bias[:, 1:, :, 1:], bias[:, :-1, :, :-1])


@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_a_position_reads_the_centre_of_the_table_for_itself_and_corners_read_corners(h, w):
    layer = attention(h, w)
    bias, table = layer.bias((h, w)), layer.table
    assert torch.equal(bias.diagonal(dim1=1, dim2=2), table[:, h - 1, w - 1, None].expand(-1, h * w))
    assert torch.equal(bias[:, 0, -1], table[:, 0, 0])
    assert torch.equal(bias[:, -1, 0], table[:, -1, -1])


@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_each_offset_is_used_as_often_as_two_positions_have_it(h, w):
    layer = attention(h, w)
    layer.bias((h, w)).sum().backward()
    rows, columns = (n - (torch.arange(2 * n - 1) - (n - 1)).abs() for n in (h, w))
    assert torch.equal(layer.table.grad, (rows[:, None] * columns).double().expand(2, -1, -1))


# ------------------------------------------------------------------------------------------------------ attention


def by_hand(layer, x, bias, *, merge="before"):
    """softmax(q k' / sqrt(d) + B) v, or softmax(q k' / sqrt(d)) v + B v, head by head."""
    (n, _, h, w), d = x.shape, layer.head_dim
    q, k, v = functional.linear(x.flatten(2).mT, layer.qkv.weight, layer.qkv.bias).chunk(3, 2)
    heads = []
    for i in range(layer.heads):
        cut = slice(i * d, (i + 1) * d)
        logits = q[..., cut] @ k[..., cut].mT / d**0.5
        weights = (logits + bias[i]).softmax(2) if merge == "before" else logits.softmax(2) + bias[i]
        heads.append(weights @ v[..., cut])
    return layer.project(torch.cat(heads, 2)).mT.reshape(n, -1, h, w)


@pytest.mark.parametrize("merge", ["before", "after"])
@pytest.mark.parametrize(("h", "w"), [(3, 3), (2, 5)])
def test_attention_is_equation_3(h, w, merge):
    layer, x = attention(h, w, merge=merge), grid(h, w)
    bias = bias_by_definition(layer.table, h, w)
    torch.testing.assert_close(layer(x), by_hand(layer, x, bias, merge=merge), rtol=1e-12, atol=1e-12)
    transposed = by_hand(layer, x, bias.mT, merge=merge)
    assert (layer(x) - transposed).abs().max() > 1e-3


def plain(layer, h, w):
    same = build((Attention(layer.heads, layer.head_dim, 8),), Grid(8, h, w))[0].double().eval()
    same.load_state_dict({key: t for key, t in layer.state_dict().items() if key != "table"})
    return same


@pytest.mark.parametrize("constant", [0.0, 3.5, -2.0])
def test_a_constant_table_before_the_softmax_changes_nothing(constant):
    layer, x = attention(3, 4), grid(3, 4)
    assert not torch.allclose(layer(x), plain(layer, 3, 4)(x), atol=1e-2)
    nn.init.constant_(layer.table, constant)
    torch.testing.assert_close(layer(x), plain(layer, 3, 4)(x), rtol=1e-12, atol=1e-12)


def test_a_table_of_zeros_after_the_softmax_changes_nothing_and_a_constant_one_does():
    layer, x = attention(3, 4, merge="after"), grid(3, 4)
    nn.init.zeros_(layer.table)
    torch.testing.assert_close(layer(x), plain(layer, 3, 4)(x), rtol=1e-12, atol=1e-12)
    nn.init.constant_(layer.table, 1.0)
    assert not torch.allclose(layer(x), plain(layer, 3, 4)(x), atol=1e-2)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 0), (0, -2), (-1, 1), (2, -3)])
def test_a_peaked_table_copies_the_neighbour_at_its_offset(row, column):
    h, w = 4, 5
    layer, x = attention(h, w, heads=1, head_dim=8), grid(h, w)
    with torch.no_grad():
        layer.qkv.weight[16:] = layer.project.weight[:] = torch.eye(8)
        layer.qkv.bias[16:] = layer.project.bias[:] = 0
        layer.table.zero_()[0, row + h - 1, column + w - 1] = 1e4
    y = layer(x)
    for i in range(max(0, row), min(h, h + row)):
        for j in range(max(0, column), min(w, w + column)):
            torch.testing.assert_close(y[:, :, i, j], x[:, :, i - row, j - column])


def test_each_head_has_a_table_of_its_own():
    layer, x = attention(3, 3), grid(3, 3)
    before = layer(x)
    with torch.no_grad():
        layer.project.weight[:] = torch.eye(8)
        before = layer(x)
        layer.table[1] += torch.randn(5, 5, dtype=torch.float64)
        after = layer(x)
    assert torch.equal(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:], atol=1e-3)


def test_y_post_is_affine_in_the_table():
    h, w = 3, 4
    layer, x = attention(h, w, merge="after"), grid(h, w)
    one, two = torch.randn(2, *layer.table.shape, dtype=torch.float64)
    said = []
    with torch.no_grad():
        for table in (one, two, (one + two) / 2):
            layer.table.copy_(table)
            said.append(layer(x))
        v = layer.heads_of(x.flatten(2).mT)[2]
        moved = (bias_by_definition(one - two, h, w) @ v).transpose(1, 2).flatten(2)
        difference = functional.linear(moved, layer.project.weight).mT.unflatten(2, (h, w))
    torch.testing.assert_close(said[2], (said[0] + said[1]) / 2, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(said[0] - said[1], difference, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("merge", ["before", "after"])
def test_gradients_are_right_to_float64_the_tables_too(merge):
    layer, x = attention(2, 3, heads=2, head_dim=2, merge=merge, c=4), grid(2, 3, n=1, c=4).requires_grad_()
    weights = dict(layer.named_parameters())

    def answer(x, *values):
        return torch.func.functional_call(layer, dict(zip(weights, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(answer, (x, *weights.values()), fast_mode=True)


def test_pictures_do_not_see_one_another():
    layer, x = attention(3, 4), grid(3, 4, n=3)
    torch.testing.assert_close(layer(x), torch.cat([layer(picture[None]) for picture in x]), rtol=1e-12, atol=1e-12)


# ------------------------------------------------------------------------------------------------------ resizing


def table(h, w, heads=3):
    return torch.randn(heads, 2 * h - 1, 2 * w - 1, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_resizing_to_the_same_size_is_the_identity(h, w):
    same = table(h, w)
    assert resized_table(same, (h, w)) is same


@pytest.mark.parametrize("to", [(14, 14), (3, 2), (2, 9), (7, 7)])
def test_resizing_keeps_the_centre_constants_and_symmetry(to):
    t = table(7, 5)
    t = (t + t.flip(1, 2)) / 2
    out = resized_table(t, to)
    assert out.shape == (3, 2 * to[0] - 1, 2 * to[1] - 1)
    torch.testing.assert_close(out[:, to[0] - 1, to[1] - 1], t[:, 6, 4])
    torch.testing.assert_close(out, out.flip(1, 2), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(resized_table(torch.full((3, 13, 9), 0.25), to), torch.full_like(out, 0.25))
    assert not torch.allclose(resized_table(table(7, 5), to), resized_table(table(7, 5).flip(1), to), atol=0.1)


def test_resizing_is_bilinear_with_half_pixel_centres():
    ramp = torch.arange(3.0)[None, :, None].expand(1, 3, 3).contiguous()  # rows 0, 1, 2 of a 2 x 2 grid
    out = resized_table(ramp, (3, 3))[0, :, 0]
    torch.testing.assert_close(out, torch.tensor([0.0, 0.4, 1.0, 1.6, 2.0]))


def test_float64_and_half_tables_keep_their_type():
    for dtype in (torch.float64, torch.bfloat16):
        assert resized_table(table(3, 3).to(dtype), (4, 4)).dtype == dtype


SMALL = Architecture(
    "small",
    stem=(Conv(8, 3, 2),),
    stages=(
        Stage(8, (MBConv(),) * 2, 2),
        Stage(16, (RelativeTransformer(8),) * 2, 2),
        Stage(16, (RelativeTransformer(8, offsets="after"),), 1),
    ),
    head=(Mean(), LN, Linear(5)),
    image=Grid(3, 32, 48),
    init="normal",
    drop_path=0.0,
)


def small(size=(32, 48)):
    torch.manual_seed(0)
    network = Network(glocal.design.adapt(SMALL, size=size))
    for name, p in network.named_parameters():
        if name.endswith("table"):
            nn.init.normal_(p)
    return network.eval()


def pictures(*size, n=2):
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(2))


def tables(network):
    return {name: p for name, p in network.named_parameters() if name.endswith("table")}


def test_weights_of_one_size_are_loaded_at_another_and_trained_on():
    source, target = small(), small((64, 32))
    load_into(target, source.state_dict())
    for name, t in tables(target).items():
        assert torch.equal(t, resized_table(tables(source)[name], (8, 4)))
    others = {key: t for key, t in source.state_dict().items() if not key.endswith("table")}
    assert all(torch.equal(target.state_dict()[key], t) for key, t in others.items())
    target.train()(pictures(64, 32)).square().mean().backward()
    assert all(t.grad.abs().sum() > 0 for t in tables(target).values())


def test_the_layer_reads_another_grid_from_a_resized_table():
    layer, other = attention(3, 4), attention(5, 2)
    with torch.no_grad():
        other.load_state_dict({**layer.state_dict(), "table": resized_table(layer.table, (5, 2))})
        torch.testing.assert_close(layer(grid(5, 2)), other(grid(5, 2)), rtol=1e-12, atol=1e-12)
        assert layer(grid(3, 4)).shape == (2, 8, 3, 4), "and back"


def test_a_resized_copy_answers_as_if_the_weights_had_been_loaded_at_its_size():
    source, target, x = small(), small((64, 32)), pictures(64, 32)
    load_into(target, source.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(source.resized((64, 32))(x), target(x))


def test_a_table_of_other_heads_is_refused():
    state = small().state_dict()
    name = next(iter(tables(small())))
    state[name] = state[name][:1]
    with pytest.raises(WeightError, match=r"table"):
        load_into(small(), state)


# ------------------------------------------------------------------------------------------------------ the kept bias


def test_the_kept_bias_is_the_same_numbers_and_is_made_once():
    network, x = small(), pictures(32, 48)
    made = network(x)
    with torch.no_grad():
        torch.testing.assert_close(network(x), made)
        assert torch.equal(network(x), network(x))
    layer = attention(3, 4)
    with torch.no_grad():
        first = layer.bias((3, 4))
        assert torch.equal(first, bias_by_definition(layer.table, 3, 4))
        assert layer.bias((3, 4)) is first
        assert layer.bias((4, 4)).shape == (2, 16, 16)
        assert torch.equal(layer.bias((3, 4)), first)


def test_a_bias_that_learns_is_never_a_kept_one():
    layer = attention(3, 4)
    with torch.no_grad():
        layer.bias((3, 4))
    layer.bias((3, 4)).sum().backward()
    assert layer.table.grad.abs().sum() > 0
    layer.train()
    with torch.no_grad():
        assert layer.bias((3, 4)) is not layer.bias((3, 4))


def renewed(layer, change):
    """Whether the bias after a change is that of the changed table."""
    with torch.no_grad():
        before = layer.bias((3, 4)).clone()
    change(layer)
    with torch.no_grad():
        after = layer.bias((3, 4))
    assert torch.equal(after, layer._read((3, 4)))
    assert after.dtype == layer.table.dtype
    return not torch.equal(after.double(), before.double())


def step(layer):
    optimiser = torch.optim.AdamW(layer.parameters(), 0.1)
    layer(grid(3, 4)).square().sum().backward()
    optimiser.step()


def train_step(layer):
    step(layer.train())
    layer.eval()


def load(layer):
    layer.load_state_dict({**layer.state_dict(), "table": torch.randn_like(layer.table)})


def load_assigned(layer):
    layer.load_state_dict({**layer.state_dict(), "table": torch.randn_like(layer.table)}, assign=True)


def fill_in_place(layer):
    with torch.no_grad():
        layer.table.mul_(2)


def average(layer):
    torch.optim.swa_utils.get_ema_multi_avg_fn(0.5)([layer.table.detach()], [torch.zeros_like(layer.table)], 1)


def replace(layer):
    layer.table = nn.Parameter(torch.randn_like(layer.table))


@pytest.mark.parametrize(
    "change",
    [step, train_step, load, load_assigned, fill_in_place, average, replace, lambda layer: layer.float()],
    ids=["step", "train step", "load", "load assigned", "in place", "average", "replace", "float"],
)
def test_the_kept_bias_is_renewed_after(change):
    assert renewed(attention(3, 4), change)


def test_the_kept_bias_is_renewed_after_a_change_through_data():
    assert renewed(attention(3, 4), lambda layer: layer.table.data.mul_(2))


def test_a_network_evaluated_between_two_steps_answers_with_the_new_tables():
    network, x = small(), pictures(32, 48)
    optimiser = torch.optim.SGD(network.parameters(), 1.0)
    answers = []
    for _ in range(2):
        with torch.no_grad():
            answers.append(network.eval()(x))
        network.train()(x).square().mean().backward()
        optimiser.step()
    fresh = Network(network.arch)
    fresh.load_state_dict(network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x), fresh.eval()(x), rtol=0, atol=0)
    assert not torch.equal(*answers)


def test_inference_mode_and_copies_answer_alike():
    network, x = small(), pictures(32, 48)
    made = network(x).detach()
    with torch.inference_mode():
        torch.testing.assert_close(network(x), made)
    with torch.no_grad():
        torch.testing.assert_close(network(x), made)
        torch.testing.assert_close(copy.deepcopy(network)(x), made)
        torch.testing.assert_close(network.double()(x.double()).float(), made, rtol=1e-4, atol=1e-5)


def test_a_frozen_table_kept_in_inference_mode_does_not_stop_gradients_of_others():
    layer, x = attention(3, 4), grid(3, 4).requires_grad_()
    layer.table.requires_grad_(False)
    with torch.inference_mode():
        layer(x.detach())
    layer(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_the_checkpoint_has_the_table_and_neither_index_nor_kept_bias():
    network = small()
    with torch.no_grad():
        network(pictures(32, 48))
    layer = attention(3, 4)
    with torch.no_grad():
        layer.bias((3, 4))
    assert set(layer.state_dict()) == {"table", "qkv.weight", "qkv.bias", "project.weight", "project.bias"}
    assert sum(key.endswith("table") for key in network.state_dict()) == 3
    assert not any("index" in key or "kept" in key for key in network.state_dict())
    assert sum(t.numel() for name, t in network.named_parameters()) == cost(network.arch).params


def test_deterministic_algorithms_answer_alike():
    network, x = small(), pictures(32, 48)
    made = network(x)
    torch.use_deterministic_algorithms(True)
    try:
        torch.testing.assert_close(network(x), made)
        network(x).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)


def test_autocast_keeps_its_type_and_stays_near():
    network, x = small(), pictures(32, 48)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = network(x)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), network(x), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("merge", ["before", "after"])
def test_the_products_that_the_design_counts_are_done(merge):
    op = RelativeAttention(2, 4, 8, merge=merge)
    with torch.device("meta"):
        layer, x = build((op,), Grid(8, 3, 4)).eval(), torch.empty(1, 8, 3, 4)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    assert counter.get_total_flops() == 2 * op.macs(Grid(8, 3, 4))


# ------------------------------------------------------------------------------------------------------ blocks


def block(word, i, o, stride, h, w):
    """A block in float64, evaluating, every weight and statistic drawn."""
    g = torch.Generator().manual_seed(3)
    module = build(word.spell(i, o, stride), Grid(i, h, w)).double().eval()
    with torch.no_grad():
        for name, t in module.state_dict().items():
            if t.is_floating_point():
                near_one = name.endswith("running_var") or ("norm" in name and name.endswith("weight"))
                t.copy_((0.5 if near_one else -0.5) + torch.rand(t.shape, generator=g, dtype=torch.float64))
    return module


def silenced(module):
    """The block with the last layer of each branch at zero."""
    for residual in module:
        *_, last = residual.branch
        last = getattr(last, "project", last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return module


WORDS = [
    MBConv(),
    MBConv(stride_on="depthwise", norm="layer"),
    MBConv(pool="average"),
    *(RelativeTransformer(8, offsets=offsets) for offsets in ("before", "after", "none")),
    RelativeTransformer(8, pool="average"),
]


@pytest.mark.parametrize("word", WORDS)
def test_with_silent_branches_a_downsampling_block_is_the_projection_of_the_pooled(word):
    x = grid(6, 4)
    module = silenced(block(word, 8, 16, 2, 6, 4))
    pool = functional.max_pool2d if word.pool == "max" else functional.avg_pool2d
    projection = module[0].shortcut.linear1
    expected = functional.conv2d(pool(x, 2), projection.weight[:, :, None, None], projection.bias)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("word", WORDS)
def test_with_silent_branches_a_block_is_the_identity(word):
    x = grid(6, 4)
    loud = block(word, 8, 8, 1, 6, 4)
    assert not torch.allclose(loud(x), x, atol=0.1)
    assert torch.equal(silenced(loud)(x), x)


def test_eq_4_pools_after_the_norm():
    x = grid(6, 4)
    module = block(RelativeTransformer(8), 8, 16, 2, 6, 4)
    attend = module[0]
    norm, attention = attend.branch.norm1, attend.branch.relative_attention1
    shortcut = attend.shortcut(x)
    as_written = shortcut + attention(functional.max_pool2d(norm(x), 2))
    the_other_way = shortcut + attention(norm(functional.max_pool2d(x, 2)))
    torch.testing.assert_close(attend(x), as_written, rtol=1e-12, atol=1e-12)
    assert (attend(x) - the_other_way).abs().max() > 1e-3


def test_the_shortcut_of_eq_4_is_pooled_and_not_normalised():
    x = grid(6, 4)
    attend = silenced(block(RelativeTransformer(8), 8, 16, 2, 6, 4))[0]
    torch.testing.assert_close(attend(10 * x) - attend(0 * x), 10 * (attend(x) - attend(0 * x)), rtol=1e-10, atol=1e-10)


def changed(word, pixel, *, channels_last=False):
    """Where the residual branch of a downsampling MBConv answers to one pixel; (3, 2) positions."""
    branch = block(word, 8, 16, 2, 6, 4)[0].branch
    branch.squeeze_excite1 = nn.Identity()  # which sees every position
    x = grid(6, 4, n=1)
    poked = x.clone()
    poked[:, :, *pixel] += 1
    if channels_last:
        x, poked = (t.to(memory_format=torch.channels_last) for t in (x, poked))
    return (branch(poked) - branch(x)).abs().amax((0, 1)) > 1e-9


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("pixel", [(0, 1), (1, 0), (3, 3), (5, 2)])
def test_the_strided_1x1_does_not_read_three_pixels_of_four(pixel, channels_last):
    assert not changed(MBConv(), pixel, channels_last=channels_last).any()
    assert changed(MBConv(stride_on="depthwise"), pixel, channels_last=channels_last).any()


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_strided_1x1_reads_the_first_pixel_of_four_and_the_3x3_spreads_it(channels_last):
    near = changed(MBConv(), (2, 0), channels_last=channels_last)
    assert torch.equal(near, torch.ones(3, 2, dtype=torch.bool))
    near = changed(MBConv(), (0, 0), channels_last=channels_last)
    assert torch.equal(near, torch.tensor([[True, True], [True, True], [False, False]]))


def test_three_of_four_pixels_reach_a_strided_mbconv_through_the_pool_alone():
    module, x = block(MBConv(), 8, 16, 2, 6, 4), grid(6, 4, n=1)
    poked = x.clone()
    poked[:, :, 1, 1] += 100
    module[0].shortcut.linear1.weight.data.zero_()
    torch.testing.assert_close(module(poked), module(x), rtol=0, atol=0)


def test_squeeze_excite_weighs_channels_by_what_their_means_say():
    module, x = block(MBConv(), 8, 8, 1, 6, 4), grid(6, 4)
    squeeze = module[0].branch.squeeze_excite1
    y = torch.randn(2, 32, 3, 3, dtype=torch.float64)
    mean = y.mean((2, 3))
    weight = squeeze.excite(functional.silu(squeeze.squeeze(mean))).sigmoid()
    torch.testing.assert_close(squeeze(y), y * weight[:, :, None, None])
    assert squeeze.squeeze.out_features == 2, "a quarter of the block's width, not of the hidden width"
    assert module(x).shape == x.shape


# ------------------------------------------------------------------------------------------------------ training


def test_tables_and_layers_start_as_the_scheme_says():
    torch.manual_seed(0)
    network = glocal.create_model("coatnet_0", img_size=64)
    drawn = torch.cat([t.flatten() for t in tables(network).values()])
    assert drawn.std().item() == pytest.approx(0.02, rel=0.1)
    for name, m in network.named_modules():
        if isinstance(m, nn.Linear | nn.Conv2d) and m.weight.numel() > 5000:
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.05), name
            assert m.bias is None or not m.bias.any(), name


def test_stochastic_depth_rises_over_all_blocks_and_is_one_rate_in_both_branches():
    network = glocal.create_model("coatnet_0", img_size=64)
    blocks = [module for stage in network.stages for module in stage.blocks]
    rates = [{m.drop_path for m in module.modules() if hasattr(m, "drop_path")} for module in blocks]
    assert [rate for (rate,) in rates] == pytest.approx([0.2 * i / 11 for i in range(12)])


def test_every_weight_learns_but_the_shift_that_the_second_batch_norm_takes_back():
    network = small().train()
    network(pictures(32, 48, n=4)).square().mean().backward()
    silent = {name for name, p in network.named_parameters() if p.grad.abs().max() < 1e-7}
    assert silent == {f"stages.0.blocks.{i}.residual1.branch.norm1.bias" for i in (0, 1)}
