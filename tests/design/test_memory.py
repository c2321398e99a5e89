"""The memory that is told of an architecture is what PyTorch's storages take up in a pass."""

import random
import time
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glocal.design import cost, decide, parts, sample
from glocal.design.memory import memory_bytes
from glocal.families import architecture
from glocal.families.spaces import space
from glocal.net import Network
from sampled import but_slow


class Live(TorchDispatchMode):
    """Counts the bytes of storages that are alive, and the most there were."""

    def __init__(self, free):
        super().__init__()
        self.known, self.now, self.most = dict.fromkeys((t.untyped_storage()._cdata for t in free), 0), 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor):
                self.add(t.untyped_storage())
        return out

    def add(self, storage):
        if (key := storage._cdata) not in self.known:
            self.known[key] = storage.nbytes()
            self.now += self.known[key]
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.drop, key)

    def drop(self, key):
        self.now -= self.known.pop(key)


def measured(arch):
    """Weights and the most that lives in a second pass; the first makes the biases that are kept."""
    network, x = Network(arch).eval(), torch.randn(1, *arch.image)
    live = Live([*network.parameters(), *network.buffers()])
    with live, torch.inference_mode():
        live.add(x.untyped_storage())
        network(x)
        live.most = 0
        network(x)
    return 4 * cost(arch).params + live.most


@pytest.mark.parametrize(
    "name",
    but_slow(
        """glit_tiny glit_tiny_area_14 deit_tiny convnext_atto convmixer_256_8_p2_k5_32 cct_7_3x1_32 poolformer_s12
        coatnet_0 coatnet_0_after resnet50 swin_tiny glit_tiny_conv2d_5 vit_lite_7_4_32_sine""".split(),
        "coatnet_0 coatnet_0_after resnet50 swin_tiny glit_tiny_conv2d_5".split(),
    ),
)
def test_it_is_right_to_a_ten_thousandth_for_every_family(name):
    assert memory_bytes(architecture(name)) == pytest.approx(measured(architecture(name)), rel=1e-4)


@pytest.mark.parametrize("name", ["hybrid_cifar", "coatnet_layouts_cifar", "glit_cifar_96_6_joint"])
def test_it_is_right_to_a_hundredth_for_what_is_drawn_from_a_space(name):
    asked, rng = space(name), random.Random(0)
    for _ in range(4):
        arch = decide(asked, sample(asked, rng))
        assert memory_bytes(arch) == pytest.approx(measured(arch), rel=0.01)


def test_it_takes_next_to_no_time():
    arch = architecture("glit_tiny")
    memory_bytes(arch)
    start = time.perf_counter()
    for _ in range(200):
        memory_bytes(arch)
    walked = time.perf_counter()
    for _ in range(200):
        for _ in parts(arch):
            pass
    assert (walked - start) < 10 * (time.perf_counter() - walked) + 0.02, "a few walks over the parts"
