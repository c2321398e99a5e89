"""Laws of the schedules of paths, and of a step that trains several paths at once."""

import random
from itertools import product

import pytest
import torch
from torch.nn import functional

from glocal.design import cost, decide
from glocal.design.space import questions
from glocal.families.spaces.glit import Grounds, details, distribution
from glocal.searching.supernet.paths import FairPaths, SandwichPaths, UniformPaths, extreme, trained_paths
from glocal.searching.supernet.supernet import Supernet

GROUNDS = Grounds(12, 3, 3, (3, 5, 7), 8, 32, 10)
SPACE, DETAILS = distribution("space", GROUNDS), details("details", GROUNDS, (0, 3, 1))


@pytest.mark.parametrize("space", [SPACE, DETAILS], ids=lambda space: space.name)
def test_a_fair_round_trains_every_option_once(space):
    paths = [FairPaths(space, seed=1).at(step)[0] for step in range(180)]
    for i, question in enumerate(questions(space)):
        k = len(question.options)
        for first in range(0, 180 - k, k):
            assert sorted(path[i] for path in paths[first : first + k]) == list(range(k))
    assert len({*paths}) > 40, "rounds differ"


def test_a_uniform_schedule_is_not_fair():
    """The law above can fail: random paths break it within a few rounds."""
    firsts = [UniformPaths(SPACE, seed=1).at(step)[0][0] for step in range(40)]
    assert any(len({*firsts[i : i + 4]}) < 4 for i in range(0, 40, 4))


@pytest.mark.parametrize("space", [SPACE, DETAILS], ids=lambda space: space.name)
def test_a_sandwich_is_between_the_largest_and_the_smallest_path_of_the_space(space):
    macs = {a: cost(decide(space, a)).macs for a in product(*(range(len(q.options)) for q in questions(space)))}
    assert macs[extreme(space, largest=True)] == max(macs.values())
    assert macs[extreme(space, largest=False)] == min(macs.values())
    schedule = SandwichPaths(space, seed=0)
    for step in range(20):
        largest, *random_paths, smallest = schedule.at(step)
        assert (macs[largest], macs[smallest]) == (max(macs.values()), min(macs.values()))
        assert len(random_paths) == 2
        assert schedule.at(step) == SandwichPaths(space, seed=0).at(step)


@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_a_step_of_several_paths_changes_all_of_them_and_nothing_else(sharing):
    torch.manual_seed(0)
    supernet = Supernet(DETAILS, sharing=sharing).train()
    by = torch.optim.AdamW(supernet.parameters(), lr=0.01, weight_decay=0.1)
    supernet.protect_other_paths(by)
    rng, x, y = random.Random(0), torch.randn(4, *DETAILS.image), torch.arange(4)
    for _ in range(3):
        taken = [tuple(rng.randrange(len(q.options)) for q in questions(DETAILS)) for _ in range(2)]
        used = _used(supernet, taken)
        before = {name: p.detach().clone() for name, p in supernet.named_parameters()}
        for network in supernet.paths(taken):
            functional.cross_entropy(network(x), y).backward()
        by.step()
        by.zero_grad()
        for name, p in supernet.named_parameters():
            changed = p.detach() != before[name]
            assert not changed[~used[name]].any(), f"{name} is on no path"
        assert all(_moved(supernet, answers, before) for answers in taken)


def _used(supernet, taken):
    """Which elements some path reads: those that have a gradient when every weight is summed up."""
    for network in supernet.paths(taken):
        sum((_weight(module, key).sum() for module, key in _weights(network)), torch.zeros(())).backward()
    used = {
        name: torch.zeros_like(p, dtype=torch.bool) if p.grad is None else p.grad != 0
        for name, p in supernet.named_parameters()
    }
    supernet.zero_grad()
    return used


def _weights(network):
    for module in network.modules():
        keys = {*module._parameters, *(k for k, v in vars(module).items() if isinstance(v, torch.Tensor))}
        yield from ((module, key) for key in keys if getattr(module, key) is not None)


def _weight(module, key):
    value = getattr(module, key)
    return value if value.requires_grad else torch.zeros(())


def _moved(supernet, answers, before):
    path, after = supernet.path(answers), dict(supernet.named_parameters())
    names = [name for name, p in after.items() if any(p is q for q in path.parameters())]
    return any((after[name] != before[name]).any() for name in names)


def test_a_step_of_one_path_is_the_same_in_a_list_of_one():
    torch.manual_seed(0)
    x = torch.randn(2, *SPACE.image)
    supernet = Supernet(SPACE).eval()
    schedule = UniformPaths(SPACE, seed=0)
    (network,) = trained_paths(supernet, schedule).at(3)
    assert torch.equal(network(x), supernet.path(schedule.at(3)[0])(x))
