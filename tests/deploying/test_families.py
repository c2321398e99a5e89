"""Families and random mixtures export to ONNX with a batch of any size, fused or not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given

import glocal
from glocal.deploying.programs.tracing import to_onnx, trace
from glocal.deploying.runtimes import open_model
from glocal.design import adapt
from glocal.families.catalogue import FAMILIES
from glocal.net import Network
from glocal.net.fuse import fuse
from strategies import architectures, law


def gives_the_same_logits(network):
    """The network in ONNX Runtime, traced with two pictures, for batches of one and three."""
    shape = tuple(network.arch.image)
    run = open_model(to_onnx(trace(network, torch.randn(2, *shape))), "onnx")
    for size in (1, 3):
        x = torch.randn(size, *shape)
        with torch.no_grad():
            expected = network(x).numpy()
        found = run(x.numpy())
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(expected).max()))
        np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
        shares = (torch.from_numpy(each).softmax(1) for each in (found, expected))
        assert torch.sub(*shares).abs().max() < 1e-4


def ready(arch):
    """A network of an architecture after one step of training mode moved the statistics of its norms."""
    torch.manual_seed(0)
    network = Network(arch)
    with torch.no_grad():
        network.train()(torch.randn(3, *arch.image))
    return network.eval()


@pytest.mark.slow
def test_a_network_that_is_not_fused_exports_too():
    """CoAtNet's attention, whose memory order the decomposition to ONNX refused (decision 0024)."""
    arch = adapt(glocal.architecture("coatnet_0"), size=32, classes=3)
    stages = tuple(replace(stage, blocks=stage.blocks[:1]) for stage in arch.stages)
    gives_the_same_logits(ready(replace(arch, stages=stages)))


NAMES = {  # the smallest of each kind, with the side of its pictures
    "airbench_32_128_256": 32,
    "cct_2_3x2_32": 32,
    "coatnet_0": 64,
    "coatnet_rmlp_nano_rw_224": 64,
    "convmixer_128_4_p1_k8_32": 32,
    "convnext_atto": 64,
    "cvt_2_4_32": 32,
    "deit_tiny": 64,
    "glit_tiny": 64,
    "glit_tiny_area_14": 224,
    "mobilenetv4_conv_small": 64,
    "poolformer_s12": 64,
    "resnet50": 64,
    "resnet50_step_4": 64,
    "swin_tiny": 64,
    "vit_lite_2_4_32": 32,
    "vit_rel": 224,
}


def test_every_family_has_a_network_here():
    assert all(any(family.named(name) for name in NAMES) for family in FAMILIES if family.names)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_families_export(name, fused):
    network = ready(adapt(glocal.architecture(name), size=NAMES[name]))
    gives_the_same_logits(fuse(network) if fused else network)


@pytest.mark.slow
@pytest.mark.campaign
@law(100)
@given(architectures())
def test_many_random_mixtures_export(arch):
    network = ready(arch)
    gives_the_same_logits(network)
    gives_the_same_logits(fuse(network))
