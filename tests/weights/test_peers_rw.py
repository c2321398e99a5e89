"""On random weights timm's own CoAtNets compute what timm computes, and their keys are timm's in both directions."""

import pytest
import timm
import torch
from torch import nn

import glocal
from drawn import randomised
from glocal.families.variants.coatnet_timm import NAMES, TIMM
from glocal.weights import export, load_into
from glocal.weights.tables import TIMM_COATNET_RW

SIZE = (64, 96)
QUICK = ("coatnet_pico_rw_224", "coatnet_0_rw_224", "coatnet_rmlp_nano_rw_224", "coatnext_nano_rw_224")


def settled(network: nn.Module) -> nn.Module:
    """Running statistics of one batch. Under drawn ones the stream doubles from block to block, until softmax saturates
    and float32 keeps three digits of the logits."""
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = None  # the mean over all batches, and this is the first
    with torch.no_grad():
        network.train()(torch.randn(4, 3, *SIZE, generator=torch.Generator().manual_seed(1)))
    return network


def of_timm(name: str) -> nn.Module:
    theirs = randomised(timm.create_model(**TIMM[name], img_size=SIZE))
    return (settled(theirs) if "_bn_" in name else theirs).eval()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_logits_and_keys_are_timms(name):
    ours, theirs = glocal.create_model(name, img_size=SIZE).eval(), of_timm(name)
    assert load_into(ours, theirs.state_dict()) == TIMM_COATNET_RW.name
    exported, state = export(ours, TIMM_COATNET_RW), theirs.state_dict()
    assert exported.keys() == state.keys()
    assert all(torch.equal(exported[key], t) for key, t in state.items())
    x = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        ours, theirs = ours.to(dtype), theirs.to(dtype)
        with torch.no_grad():
            a, b = ours(x.to(dtype)), theirs(x.to(dtype))
        difference = ((a - b).abs().max() / b.abs().max()).item()
        print(f"{name} {dtype}: {difference:.1e}")
        assert difference <= tolerance, dtype
