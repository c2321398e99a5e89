"""Laws that tie a design to its network, on random architectures and on every named one."""

import warnings

import pytest
import torch
from hypothesis import given
from torch.utils.flop_counter import FlopCounterMode

import glocal
from glocal.design import LearnedPosition, cost
from glocal.design.cost import ops
from glocal.net import Network
from strategies import architectures, law


def on_meta(arch):
    """The network, its number of flops on one picture and the shape of its answer, without a weight in memory."""
    with torch.device("meta"):
        network, x = Network(arch).eval(), torch.empty(1, *arch.image)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        y = network(x)
    return network, counter.get_total_flops(), tuple(y.shape)


def params(network):
    return sum(p.numel() for p in network.parameters())


@law(200)
@given(architectures())
def test_counted_params_and_macs_are_pytorchs_to_the_last_unit_and_op_by_op(arch):
    network, flops, shape = on_meta(arch)
    assert (params(network), flops) == (cost(arch).params, 2 * cost(arch).macs)
    assert shape == (1, network.num_classes)
    each = {path: op.params(s) for path, op, s in ops(arch)}
    assert {path: params(network.get_submodule(path)) for path in each} == each


@pytest.mark.parametrize("name", glocal.list_models())
def test_counted_params_and_macs_of_a_named_architecture_are_pytorchs(name):
    arch = glocal.architecture(name)
    network, flops, _ = on_meta(arch)
    assert (params(network), flops) == (cost(arch).params, 2 * cost(arch).macs)


@law(25)
@given(architectures())
def test_a_training_step_gives_every_weight_a_finite_gradient(arch):
    torch.manual_seed(0)
    network = Network(arch).train()
    loss = network(torch.randn(4, *arch.image)).square().mean()
    loss.backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert torch.isfinite(p.grad).all(), name


@law(8)
@given(architectures())
def test_the_exported_program_gives_the_same_logits(arch):
    torch.manual_seed(0)
    network, x = Network(arch).eval(), torch.randn(2, *arch.image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own deprecations
        program = torch.export.export(network, (x,), strict=False)
    torch.testing.assert_close(program.module()(x), network(x), rtol=1e-5, atol=1e-5)


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


@law(30)
@given(architectures())
def test_a_network_without_positions_reads_any_size_that_its_design_reads(arch):
    torch.manual_seed(0)
    c, h, w = arch.image
    other = glocal.design.adapt(arch, size=(h * 2, w))
    network, x = Network(arch).eval(), torch.randn(1, c, h * 2, w)
    positions = any("position" in path for path, *_ in ops(arch))
    if positions:
        with pytest.raises(glocal.errors.ShapeError, match="img_size"):
            network(x)
    else:
        twin = Network(other).eval()
        twin.load_state_dict(network.state_dict())
        torch.testing.assert_close(network(x), twin(x))


def test_learned_positions_are_drawn_in_every_scheme():
    arch = glocal.architecture("cct_2_3x2_32")
    for scheme in ("torch", "vit", "compact"):
        torch.manual_seed(0)
        network = Network(glocal.design.Architecture(**{**vars(arch), "init": scheme}))
        (path,) = (path for path, op, _ in ops(arch) if isinstance(op, LearnedPosition))
        assert network.get_submodule(path).table.std().item() == pytest.approx(0.2, rel=0.03)
