"""Networks of timm beside ours. Import it as `from peers import agrees`."""

import torch
from torch import nn

from drawn import randomised
from glocal.net import Network
from glocal.weights import SOURCES, export, load_into


def agrees(ours: Network, theirs: nn.Module, *, source: str, batch: int = 2) -> None:
    """With the same random weights both compute the same logits, and the keys of each are the other's by one table."""
    theirs = randomised(theirs).eval()
    assert load_into(ours.eval(), theirs.state_dict()) == source
    (table,) = (s for s in SOURCES if s.name == source)
    exported, state = export(ours, table), theirs.state_dict()
    assert exported.keys() == state.keys()
    assert all(torch.equal(exported[key], t) for key, t in state.items())
    x = torch.randn(batch, *ours.arch.image, generator=torch.Generator().manual_seed(0))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        ours, theirs = ours.to(dtype), theirs.to(dtype)
        with torch.no_grad():
            a, b = ours(x.to(dtype)), theirs(x.to(dtype))
        assert (a - b).abs().max() <= tolerance * b.abs().max(), dtype
