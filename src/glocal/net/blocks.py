"""The blocks of a stage, one after the other; in training, their activations may be computed twice instead of kept."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils.checkpoint import checkpoint


class Blocks(nn.Sequential):
    """Blocks in order. Where `checkpointed` is set, the backward pass computes each block's activations anew from the
    block's input (Chen et al. 2016): the same gradients and running statistics, less memory, one more forward pass."""

    checkpointed = False

    def forward(self, x: Tensor) -> Tensor:
        """What the last block leaves."""
        for block in self:
            x = self.step(block, x)
        return x

    def step(self, block: nn.Module, x: Tensor) -> Tensor:
        """What one of the blocks makes of x."""

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _without_statistics(block)

        y: Tensor
        if not (self.checkpointed and torch.is_grad_enabled()):
            y = block(x)
        elif torch.compiler.is_compiling():
            # A compiler decides what is computed twice, and never updates statistics twice.
            y = checkpoint(block, x, use_reentrant=False)
        else:
            y = checkpoint(block, x, use_reentrant=False, context_fn=contexts)
        return y


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """Lets batch norms compute as in training while their running statistics stay, so that a second pass counts nothing."""
    norms = [m for m in block.modules() if isinstance(m, BatchNorm)]
    before = [(m.momentum, None if m.num_batches_tracked is None else m.num_batches_tracked.clone()) for m in norms]
    for m in norms:
        m.momentum = 0.0
    try:
        yield
    finally:
        for m, (momentum, batches) in zip(norms, before, strict=True):
            m.momentum = momentum
            if batches is not None and m.num_batches_tracked is not None:
                m.num_batches_tracked.copy_(batches)
