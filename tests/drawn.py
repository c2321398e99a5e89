"""Networks of others with every number drawn. Import it as `from drawn import randomised`."""

import torch
from torch import nn


def randomised(network: nn.Module) -> nn.Module:
    """Every norm, scale, table and running statistic drawn, since fresh ones hide wiring errors."""
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, t in network.state_dict().items():
            if t.is_floating_point():
                spread = torch.rand(t.shape, generator=g, dtype=torch.float64)
                near_one = (t.ndim == 1 and not name.endswith(("bias", "running_mean"))) or "layer_scale" in name
                fan_in = max(1, t[0].numel()) if t.ndim > 1 else 1
                t.copy_(0.5 + spread if near_one else (2 * spread - 1) * (3 / fan_in) ** 0.5)
    return network
