"""torch.export of a network with a batch of any size: the size stays a symbol in every family and in random mixtures."""

import warnings

import pytest
import torch
from hypothesis import given

import glocal
from glocal.design import cost
from glocal.families.catalogue import FAMILIES
from glocal.net import Network
from strategies import architectures, law

BATCH = torch.export.Dim("batch", min=1, max=64)
SMALL = ("vit_lite_2_4_32", "cct_2_3x2_32", "cvt_2_4_32_sine", "convmixer_16_2_p2_k5_32", "airbench_32_128_256")
CLASS_TOKEN = ("deit_tiny", "glit_tiny")


def exported(network, *, strict=False):
    """The program of a network for a batch of 1 to 64 pictures."""
    x = torch.randn(2, *network.arch.image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own deprecations
        return torch.export.export(network, (x,), dynamic_shapes=({0: BATCH},), strict=strict)


def exports_with_a_batch_of_any_size(arch, *, strict=False):
    """The program has the weights that the design counts, and gives the network's logits for every size of batch, also
    after training moved the statistics of norms."""
    torch.manual_seed(0)
    network = Network(arch)
    with torch.no_grad():
        network.train()(torch.randn(3, *arch.image))
    program = exported(network.eval(), strict=strict)
    assert sum(p.numel() for p in program.parameters()) == cost(arch).params
    for size in (1, 3):
        x = torch.randn(size, *arch.image)
        with torch.no_grad():
            torch.testing.assert_close(program.module()(x), network(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*SMALL, "deit_tiny"])
def test_a_small_network_exports_with_a_batch_of_any_size(name):
    exports_with_a_batch_of_any_size(glocal.architecture(name))


@pytest.mark.parametrize("name", ["vit_lite_2_4_32", "cct_2_3x2_32"])
def test_a_strict_export_keeps_the_batch_too(name):
    exports_with_a_batch_of_any_size(glocal.architecture(name), strict=True)


@pytest.mark.slow
@law(5)
@given(architectures())
def test_a_random_mixture_exports_with_a_batch_of_any_size(arch):
    exports_with_a_batch_of_any_size(arch)


@pytest.mark.slow
@pytest.mark.campaign
@law(200)
@given(architectures())
def test_many_random_mixtures_export_with_a_batch_of_any_size(arch):
    exports_with_a_batch_of_any_size(arch)


def smallest_of(family):
    """The name of the family's network with the fewest multiply-adds."""
    return min(family.names, key=lambda name: cost(glocal.architecture(name)).macs)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize(
    "name", sorted({*(smallest_of(f) for f in FAMILIES if f.names), *CLASS_TOKEN, "coatnet_0", "vit_rel"})
)
def test_every_family_exports_with_a_batch_of_any_size(name):
    exports_with_a_batch_of_any_size(glocal.architecture(name))
