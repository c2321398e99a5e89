"""Layouts in memory: by default the operations that timm asks PyTorch for, another only where it was asked for or measured."""

from collections import Counter

import pytest
import timm
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import glocal
from glocal.families.catalogue import timm_arguments
from glocal.net.layout import FORMATS, faster_layout, measure_layouts
from sampled import but_slow

COSTLY = ("convolution", "addmm", "attention", "gelu", "batch_norm", "layer_norm")
CPU = torch.device("cpu")


class Asked(TorchDispatchMode):
    """Counts the costly operations by the shape and strides of what they read, and the numbers that are copied."""

    def __init__(self):
        super().__init__()
        self.operations, self.copied = Counter(), 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        if any(word in name for word in COSTLY):
            read = [t for t in args if isinstance(t, torch.Tensor)][:2]
            self.operations[(name, *(axes(t) for t in read))] += 1
        if name in ("clone", "copy_"):
            self.copied += args[0].numel()
        return operation(*args, **(kwargs or {}))


def axes(t):
    """Sizes and strides; an axis of one lies anyhow."""
    return tuple((n, stride) for n, stride in zip(t.shape, t.stride(), strict=True) if n > 1)


def asked(network, x, *, learns=False):
    with Asked() as found, torch.set_grad_enabled(learns):
        y = network.train(learns)(x)
        if learns:
            y.square().sum().backward()
    return found


def pair(name):
    return glocal.create_model(name, drop_path_rate=0.0), timm.create_model(**timm_arguments(name))


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("name", but_slow(["convmixer_768_32", "convnext_tiny", "deit_tiny"], ["convmixer_768_32"]))
def test_a_network_asks_for_the_operations_of_timms(name, learns):
    """The same products, norms and activations in the same layouts: it cannot be slower on some other processor."""
    x = torch.randn(1, 3, 224, 224)
    ours, theirs = (asked(network, x, learns=learns) for network in pair(name))
    assert ours.operations == theirs.operations
    assert ours.copied <= theirs.copied


def test_coatnet_convolves_as_timms_and_copies_less():
    """Its attention has fewer copies; its dense layers over tokens are matrix products, where timm has 1 x 1 convolutions."""
    x = torch.randn(1, 3, 224, 224)
    ours, theirs = (asked(network, x) for network in pair("coatnet_0"))
    convolutions = {k: n for k, n in ours.operations.items() if k[0] == "convolution"}
    assert len(convolutions) > 10
    assert all(theirs.operations[each] >= n for each, n in convolutions.items())
    assert ours.copied < theirs.copied


@pytest.mark.parametrize("name", ["coatnet_nano_rw_224", "convmixer_256_8_p2_k5_32", "cct_2_3x2_32"])
def test_another_layout_gives_the_same_logits_and_gradients(name):
    torch.manual_seed(0)
    network = glocal.create_model(name, drop_path_rate=0.0).eval()
    x, found = torch.randn(2, *network.arch.image), {}
    for layout in FORMATS:
        network.layout = layout
        network.zero_grad()
        logits = network(x)
        logits.square().mean().backward()
        found[layout] = logits.detach(), [p.grad.clone() for p in network.parameters()]
    torch.testing.assert_close(*(found[layout][0] for layout in FORMATS), rtol=1e-3, atol=1e-4)
    for plain, last in zip(*(found[layout][1] for layout in FORMATS), strict=True):
        assert (plain - last).norm() <= 1e-2 * plain.norm() + 1e-5
    assert network.resized(64).layout == "channels_last"


def test_a_layout_must_gain_more_than_noise():
    assert faster_layout({"plain": 100.0, "channels_last": 97.0}) == "plain"
    assert faster_layout({"plain": 100.0, "channels_last": 90.0}) == "channels_last"
    assert faster_layout({"plain": 90.0, "channels_last": 100.0}) == "plain"


def test_measuring_leaves_the_network_as_it_was():
    network = glocal.create_model("cct_2_3x2_32").train()
    before = {key: t.clone() for key, t in network.state_dict().items()}
    drawn = torch.random.get_rng_state()

    def step(tried, layout):
        tried.layout = layout
        tried(torch.randn(2, 3, 32, 32))

    ms = measure_layouts(step, network, device=CPU, rounds=2)
    assert set(ms) == set(FORMATS)
    assert all(each > 0 for each in ms.values())
    assert network.layout == "plain"
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(torch.equal(before[key], t) for key, t in network.state_dict().items())
