"""A candidate is judged by statistics of its own, whoever was judged before, and on nothing but what the search may see."""

import pytest
import torch
from torch import nn

from glocal.data import Preprocess, check
from glocal.families.spaces.glit import Grounds, distribution
from glocal.searching.search_data import CachedSplit, calibration
from glocal.searching.supernet.evaluator import PathEvaluator, recalibrate
from glocal.searching.supernet.supernet import SHARINGS, Supernet

PREPROCESS = Preprocess(size=(16, 16), mean=(0.5,), std=(0.5,))


@pytest.fixture(scope="module")
def digits():
    return check("digits", seed=0).require_data()


@pytest.fixture(params=SHARINGS)
def evaluator(digits, request):
    torch.manual_seed(0)
    space = distribution("digits", Grounds(12, 3, 2, (3, 5, 7), 4, 16, 10))
    from glocal.design import adapt

    supernet = Supernet(adapt(space, channels=1), sharing=request.param)
    val, calibrating = digits.val.taken(torch.arange(40).numpy()), calibration(digits, 60, seed=0)
    return PathEvaluator(supernet, CachedSplit.of(val, PREPROCESS), CachedSplit.of(calibrating, PREPROCESS))


def test_a_candidate_is_judged_alike_whoever_was_judged_before(evaluator):
    first = evaluator.logits((0, 1))
    evaluator.logits((1, 2)), evaluator.logits((0, 3))
    assert torch.equal(evaluator.logits((0, 1)), first)


def test_judging_changes_nothing_of_the_supernet(evaluator):
    before = {key: value.clone() for key, value in evaluator.supernet.state_dict().items()}
    evaluator((0, 1))
    assert all(torch.equal(value, before[key]) for key, value in evaluator.supernet.state_dict().items())


def test_the_accuracy_is_that_of_the_network_on_the_held_out_pictures(evaluator):
    network = evaluator.network((1, 0))
    x = torch.stack([torch.from_numpy(PREPROCESS.resize(evaluator.val.split.picture(i))) for i in range(40)])
    with torch.inference_mode():
        predicted = network(PREPROCESS.normalise(x)).argmax(1)
    result = evaluator((1, 0))
    assert result == (float((predicted.numpy() == evaluator.val.split.labels).mean()), 40)


class Layers(nn.Module):
    """A norm that is to be recalibrated, beside layers whose modes must stay."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dropout = nn.BatchNorm1d(3), nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.norm(x))


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_the_mean_of_those_of_the_batches_and_modes_stay(training):
    layers = Layers().train(training)
    layers.dropout.train(not training)
    layers.norm.running_mean += 7
    batches = [torch.randn(5, 3, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    recalibrate(layers, batches)
    torch.testing.assert_close(layers.norm.running_mean, torch.stack([b.mean(0) for b in batches]).mean(0))
    torch.testing.assert_close(layers.norm.running_var, torch.stack([b.var(0) for b in batches]).mean(0))
    assert (layers.norm.momentum, layers.norm.training, layers.dropout.training) == (0.1, training, not training)


def test_a_network_without_batch_norms_is_not_even_run():
    recalibrate(nn.Linear(2, 2), iter([pytest.fail]))
