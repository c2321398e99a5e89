"""What is frozen is a fixed function, what learns only grows, and a resumed run freezes what the run would have."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from glocal.families import architecture
from glocal.net import Network
from glocal.recipes.schema import Recipe
from glocal.training.freezing import describe_freezing, freeze, learning, sections
from glocal.training.optimizer import optimizer


def four_stages():
    """A ConvNeXt of four stages of one block each."""
    arch = architecture("convnext_zepto_rms")
    stages = tuple(replace(stage, blocks=stage.blocks[:1]) for stage in arch.stages)
    return replace(arch, stages=stages, image=arch.image._replace(h=32, w=32))


ARCHS = {
    "four stages": four_stages(),
    "attention": architecture("cct_2_3x2_32"),
    "running statistics": architecture("convmixer_16_6_p2_k5_32"),
}
PLANS = [
    {},
    {"frozen_epochs": 2},
    {"frozen_epochs": "all"},
    {"frozen_epochs": 1, "unfreeze_every": 2},
    {"unfreeze_every": 1},
]


@pytest.fixture(params=ARCHS)
def network(request):
    torch.manual_seed(0)
    return Network(ARCHS[request.param])


def steps(network, recipe, epochs, *, stepped=None):
    stepped = stepped or optimizer(network, recipe)
    for epoch in epochs:
        freeze(network, recipe, epoch)
        for _ in range(2):
            logits = network(torch.randn(4, 3, 32, 32))
            torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
            stepped.step()
            stepped.zero_grad()
    return stepped


@torch.no_grad()
def features(network, x):
    return network.forward_head(network.forward_features(x), pre_logits=True)


def test_the_sections_hold_every_weight_once(network):
    held = [id(p) for part in sections(network) for p in part.parameters]
    assert sorted(held) == sorted(map(id, network.parameters()))
    of_modules = [id(p) for part in sections(network) for m in part.modules for p in m.parameters()]
    assert of_modules == held


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_what_learns_only_grows(network, plan):
    recipe = Recipe(epochs=12, **plan)
    sets = [{id(p) for p in learning(network, recipe, epoch)} for epoch in range(12)]
    assert all(a <= b for a, b in pairwise(sets))
    classifier = {id(p) for p in network.get_classifier().parameters()}
    assert classifier <= sets[0]
    assert sets[-1] == (classifier if plan.get("frozen_epochs") == "all" else {id(p) for p in network.parameters()})


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_freezing_depends_on_the_epoch_alone(network, plan):
    recipe = Recipe(epochs=9, **plan)
    for epoch in (7, 0, 3, 8):
        freeze(network, recipe, epoch)
        told_to = {id(p) for p in learning(network, recipe, epoch)}
        assert {id(p) for p in network.parameters() if p.requires_grad} == told_to
        assert not freeze(network, recipe, epoch), "a second time changes nothing"


def test_a_frozen_backbones_features_do_not_change_by_a_bit(network):
    for module in network.modules():
        if hasattr(module, "drop_path"):
            module.drop_path = 0.5
    recipe = Recipe(epochs=3, frozen_epochs="all", lr=0.1, weight_decay=0.5)
    x = torch.randn(8, 3, 32, 32)
    before, classifier = features(network.eval(), x), network.get_classifier().weight.clone()
    steps(network, recipe, range(3))
    freeze(network, recipe, 2)
    assert torch.equal(features(network, x), before), "as it trains"
    assert torch.equal(features(network.eval(), x), before), "as it is evaluated"
    assert not torch.equal(network.get_classifier().weight, classifier)


def test_running_statistics_move_where_the_network_learns():
    torch.manual_seed(0)
    network = Network(ARCHS["running statistics"])
    steps(network, Recipe(epochs=4, frozen_epochs=1, unfreeze_every=1), range(2))
    moved = [int(m.num_batches_tracked) for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert moved[0] == 0
    assert moved[-1] == 2


@pytest.mark.parametrize("opt", ["adamw", "sgd", "lamb", "muon"])
def test_weights_that_have_not_learned_have_no_moments_and_do_not_decay(opt):
    torch.manual_seed(0)
    network = Network(ARCHS["four stages"])
    recipe = Recipe(epochs=9, frozen_epochs=1, unfreeze_every=1, opt=opt, lr=0.01, weight_decay=0.5)
    start = {name: p.clone() for name, p in network.named_parameters()}
    stepped = steps(network, recipe, range(2))
    learned = {id(p) for p in learning(network, recipe, 1)}
    for name, p in network.named_parameters():
        if id(p) not in learned:
            assert torch.equal(p, start[name])
            assert not any(torch.is_tensor(t) and t.any() for t in stepped.state.get(p, {}).values())
    assert any(not torch.equal(p, start[name]) for name, p in network.named_parameters() if id(p) in learned)


def test_a_run_stopped_between_two_stages_goes_on_to_the_same_bits():
    recipe = Recipe(epochs=5, frozen_epochs=1, unfreeze_every=1, lr=0.01)
    torch.manual_seed(0)
    network = Network(ARCHS["four stages"])
    stepped = steps(network, recipe, range(3))
    saved = {key: t.clone() for key, t in network.state_dict().items()}, deepcopy(stepped.state_dict())
    again = Network(ARCHS["four stages"])
    again.load_state_dict(saved[0])
    resumed = optimizer(again, recipe)
    resumed.load_state_dict(saved[1])
    for net, opt in ((network, stepped), (again, resumed)):
        torch.manual_seed(1)
        steps(net, recipe, range(3, 5), stepped=opt)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_the_plan_is_told():
    network = Network(ARCHS["four stages"])
    assert describe_freezing(network, Recipe()) == ""
    assert describe_freezing(network, Recipe(frozen_epochs="all")) == "only the classifier learns"
    assert describe_freezing(network, Recipe(epochs=9, frozen_epochs=2)) == (
        "what learns: only the classifier until epoch 2, all from epoch 3"
    )
    assert describe_freezing(network, Recipe(epochs=4, frozen_epochs=1, unfreeze_every=2)) == (
        "what learns: only the classifier until epoch 1, 2 of 6 parts from epoch 2, 3 of 6 parts from epoch 4, the lowest 3 never"
    )
