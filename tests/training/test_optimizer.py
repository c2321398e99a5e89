"""Which weights decay, and which learn slower, is what each paper's code says."""

import pytest
import torch

from glocal.families import architecture
from glocal.net import Network
from glocal.recipes import recipe
from glocal.recipes.schedule import lr_at
from glocal.recipes.schema import Recipe
from glocal.training.optimizer import optimizer, set_rates
from glocal.training.parameter_groups import groups, layer_of, layers


def weightless(name: str) -> Network:
    """A network whose weights have shapes and no values."""
    with torch.device("meta"):
        return Network(architecture(name))


def split(network: Network, exempt: str) -> tuple[set[int], set[int]]:
    """The ids of the weights that decay, and of those that do not."""
    told = groups(network, Recipe(decay_exempt=exempt))
    both = tuple({id(p) for g in told if g["decays"] is decays for p in g["params"]} for decays in (True, False))
    assert not both[0] & both[1]
    assert both[0] | both[1] == {id(p) for p in network.parameters()}
    return both


def sizes(name: str, exempt: str) -> tuple[int, int]:
    decayed, free = split(weightless(name), exempt)
    return len(decayed), len(free)


def test_timms_rule_decays_32_tensors_of_cct_7_positions_among_them():
    assert sizes("cct_7_3x1_32", "vectors") == (32, 53)


def test_our_rule_spares_the_positions_and_the_class_token_too():
    assert sizes("cct_7_3x1_32", "vectors and positions") == (31, 54)
    assert sizes("vit_lite_2_4_32", "vectors")[0] - sizes("vit_lite_2_4_32", "vectors and positions")[0] == 2


def test_convmixer_decays_its_convolutions_and_its_linear_layer_alone():
    assert sizes("convmixer_256_8_p2_k5_32", "vectors")[0] == 2 * 8 + 2


def test_nothing_is_spared_where_the_script_spares_nothing():
    assert sizes("convmixer_256_8_p2_k5_32", "nothing")[1] == 0


def test_a_fixed_sinusoid_is_never_stepped():
    network = Network(architecture("cct_2_3x2_32_sine"))
    before = network.stem.sine_position1.table.clone()
    step = optimizer(network, Recipe(lr=0.1))
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    step.step()
    assert torch.equal(network.stem.sine_position1.table, before)


@pytest.mark.parametrize(
    ("opt", "lr"), [("adamw", 2e-3), ("sgd", 0.05), ("momentum", 0.05), ("lamb", 0.02), ("muon", 5e-3)]
)
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


@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_rmlp_nano_rw_224", "swin_tiny"])
@pytest.mark.parametrize("exempt", ["vectors", "vectors and positions", "nothing"])
def test_biases_of_offsets_and_what_makes_them_decay_only_where_all_does(name, exempt):
    network = weightless(name)
    _, spared = split(network, exempt)
    offsets = [
        p
        for key, p in network.named_parameters()
        if key.endswith(("table", ".offsets")) or ".inner." in key or ".outer." in key
    ]
    assert offsets
    assert all((id(p) in spared) == (exempt != "nothing") for p in offsets)


def test_torchvisions_rule_spares_the_norms_alone_so_that_biases_and_layer_scale_decay():
    network = weightless("convnext_atto")
    _, spared = split(network, "norms")
    assert {name for name, p in network.named_parameters() if id(p) in spared} == {
        name for name, _ in network.named_parameters() if ".norm" in name
    }


def test_the_class_token_and_the_positions_of_glit_do_not_decay_and_its_convolutions_do():
    network = weightless("glit_tiny")
    told = {name: g["decays"] for g in groups(network, recipe("glit_tiny_imagenet")) for name in names(network, g)}
    assert not told["stem.class_token1.token"]
    assert not told["stem.learned_position1.table"]
    assert all(
        decays == (p.ndim > 1) for n, p in network.named_parameters() if n[:5] != "stem." for decays in [told[n]]
    )


def names(network: Network, group) -> list[str]:
    ids = {id(p) for p in group["params"]}
    return [name for name, p in network.named_parameters() if id(p) in ids]


# ---------------------------------------------------------------------------------- layer-wise rates


def test_convnexts_layers_are_the_twelve_groups_of_its_code():
    arch = architecture("convnext_large")
    assert layers(arch) == 13
    told = {
        "stem.conv1.weight": 0,
        "stem.norm1.bias": 0,
        **{f"stages.0.blocks.{b}.residual1.branch.norm1.bias": 1 for b in range(3)},
        "stages.1.downsample.conv1.weight": 2,
        **{f"stages.1.blocks.{b}.residual1.branch.norm1.bias": 2 for b in range(3)},
        "stages.2.downsample.norm1.weight": 3,
        **{f"stages.2.blocks.{b}.residual1.branch.scale1.weight": 3 + b // 3 for b in range(27)},
        "stages.3.downsample.conv1.bias": 12,
        **{f"stages.3.blocks.{b}.residual1.branch.linear1.bias": 12 for b in range(3)},
        "head.norm1.weight": 13,
        "head.linear1.weight": 13,
    }
    assert {name: layer_of(arch, name) for name in told} == told


def test_convnext_tinys_layers_are_the_six_groups_of_the_detection_code():
    arch = architecture("convnext_tiny")
    assert layers(arch) == 7
    assert [layer_of(arch, f"stages.2.blocks.{b}.residual1.branch.norm1.bias") for b in range(9)] == [3] * 3 + [
        4
    ] * 3 + [5] * 3
    assert layer_of(arch, "stages.3.downsample.norm1.bias") == layer_of(arch, "stages.3.blocks.2.x") == 6


@pytest.mark.parametrize(
    ("decay", "factors"),
    [(0.8, (0.0550, 0.0687, 0.0859, 0.1074, 0.64, 0.8, 1)), (0.7, (0.0097, 0.0138, 0.0198, 0.0282, 0.49, 0.7, 1))],
)
def test_convnexts_factors_are_those_of_its_code(decay, factors):
    network = weightless("convnext_small")
    told = {
        g["name"]: g for g in groups(network, recipe("convnext_small_imagenet_from22k").but({"layer_decay": decay}))
    }
    at = {int(name.split()[1].strip(",")): g["lr_scale"] for name, g in told.items()}
    assert [round(at[layer], 4) for layer in (0, 1, 2, 3, 11, 12, 13)] == pytest.approx(factors, abs=6e-5)
    assert len(told) == 2 * 14, "each layer has weights that decay and weights that do not"
    assert all(len({layer_of(network.arch, n) for n in names(network, g)}) == 1 for g in told.values())


@pytest.mark.parametrize("name", ["cct_7_3x1_32", "coatnet_0", "convmixer_256_8_p2_k5_32", "glit_tiny", "resnet50"])
def test_elsewhere_each_block_is_a_layer_between_the_stem_and_the_head(name):
    arch = architecture(name)
    blocks = [f"stages.{i}.blocks.{b}.x" for i, stage in enumerate(arch.stages) for b in range(len(stage.blocks))]
    told = [layer_of(arch, path) for path in ("stem.x", *blocks, "head.x")]
    assert told == list(range(len(blocks) + 2))
    assert layers(arch) == told[-1]


def test_set_rates_gives_every_group_its_share_of_the_rate_and_the_decay_of_the_step():
    network = Network(architecture("convnext_atto"))
    r = Recipe(layer_decay=0.5, weight_decay=0.2, weight_decay_end=0.4, epochs=4, lr=1e-2, warmup_epochs=1)
    step = optimizer(network, r)
    assert set_rates(step, r, 20, steps_per_epoch=10) == lr_at(r, 20, steps_per_epoch=10)
    for group in step.param_groups:
        assert group["lr"] == lr_at(r, 20, steps_per_epoch=10) * group["lr_scale"]
        assert group["weight_decay"] == pytest.approx(0.3 if group["decays"] else 0.0)
    top = [group for group in step.param_groups if group["name"].startswith(f"layer {layers(network.arch)},")]
    assert {group["lr_scale"] for group in top} == {1.0}


def test_a_frozen_weight_stays_as_it_is():
    network = Network(architecture("cct_2_3x2_32"))
    network.stem.requires_grad_(False)
    before = [p.clone() for p in network.stem.parameters()]
    step = optimizer(network, Recipe(lr=0.1, weight_decay=0.5))
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    step.step()
    assert all(torch.equal(a, b) for a, b in zip(before, network.stem.parameters(), strict=True))


@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_rmlp_nano_rw_224"])
def test_muon_leaves_first_layer_offsets_and_classifier_to_adamw(name):
    network = weightless(name)
    told = {n: "by AdamW" in g["name"] for g in groups(network, Recipe(opt="muon")) for n in names(network, g)}
    first, *_ = told
    offsets = {n for n in told if n.endswith(".table") or ".inner." in n or ".outer." in n}
    assert offsets
    classifier = {
        n for n, p in network.named_parameters() if any(p is q for q in network.get_classifier().parameters())
    }
    assert {n for n, by_adamw in told.items() if by_adamw} == {first, *offsets, *classifier}
