"""Which weights decay is what each paper's code decays."""

import pytest
import torch

from glocal.design import adapt
from glocal.families import architecture
from glocal.net import Network
from glocal.training.optim import optimizer, split_by_decay
from glocal.training.recipe import Recipe


def groups(name: str, exempt: str) -> tuple[int, int]:
    decayed, free = split_by_decay(Network(architecture(name)), exempt=exempt)
    return len(decayed), len(free)


def test_timms_rule_decays_32_tensors_of_cct_7_positions_among_them():
    assert groups("cct_7_3x1_32", "vectors") == (32, 53)


def test_our_rule_spares_the_positions_and_the_class_token_too():
    assert groups("cct_7_3x1_32", "vectors and positions") == (31, 54)
    assert groups("vit_lite_2_4_32", "vectors")[0] - groups("vit_lite_2_4_32", "vectors and positions")[0] == 2


def test_convmixer_decays_its_convolutions_and_its_linear_layer_alone():
    assert groups("convmixer_256_8_p2_k5_32", "vectors")[0] == 2 * 8 + 2


def test_nothing_is_spared_where_the_script_spares_nothing():
    assert groups("convmixer_256_8_p2_k5_32", "nothing")[1] == 0


def test_a_fixed_sinusoid_is_never_stepped():
    network = Network(architecture("cct_2_3x2_32_sine"))
    before = network.stem.sine_position1.table.clone()
    step = optimizer(network, Recipe(lr=0.1))
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    step.step()
    assert torch.equal(network.stem.sine_position1.table, before)


@pytest.mark.parametrize(("opt", "lr"), [("adamw", 2e-3), ("sgd", 0.05), ("muon", 5e-3)])
def test_each_optimiser_overfits_a_batch(opt, lr):
    torch.manual_seed(0)
    network = Network(architecture("convmixer_64_2_p4_k3_32"))
    x, y = torch.randn(32, 3, 32, 32), torch.arange(32) % 10
    step = optimizer(network, Recipe().but({"opt": opt, "lr": lr, "weight_decay": 0.0}))
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(network(x), y)
        step.zero_grad()
        loss.backward()
        step.step()
    assert (network(x).argmax(1) == y).float().mean() > 0.95


@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_rmlp_nano_rw_224"])
@pytest.mark.parametrize("exempt", ["vectors", "vectors and positions", "nothing"])
def test_biases_of_offsets_and_what_makes_them_decay_only_where_all_does(name, exempt):
    network = Network(adapt(architecture(name), size=64))
    _, free = split_by_decay(network, exempt=exempt)
    spared = {id(p) for p in free}
    offsets = [
        p for key, p in network.named_parameters() if key.endswith("table") or ".inner." in key or ".outer." in key
    ]
    assert offsets
    assert all((id(p) in spared) == (exempt != "nothing") for p in offsets)
