"""GLiT computes what the authors' modules do: golden digits of modules, blocks and networks, locality, and the class token."""

import pytest
import torch
from torch import nn

import glocal
from glocal.design import AreaAttention, Attention, Conv1d, Depthwise1d, Norm, Tokens, adapt
from glocal.families.glit import RELEASED, GLiTAreaBlock, GLiTBlock, GLiTGridBlock, from_official, glit
from glocal.net import Network
from glocal.net.build import build
from glocal.weights import SOURCES, export, load_into

NORMS = (nn.LayerNorm, nn.BatchNorm2d, nn.BatchNorm1d)


def filled(sentence, s, *, a=0.5):
    """The layers in float64 whose tensor number j holds a sin(0.7 i + j), plus 1 where it scales."""
    module = build(sentence, s).double().eval()
    scales = {f"{name}.weight" for name, m in module.named_modules() if isinstance(m, NORMS)}
    tensors = [(key, t) for key, t in module.state_dict().items() if "num_batches" not in key]
    for j, (key, t) in enumerate(tensors):
        t.copy_(sines(t.shape, a=a, j=j) + (key in scales or key.endswith("running_var")))
    return module


def sines(shape, *, a, j):
    return a * torch.sin(0.7 * torch.arange(shape.numel(), dtype=torch.float64) + j).reshape(shape)


def wave(*shape):
    return torch.sin(0.3 * torch.arange(torch.Size(shape).numel(), dtype=torch.float64)).reshape(shape)


TOKENS = Tokens(12, 3, 3, 1)  # ten of them


def mixer(**fields):
    """What stands between a block's first norm and its sum."""
    attend, _ = GLiTBlock(**{"heads": 3, "kernel": 5, **fields}).spell(12, 12, 1)
    return attend.branch[1:]


def shown(y):
    return [*y[0, 0, :4].tolist(), *y[1, 9, 10:].tolist(), y.sum().item(), y.abs().sum().item()]


# first four numbers of the first token, the last two of the last, their sum and the sum of their absolute values
MODULES = [
    (
        {"local": 0, "qkv": 0.5},
        [0.3445109, -0.858061, -0.16816245, -0.1714107, -0.75620028, -0.27037425, -14.49951979, 110.23995537],
    ),
    (
        {"local": 0, "qkv": 1.0},
        [-1.40672398, 0.44051659, 0.26883452, -1.94170359, 0.62268785, -0.06342323, -16.13909761, 204.36503310],
    ),
    (
        {"local": 0, "qkv": 2.0},
        [0.90301145, -3.10671178, 1.31005454, 0.73347552, -2.90799559, -0.01134028, -31.18412235, 427.54808629],
    ),
    (
        {"local": 3, "expansion": 1},
        [-0.1654224, 1.67900232, -1.92732751, -0.7403612, 1.50843735, -2.26159532, -12.15858385, 285.87688553],
    ),
    (
        {"local": 3, "expansion": 2},
        [-0.41174377, -3.08085555, 2.91726384, -0.62150495, -3.99624168, 1.90682396, -26.95009711, 520.83444908],
    ),
    (
        {"local": 3, "expansion": 2, "kernel": 4},
        [-0.56255447, -2.422527, 2.46151881, -0.85992955, -3.50140108, 2.42198904, -25.01099877, 524.39666323],
    ),
    (
        {"local": 3, "expansion": 1, "kernel": 17},
        [-0.21927, 1.48220317, -1.66908878, -0.81176294, 1.31703628, -1.95584474, -11.92367798, 266.23783411],
    ),
    (
        {"local": 2, "expansion": 2},
        [0.22338572, -0.60093916, 0.0045864, -1.0321498, -3.09093962, 0.27948651, -86.15011347, 270.33979029],
    ),
    (
        {"local": 1, "expansion": 2},
        [-1.17184092, 0.05380238, 1.2609773, 1.91234425, -0.90626657, -0.93901159, -13.35037172, 265.64049490],
    ),
    (
        {"heads": 6, "local": 4, "expansion": 2},
        [0.13477506, -0.549439, -0.00385215, -1.06774799, -3.09093962, 0.27948651, -86.98143715, 269.80475380],
    ),
]


@pytest.mark.parametrize(("fields", "golden"), MODULES, ids=[" ".join(map(str, m[0].items())) for m in MODULES])
def test_a_module_answers_as_the_authors(fields, golden):
    y = filled(mixer(**fields), TOKENS)(wave(2, 10, 12))
    assert shown(y) == pytest.approx(golden, abs=1e-6)


def test_one_step_of_batch_statistics_is_the_authors():
    module = filled(mixer(local=3), TOKENS).train()
    y = module(wave(2, 10, 12))
    golden = [-1.57183528, 1.91482717, -0.76583698, -2.18248377, 0.07841825, -0.66018676, -9.15247917, 170.25881303]
    assert shown(y) == pytest.approx(golden, abs=1e-6)
    assert module.norm1.running_mean[:2].tolist() == pytest.approx([-0.1300549326, 0.1786783621], abs=1e-6)
    assert module.norm1.running_var[:2].tolist() == pytest.approx([1.1999872107, 1.3493551719], abs=1e-6)


# global heads' ratio aside: blocks with K = 5, by the feed-forward's activation
BLOCKS = [
    (
        {"local": 0, "mlp": 2.0},
        "gelu",
        [-2.02989457, -0.35440703, 1.5551314, 0.28316083, 1.18626891, 0.4839369, -30.63644467],
    ),
    (
        {"local": 0, "mlp": 2.0},
        "silu",
        [-1.90825555, -0.21794308, 1.30776035, 0.37461398, 1.4228448, 0.27213711, -29.61521022],
    ),
    (
        {"local": 3, "expansion": 2},
        "gelu",
        [-3.45713167, -5.70162166, 7.92664208, -1.06687897, -6.30870842, 5.12373992, -36.29258744],
    ),
    (
        {"local": 3, "expansion": 2},
        "silu",
        [-3.17668809, -6.07857274, 8.08010725, -0.86658179, -6.47956338, 5.32861688, -32.56240013],
    ),
    (
        {"local": 2, "expansion": 2, "mlp": 6.0},
        "gelu",
        [2.10348186, 1.49502257, 1.85571042, 0.69267119, -4.943976, -0.75154705, -264.97234770],
    ),
    (
        {"local": 2, "expansion": 2, "mlp": 6.0},
        "silu",
        [2.17480429, 1.55451363, 1.90229523, 0.72550809, -4.8920236, -0.69377376, -265.64620588],
    ),
]


@pytest.mark.parametrize(("fields", "act", "golden"), BLOCKS)
def test_a_block_answers_as_the_authors(fields, act, golden):
    y = filled(GLiTBlock(3, kernel=5, act=act, **fields).spell(12, 12, 1), TOKENS)(wave(2, 10, 12))
    assert shown(y)[:-1] == pytest.approx(golden, abs=1e-6)


def test_the_golden_digits_tell_the_gates_halves_the_padding_and_the_order_of_norm_and_activation(monkeypatch):
    """Each broken once."""
    x, (fields, golden) = wave(2, 10, 12), MODULES[5]
    plain = filled(mixer(**fields), TOKENS)
    swapped = filled(mixer(**fields), TOKENS)
    swapped.norm1, swapped.act1 = swapped.act1, swapped.norm1
    halves = filled(mixer(**fields), TOKENS)
    halves.gate1 = nn.Sequential(_Halves(), nn.GLU(2))
    for broken in (swapped, halves):
        assert shown(broken(x)) != pytest.approx(golden, abs=1e-3)
    pad = nn.functional.pad
    monkeypatch.setattr(nn.functional, "pad", lambda x, sides: pad(x, sides[::-1]))
    assert shown(plain(x)) != pytest.approx(golden, abs=1e-3)


class _Halves(nn.Module):
    def forward(self, x):
        return torch.cat(x.chunk(2, 2)[::-1], 2)


# ------------------------------------------------------------------------------------------------------ networks

(OFFICIAL,) = (source for source in SOURCES if "GLiT" in source.name)


def filled_network(arch, *, a):
    """In the order of the authors' state dict: class token, positions, patches, blocks, norm, head."""
    network = Network(arch).double()
    theirs = export(network, OFFICIAL)
    first = ["cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"]
    order = [*first, *(key for key in theirs if key not in first and "num_batches" not in key)]
    counters = {key: t for key, t in theirs.items() if "num_batches" in key}
    scales = ("norm.weight", "norm1.weight", "norm2.weight", "net.4.weight", "running_var")
    values = {key: sines(theirs[key].shape, a=a, j=j) + key.endswith(scales) for j, key in enumerate(order)}
    load_into(network, {**values, **counters})
    return network.eval(), order


def test_the_state_dict_is_the_authors():
    _, order = filled_network(glocal.architecture("glit_tiny"), a=0.05)
    assert len(order) == 206
    assert order[4:8] == [
        f"blocks.0.0.{key}" for key in ("norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias")
    ]
    assert order[-4:] == ["norm.weight", "norm.bias", "head.weight", "head.bias"]


def test_a_small_network_of_the_released_blocks_answers_as_the_authors():
    blocks = from_official(*RELEASED, width=12).stages[0].blocks
    arch = adapt(glit("small", blocks, width=12, patch=8, size=32), classes=10)
    network, _ = filled_network(arch, a=0.2)
    assert sum(p.numel() for p in network.parameters()) == 41_344
    logits = network(wave(2, 3, 32, 32))
    golden = [-0.1408531377, -0.9288200595, 0.5932701098, -0.1036850963, -0.6102321180]
    golden += [0.9631360462, 0.0798035531, -0.5529543291, 0.7788516957, -0.3140117712]
    assert logits[0].tolist() == pytest.approx(golden, abs=1e-6)
    assert logits.sum().item() == pytest.approx(-0.47323988, abs=1e-6)


def test_glit_tiny_answers_as_the_authors():
    network, _ = filled_network(glocal.architecture("glit_tiny"), a=0.05)
    with torch.no_grad():
        logits = network(wave(1, 3, 224, 224))[0]
    assert logits[:4].tolist() == pytest.approx([0.07028563, -0.71278823, 0.8772779, -0.76668538], abs=1e-6)
    assert logits[-2:].tolist() == pytest.approx([0.60532118, -0.11287343], abs=1e-6)
    assert [logits.sum().item(), logits.abs().sum().item()] == pytest.approx([-0.12966200, 586.15677702], abs=1e-5)


# ------------------------------------------------------------------------------------------------------ who sees whom

LONG = Tokens(12, 5, 6, 1)  # 31 tokens


def sees(module, n=31, c=12):
    """(n, n) whether an output token depends on an input token, from gradients of random weights."""
    x = torch.randn(1, n, c, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.randn(c, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = module(x)[0, :, :] @ weight[: module(x).shape[2]]
    return torch.stack([torch.autograd.grad(t, x, retain_graph=True)[0][0].abs().amax(1) > 0 for t in y])


def random_block(word, s=LONG):
    torch.manual_seed(0)
    return build(word.spell(12, 12, 1), s).double().eval()


def distance(n=31):
    t = torch.arange(n)
    return t[:, None] - t  # output minus input


@pytest.mark.parametrize("kernel", [1, 5, 9])
def test_a_local_block_sees_half_its_kernel_to_either_side_and_the_class_token_no_further(kernel):
    seen = sees(random_block(GLiTBlock(3, 3, kernel=kernel)))
    assert torch.equal(seen, distance().abs() <= kernel // 2)
    assert seen[0].nonzero().flatten().tolist() == [*range(kernel // 2 + 1)]


def test_an_even_kernel_sees_one_token_more_before_than_after():
    seen = sees(random_block(GLiTBlock(3, 3, kernel=4)))
    assert torch.equal(seen, (distance() <= 2) & (distance() >= -1))


def test_a_global_block_sees_everything():
    assert sees(random_block(GLiTBlock(3, 0))).all()


@pytest.mark.parametrize("local", [1, 2])
def test_of_a_mixed_module_the_last_channels_see_near_and_the_first_far(local):
    torch.manual_seed(0)
    module, c = build(mixer(local=local), LONG).double().eval(), 12 - 4 * local
    x = torch.randn(1, 31, 12, dtype=torch.float64)
    poked = x.clone()
    poked[:, 15] += 1
    moved = (module(poked) - module(x))[0].abs() > 1e-12
    assert moved[:, :c].all(), "attention's"
    near = (torch.arange(31) - 15).abs() <= 2
    assert torch.equal(moved[:, c:].any(1), near)


@pytest.mark.parametrize("local", [1, 2])
def test_within_a_mixed_module_the_groups_do_not_touch(local):
    torch.manual_seed(0)
    module, c = build(mixer(local=local), LONG).double().eval(), 12 - 4 * local
    x = torch.randn(1, 31, 12, dtype=torch.float64, requires_grad=True)
    y = module(x)
    for out, other in ((slice(None, c), slice(c, None)), (slice(c, None), slice(None, c))):
        (gradient,) = torch.autograd.grad(y[..., out].square().sum(), x, retain_graph=True)
        assert not gradient[..., other].any()
        assert gradient[..., out].all()


def test_permuting_tokens_permutes_the_answer_of_a_global_block_and_changes_a_local_ones():
    x = torch.randn(2, 31, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(31, generator=torch.Generator().manual_seed(0))
    looking, local = random_block(GLiTBlock(3, 0)), random_block(GLiTBlock(3, 3, kernel=5))
    torch.testing.assert_close(looking(x[:, order]), looking(x)[:, order])
    assert not torch.allclose(local(x[:, order]), local(x)[:, order], atol=1e-3)


def test_areas_do_not_see_one_another_nor_patches_the_class_token_which_sees_everything():
    """5 x 6 patches in areas of 5 x 2; row 0 is the class token."""
    seen = sees(random_block(GLiTAreaBlock(3, 3, rows=5, columns=2)))
    area = torch.arange(30) % 6 // 2
    assert seen[0].all()
    assert not seen[1:, 0].any()
    assert torch.equal(seen[1:, 1:], area[:, None] == area)


def test_an_area_as_large_as_the_grid_is_plain_attention():
    torch.manual_seed(0)
    s = Tokens(12, 3, 4)
    areas = build((AreaAttention(3, 4, 12, rows=3, columns=4),), s)[0].double()
    plain = build((Attention(3, 4, 12),), s)[0].double()
    plain.load_state_dict(areas.state_dict())
    x = torch.randn(2, 12, 12, dtype=torch.float64)
    torch.testing.assert_close(areas(x), plain(x))
    small = build((AreaAttention(3, 4, 12, rows=1, columns=2),), s)[0].double()
    small.load_state_dict(areas.state_dict())
    pairs = torch.stack([plain(x[:, i : i + 2]) for i in range(0, 12, 2)], 1).flatten(1, 2)
    torch.testing.assert_close(small(x), pairs)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_over_the_grid_sees_a_square(kernel):
    seen = sees(random_block(GLiTGridBlock(3, 3, kernel=kernel), Tokens(12, 5, 6)), n=30)
    row, column = torch.arange(30) // 6, torch.arange(30) % 6
    square = torch.maximum((row[:, None] - row).abs(), (column[:, None] - column).abs()) <= kernel // 2
    assert torch.equal(seen, square)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 8, 17])
def test_convolution_along_tokens_is_pytorchs_with_uneven_padding(kernel):
    torch.manual_seed(0)
    for op, groups in ((Conv1d(12, kernel), 1), (Depthwise1d(kernel), 12)):
        ours = build((op,), TOKENS)[0].double()
        weight = ours.weight if ours.weight.ndim == 3 else ours.weight[:, :, None]
        x = torch.randn(2, 10, 12, dtype=torch.float64)
        padded = nn.functional.pad(x.mT, (kernel // 2, (kernel - 1) // 2))
        theirs = nn.functional.conv1d(padded, weight, ours.bias, groups=groups).mT
        torch.testing.assert_close(ours(x), theirs)


@pytest.mark.parametrize("channels", [1, 4, 16, 17])
@pytest.mark.parametrize("kernel", [15, 16, 17, 31])
def test_a_wide_depthwise_convolution_over_few_channels_ends_in_bfloat16_too(channels, kernel):
    """oneDNN's code for it has no end on some processors; then the timeout of the tests ends this one."""
    torch.manual_seed(0)
    layer, x = build((Depthwise1d(kernel),), Tokens(channels, 5, 8))[0], torch.randn(2, 40, channels)
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        low = layer(x)
    low.float().sum().backward()
    assert low.dtype == torch.bfloat16
    assert (low - expected).abs().max() < 0.03 * expected.abs().max() + 0.03


# ------------------------------------------------------------------------------------------------------ training


def test_statistics_are_over_batch_and_tokens():
    norm = build((Norm("batch"),), TOKENS)[0].double().train()
    x = torch.randn(4, 10, 12, dtype=torch.float64) * 3 + 1
    y = norm(x)
    torch.testing.assert_close(y.mean((0, 1)), torch.zeros(12, dtype=torch.float64))
    torch.testing.assert_close(y.var((0, 1), correction=0), torch.ones(12, dtype=torch.float64), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_mean, 0.1 * x.mean((0, 1)))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * x.var((0, 1)))
    assert (norm.eps, norm.momentum) == (1e-5, 0.1)


def test_stochastic_depth_rises_to_a_tenth():
    network = glocal.create_model("glit_tiny")
    rates = [{m.drop_path for m in block.modules() if hasattr(m, "drop_path")} for block in network.stages[0].blocks]
    assert [rate for (rate,) in rates] == pytest.approx([0.1 * i / 11 for i in range(12)])


def test_dense_layers_start_as_deits_and_convolutions_as_pytorchs():
    torch.manual_seed(0)
    block = glocal.create_model("glit_tiny").stages[0].blocks[4]
    branch, feed = block.residual1.branch, block.residual2.branch
    assert feed.linear1.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not feed.linear1.bias.any()
    bound = (1 / 192) ** 0.5  # Kaiming-uniform with a = sqrt(5)
    assert branch.conv1d1.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert branch.conv1d1.bias.any()
    assert branch.depthwise1d1.weight.abs().max().item() == pytest.approx((1 / 45) ** 0.5, rel=0.01)
