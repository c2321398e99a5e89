"""A fused network answers as the network it was made from, cannot be trained, and leaves that network alone."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from torch import nn

import glocal
from glocal.errors import RunError
from glocal.net import Network, layers
from glocal.net.fuse import Packed, fuse
from sampled import but_slow
from strategies import architectures, law

NAMES = (
    *("coatnet_layout_cctt", "coatnet_0_dw", "convnext_atto", "convmixer_64_3_p2_k5_32", "convmixer_64_3_p2_k8_32"),
    *("resnet50", "resnet50_step_7", "resnet50_step_10", "cct_2_3x2_32", "cvt_2_4_32", "glit_mix_1_2", "glit_mix_0_3"),
    *("coatnet_0_after", "coatnet_rmlp_nano_rw_224", "coatnet_bn_0_rw_224", "glit_tiny_conv2d_3", "glit_tiny_area_14"),
)


def drawn(network):
    """Statistics and factors that are not those of a fresh network, so that folding has something to do."""
    g = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.copy_(torch.randn(module.num_features, generator=g) / 3)
                module.running_var.copy_(torch.rand(module.num_features, generator=g) + 0.5)
                module.weight.copy_(torch.rand(module.num_features, generator=g) + 0.5)
                module.bias.copy_(torch.randn(module.num_features, generator=g) / 3)
            if isinstance(module, layers.Scale):
                module.weight.copy_(torch.rand(len(module.weight), generator=g) + 0.5)
    return network.eval()


def small(name):
    size = None if name.endswith("_32") or "area" in name else 64
    torch.manual_seed(0)
    return drawn(glocal.create_model(name, num_classes=7, img_size=size))


def pictures(network, n=2):
    return torch.randn(n, *network.arch.image, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", but_slow(NAMES, ["resnet50_step_7", "resnet50_step_10", "coatnet_bn_0_rw_224"]))
def test_fused_logits_are_the_networks_up_to_rounding(name):
    network = small(name)
    x, before = pictures(network), copy.deepcopy(network.state_dict())
    with torch.no_grad():
        logits, fused = network(x), fuse(network)
        for _ in range(2):  # the second call finds the weights in order
            assert (fused(x) - logits).abs().max() <= 2e-5 * logits.abs().max()
        assert (fused(x[:1]) - logits[:1]).abs().max() <= 2e-5 * logits.abs().max()
        exact = fuse(network.double())
        assert (exact(x.double()) - network(x.double())).abs().max() <= 1e-11 * logits.abs().max()
    assert all(torch.equal(t.double(), before[key].double()) for key, t in network.state_dict().items())
    assert len(list(fused.parameters())) <= len(list(network.parameters()))


@pytest.mark.parametrize("name", ["coatnet_layout_cctt", "resnet50", "convmixer_64_3_p2_k5_32", "resnet50_step_7"])
def test_no_batch_norm_is_left_behind_a_convolution(name):
    fused = fuse(small(name))
    for sequence in (m for m in fused.modules() if isinstance(m, nn.Sequential)):
        dense = [isinstance(m, Packed) and isinstance(m.act, nn.Identity) for m in sequence]
        norms = [isinstance(m, nn.BatchNorm2d) for m in sequence]
        assert not any(d and n for d, n in zip(dense, norms[1:], strict=False))
    if "convmixer" not in name:
        assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())


def test_training_and_whatever_leads_to_it_is_refused(tmp_path):
    network = small("coatnet_layout_cctt")
    fused = fuse(network)
    for attempt in (
        fused.train,
        lambda: fused.reset_classifier(3),
        lambda: fused.load_state_dict(network.state_dict()),
        lambda: fused.save_pretrained(tmp_path),
    ):
        with pytest.raises(RunError, match=r"this coatnet_layout_cctt is fused.*the network it was made from"):
            attempt()
    assert not any(p.requires_grad for p in fused.parameters())
    assert not fused.eval().training
    assert fuse(fused) is fused
    network.train()


def test_gradients_of_the_pictures_are_those_of_the_network():
    network = small("convnext_atto")
    fused, gradients = fuse(network), []
    for model in (network, fused):
        x = pictures(network).requires_grad_()
        model(x).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-5)


def test_another_size_of_picture_or_batch_is_answered_too():
    network = small("convnext_atto")
    fused = fuse(network)
    with torch.no_grad():
        for shape in ((1, 3, 64, 64), (3, 3, 64, 96), (1, 3, 64, 64)):
            x = torch.randn(shape)
            torch.testing.assert_close(fused(x), network(x), rtol=1e-4, atol=1e-4)


def test_a_fused_network_is_copied_pickled_and_exported():
    fused = fuse(small("coatnet_layout_cctt"))
    x = pictures(fused)
    with torch.no_grad():
        logits = fused(x)
        for other in (copy.deepcopy(fused), pickle.loads(pickle.dumps(fused))):
            assert torch.equal(other(x), logits)
        exported = torch.export.export(fused, (x,)).module()
        torch.testing.assert_close(exported(x), logits, rtol=1e-4, atol=1e-5)


def test_autocast_runs_the_layers_as_they_are():
    fused = fuse(small("convnext_atto"))
    x = pictures(fused)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = fused(x)
    assert low.dtype == torch.bfloat16
    with torch.no_grad():
        assert (low.float() - fused(x)).abs().max() < 0.05 * fused(x).abs().max()


@law(30)
@given(arch=architectures())
def test_any_architecture_fuses(arch):
    torch.manual_seed(0)
    network = drawn(Network(arch))
    x = torch.randn(2, *arch.image)
    with torch.no_grad():
        logits = network(x)
        assert (fuse(network)(x) - logits).abs().max() <= 1e-4 * logits.abs().max().clamp(min=1)
