"""Laws of supernets: a path is its network, what is off the path stays as it is, and slices mean what they say."""

import random
from dataclasses import replace
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glocal.design import Architecture, OneOf, Stage, cost, decide, parts, sample
from glocal.design.space import questions
from glocal.families.spaces import space as named
from glocal.families.spaces.glit import GROUNDS, Grounds, distribution, joint
from glocal.net import Network
from glocal.net.build import build
from glocal.searching.supernet.coordinates import coordinates
from glocal.searching.supernet.supernet import SHARINGS, Supernet, path_weights
from sampled import but_slow
from strategies import architectures, law, spaces

SMALL = Grounds(24, 3, 1, (3, 5, 7), 8, 32, 10)
both = pytest.mark.parametrize("sharing", SHARINGS)


def pictures(arch: Architecture, n: int = 2) -> torch.Tensor:
    return torch.randn(n, *arch.image, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def stirred(supernet: Supernet) -> Supernet:
    """With weights and statistics that are nowhere the plain first values."""
    with torch.no_grad():
        for tensor in (*supernet.parameters(), *supernet.buffers()):
            if tensor.is_floating_point():
                tensor.add_(
                    torch.rand(tensor.shape, generator=torch.Generator().manual_seed(tensor.numel())).to(tensor)
                )
    return supernet


@pytest.mark.parametrize("sharing", but_slow(SHARINGS, ["independent"]))
def test_every_option_of_glit_is_the_network_that_it_would_be_alone_bit_for_bit(sharing):
    space = joint("joint", SMALL)
    supernet = stirred(Supernet(space, sharing=sharing).double()).eval()
    (question,) = questions(space)
    assert len(question.options) == 198
    x = pictures(space)
    for answer in range(198):
        path, alone = supernet.path((answer,)).eval(), supernet.network((answer,)).eval()
        assert type(alone) is Network
        assert {p.data_ptr() for p in alone.parameters()}.isdisjoint(p.data_ptr() for p in supernet.parameters())
        assert sum(p.numel() for p in alone.parameters()) == cost(decide(space, (answer,))).params
        with torch.no_grad():
            assert torch.equal(path(x), alone(x))


@law(60)
@given(architectures())
def test_coordinates_have_the_shape_of_their_weight(arch):
    for _, part in parts(arch):
        with torch.device("meta"):
            weights = dict(build(part.sentence, part.given).named_parameters())
        for weight in coordinates(part.sentence, part.given):
            name = f"{weight.module}.{weight.name}"
            assert name not in weights or weights[name].shape == tuple(prod(map(len, axis)) for axis in weight.axes)


@law(30)
@given(spaces(), st.randoms(use_true_random=False), st.sampled_from(SHARINGS))
def test_a_path_of_any_space_is_its_network(space, rng, sharing):
    supernet = Supernet(space, sharing=sharing).double().eval()
    for _ in range(3):
        answers = sample(space, rng)
        path, alone = supernet.path(answers).eval(), supernet.network(answers).eval()
        assert alone.arch == decide(space, answers)
        with torch.no_grad():
            assert torch.equal(path(pictures(space)), alone(pictures(space)))


@both
@pytest.mark.parametrize("name", ["coatnet_layouts_cifar", "hybrid_cifar"])
def test_spaces_of_layouts_and_of_all_families_have_supernets(name, sharing):
    space, rng = named(name), random.Random(0)
    supernet = Supernet(space, sharing=sharing).eval()
    x = pictures(space).float()
    for _ in range(3):
        answers = sample(space, rng)
        with torch.no_grad():
            assert torch.equal(supernet.path(answers).eval()(x), supernet.network(answers).eval()(x))


def test_supernets_of_glit_tiny_have_the_sizes_that_were_worked_out():
    """GLiT spec, 9.3: 19.62 M and 53.91 M weights of their own for the levels; one maximal block a layer is 15.0 M."""
    tiny = GROUNDS["tiny"]

    def weights(space: Architecture, sharing: str) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in Supernet(space, sharing=sharing).parameters())

    released = named("glit_tiny_details")
    assert round(weights(distribution("one", tiny), "independent") / 1e6, 2) == 19.62
    assert round(weights(released, "independent") / 1e6, 2) == 53.91
    one_layer = joint("joint", tiny._replace(depth=1))
    outside = cost(decide(one_layer, (0,))).params - sum(
        p.numel() for p in Network(decide(one_layer, (0,))).stages.parameters()
    )
    assert round((outside + 12 * (weights(one_layer, "entangled") - outside)) / 1e6, 1) == 15.0


def adamw(network: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5, fused=True)


def sgd(network: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=0.5)


@both
@pytest.mark.parametrize("made", [adamw, pytest.param(sgd, marks=pytest.mark.slow)])
def test_a_step_leaves_alone_what_is_not_on_the_path(sharing, made):
    """Neither momentum nor decay: with a gradient of 0, AdamW would take a weight of 1 to 0.857 in three such steps."""
    rng, whole = random.Random(1), joint("joint", SMALL)
    space = replace(whole, stages=(Stage(24, (OneOf(questions(whole)[0].options[::11]),)),))
    torch.manual_seed(0)
    supernet, generator = Supernet(space, sharing=sharing).train(), torch.Generator().manual_seed(0)
    optimizer = made(supernet)
    supernet.protect_other_paths(optimizer)
    for _ in range(12):
        answers = sample(space, rng)
        on_path = made_of(supernet, answers)
        before, moments_before = weights_and_moments(supernet, optimizer)
        supernet.path(answers).train()(torch.randn(4, *space.image, generator=generator)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        after, moments = weights_and_moments(supernet, optimizer)
        assert any((after[key] != before[key]).any() for key in after)
        for key, inside in on_path.items():
            assert torch.equal(after[key][~inside], before[key][~inside])
        for (key, name), moment in moments.items():
            was = moments_before.get((key, name), torch.zeros_like(moment))
            assert torch.equal(moment[~on_path[key]], was[~on_path[key]])


@both
@pytest.mark.parametrize("made", [adamw, sgd])
def test_what_a_path_learns_is_what_its_network_would_learn_alone_bit_for_bit(sharing, made):
    whole = joint("joint", SMALL)
    stage = Stage(24, (OneOf(questions(whole)[0].options[::11]),) * 2)
    space = replace(whole, stages=(stage,), drop_path=0.0)  # whose draws would differ
    torch.manual_seed(0)
    supernet, answers = stirred(Supernet(space, sharing=sharing).double()).train(), (3, 12)
    alone = supernet.network(answers)
    optimizers = made(supernet), made(alone)
    supernet.protect_other_paths(optimizers[0])
    for seed in range(4):
        x = torch.randn(4, *space.image, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        for network, optimizer in zip((supernet.path(answers), alone), optimizers, strict=True):
            network.train()(x).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    learned, told = path_weights(supernet.path(answers)), alone.state_dict()
    assert learned.keys() == told.keys()
    assert all(torch.equal(learned[key], told[key]) for key in told)


def weights_and_moments(supernet: Supernet, optimizer: torch.optim.Optimizer):
    names = {p: key for key, p in supernet.named_parameters()}
    moments = {
        (names[p], name): value.clone()
        for p, state in optimizer.state.items()
        for name, value in state.items()
        if torch.is_tensor(value) and value.shape == p.shape
    }
    return {key: p.detach().clone() for p, key in names.items()}, moments


def made_of(supernet: Supernet, answers: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Which numbers of each tensor a path is made of: those that its weights show when every number is another."""
    kept = {key: p.detach().clone() for key, p in supernet.named_parameters()}
    counted = iter(range(2**20, 2**24))
    with torch.no_grad():
        for p in supernet.parameters():
            p.copy_(torch.tensor([next(counted) for _ in range(p.numel())]).view_as(p))
        shown = torch.cat([w.detach().flatten() for w in path_weights(supernet.path(answers)).values()])
        found = {key: torch.isin(p, shown) for key, p in supernet.named_parameters()}
        for key, p in supernet.named_parameters():
            p.copy_(kept[key])
    return found


def test_a_head_keeps_its_channels_and_a_small_kernel_is_the_middle_of_a_large_one():
    """GLiT spec, 9.3: the layout of slices, read off for one third global, expansion 2, kernel 3 of 7."""
    space = joint("joint", SMALL)
    (question,) = questions(space)
    block = next(o for o in question.options if (o.local, o.expansion, o.kernel, o.qkv, o.mlp) == (2, 2, 3, 0.5, 4.0))
    arch = decide(space, (question.options.index(block),))
    (part,) = (part for path, part in parts(arch) if path == "stages.0.blocks.0")
    axes = {w.shared: w.axes for w in coordinates(part.sentence, part.given)}
    inner, local = (range(2), range(8, 24)), (range(8, 24),)
    assert axes == {
        "Residual1.branch.Norm1.weight": ((range(24),),),
        "Residual1.branch.Norm1.bias": ((range(24),),),
        "Residual1.branch.Attention1.qkv.weight": ((range(3), range(1), range(4)), (range(8),)),
        "Residual1.branch.Attention1.qkv.bias": ((range(3), range(1), range(4)),),
        "Residual1.branch.Attention1.project.weight": ((range(8),), (range(1), range(4))),
        "Residual1.branch.Attention1.project.bias": ((range(8),),),
        "Residual1.branch.Conv1d1.weight": ((range(2), *inner), local),
        "Residual1.branch.Conv1d1.bias": ((range(2), *inner),),
        "Residual1.branch.Depthwise1d1.weight": (inner, (range(1),), (range(-1, 2),)),
        "Residual1.branch.Depthwise1d1.bias": (inner,),
        "Residual1.branch.Norm2.weight": (inner,),
        "Residual1.branch.Norm2.bias": (inner,),
        "Residual1.branch.Conv1d2.weight": (local, inner),
        "Residual1.branch.Conv1d2.bias": (local,),
        "Residual2.branch.Norm1.weight": ((range(24),),),
        "Residual2.branch.Norm1.bias": ((range(24),),),
        "Residual2.branch.Linear1.weight": ((range(4), range(24)), (range(24),)),
        "Residual2.branch.Linear1.bias": ((range(4), range(24)),),
        "Residual2.branch.Linear2.weight": ((range(24),), (range(4), range(24))),
        "Residual2.branch.Linear2.bias": ((range(24),),),
    }
