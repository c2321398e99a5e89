"""Laws that tie a design to its network, on random architectures and on every named one."""

import pytest
import torch
from hypothesis import given
from torch.utils.flop_counter import FlopCounterMode

import glocal
from glocal.design import (
    Architecture,
    AreaAttention,
    Conv,
    Grid,
    LearnedPosition,
    Linear,
    Mean,
    RelativeAttention,
    SinePosition,
    Stage,
    Unflatten,
    cost,
)
from glocal.design.cost import ops
from glocal.families.convnext import ConvNeXtBlock
from glocal.families.mixture import ToGrid, ToTokens
from glocal.net import Network
from glocal.weights import load_into
from sampled import large_slow
from strategies import Say, architectures, law


def on_meta(arch):
    """The network, its number of flops on one picture and the shape of its answer, without a weight in memory."""
    with torch.device("meta"):
        network, x = Network(arch).eval(), torch.empty(1, *arch.image)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        y = network(x)
    return network, counter.get_total_flops(), tuple(y.shape)


def params(network):
    return sum(p.numel() for p in network.parameters())


def counts_as_pytorch_does(arch):
    network, flops, shape = on_meta(arch)
    assert (params(network), flops) == (cost(arch).params, 2 * cost(arch).macs)
    assert shape == (1, network.num_classes)
    each = {path: op.params(s) for path, op, s in ops(arch)}
    assert {path: params(network.get_submodule(path)) for path in each} == each


@law(50)
@given(architectures())
def test_counted_params_and_macs_are_pytorchs_to_the_last_unit_and_op_by_op(arch):
    counts_as_pytorch_does(arch)


@pytest.mark.slow
@law(500)
@given(architectures())
def test_counted_params_and_macs_of_many(arch):
    counts_as_pytorch_does(arch)


@pytest.mark.parametrize("name", large_slow(glocal.list_models()))
def test_counted_params_and_macs_of_a_named_architecture_are_pytorchs(name):
    arch = glocal.architecture(name)
    network, flops, _ = on_meta(arch)
    assert (params(network), flops) == (cost(arch).params, 2 * cost(arch).macs)


def trains_a_step(arch):
    """One step on four pictures: all gradients are there, all weights and answers stay finite and some weights move."""
    torch.manual_seed(0)
    network = Network(arch).train()
    before = [p.detach().clone() for p in network.parameters()]
    x, target = torch.randn(4, *arch.image), torch.randn(4, network.num_classes)
    optimiser = torch.optim.SGD(network.parameters(), 1e-3)
    (network(x) - target).square().mean().backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert torch.isfinite(p.grad).all(), name
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    assert all(torch.isfinite(t).all() for t in network.state_dict().values() if t.is_floating_point())
    assert any(not torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))
    with torch.no_grad():
        assert torch.isfinite(network.eval()(x)).all()


@law(50)
@given(architectures())
def test_a_training_step_gives_every_weight_a_finite_gradient_and_leaves_every_weight_finite(arch):
    trains_a_step(arch)


@pytest.mark.slow
@law(1000)
@given(architectures())
def test_a_training_step_of_many(arch):
    trains_a_step(arch)


@law(25)
@given(architectures())
def test_answers_are_the_same_twice_in_eval_and_for_each_picture_alone(arch):
    torch.manual_seed(0)
    network, x = Network(arch).eval(), torch.randn(3, *arch.image)
    with torch.no_grad():
        together = network(x)
        assert torch.equal(together, network(x))
        alone = torch.cat([network(picture[None]) for picture in x])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


@law(60)
@given(architectures())
def test_a_network_without_tables_or_grids_of_its_own_reads_any_size_that_its_design_reads(arch):
    """Else it says how to build it for that size."""
    torch.manual_seed(0)
    c, h, w = arch.image
    network, x = Network(arch).eval(), torch.randn(1, c, h * 2, w)
    said = [op for _, op, _ in ops(arch)]
    if any(isinstance(op, LearnedPosition | SinePosition | RelativeAttention) for op in said):
        with pytest.raises(glocal.errors.ShapeError, match="img_size"):
            network(x)
    if any(isinstance(op, Unflatten | AreaAttention) for op in said):
        return
    try:
        twin = Network(glocal.design.adapt(arch, size=(h * 2, w))).eval()
    except glocal.errors.ShapeError:  # MBConv halves even sides alone
        with pytest.raises(glocal.errors.ShapeError):
            network(x)
        return
    if not any(isinstance(op, LearnedPosition | SinePosition | RelativeAttention) for op in said):
        load_into(twin, network.state_dict())
        torch.testing.assert_close(network(x), twin(x))


AREAS = Say((AreaAttention(2, 4, 8, rows=2, columns=2),))


@pytest.mark.parametrize("size", [(32, 8), (32, 32)])
@pytest.mark.parametrize("last", [Stage(8, (ConvNeXtBlock(3, scale=0.0),), downsample=ToGrid()), Stage(8, (AREAS,))])
def test_tokens_of_another_picture_size_are_not_laid_on_the_grid_of_the_first(size, last):
    """32 x 8 and 16 x 16 pictures both have 16 patches of 4 x 4: a wrong grid would be taken without a word."""
    torch.manual_seed(0)
    arch = Architecture(
        "grids", (Conv(8, 4, 4),), (Stage(8, (), 1, ToTokens()), last), (Mean(), Linear(3)), Grid(3, 16, 16)
    )
    network, x = Network(arch).eval(), torch.randn(1, 3, *size)
    twin = Network(glocal.design.adapt(arch, size=size)).eval()
    twin.load_state_dict(network.state_dict())
    try:
        answer = network(x)
    except glocal.errors.ShapeError:
        return
    torch.testing.assert_close(answer, twin(x))


def test_learned_positions_are_drawn_in_every_scheme():
    arch = glocal.architecture("cct_2_3x2_32")
    for scheme in ("torch", "vit", "compact", "normal", "resnet"):
        torch.manual_seed(0)
        network = Network(glocal.design.Architecture(**{**vars(arch), "init": scheme}))
        (path,) = (path for path, op, _ in ops(arch) if isinstance(op, LearnedPosition))
        assert network.get_submodule(path).table.std().item() == pytest.approx(0.2, rel=0.03)
