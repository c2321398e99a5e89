"""What weights show by themselves: tables of offsets, the similarity of positions, and depthwise kernels, as arrays."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.explaining.attention.own_layers import offset_table
from glocal.explaining.attention.places import attention_places
from glocal.explaining.subject import Subject
from glocal.net import layers
from glocal.net.attention import LogRelativeAttention, RelativeAttention
from glocal.net.layers.windows import WindowAttention

_POSITIONS = 5  # along a side, whose similarities are shown


class WeightPicture(NamedTuple):
    """Panels (h, w) that belong together: the path of their layer and what they show."""

    path: str
    panels: list[Tensor]


@torch.no_grad()
def offset_tables(subject: Subject) -> list[WeightPicture]:
    """The bias of each offset of every layer of attention that has one, a panel for each head; the middle is no offset."""
    found = []
    for place in attention_places(subject.arch) if subject.arch else ():
        layer = subject.network.get_submodule(place.path)
        if isinstance(layer, RelativeAttention):
            found.append(WeightPicture(place.path, [*layer.table.detach().float()]))
        elif isinstance(layer, WindowAttention):
            found.append(WeightPicture(place.path, [*layer.offsets.detach().float()]))
        elif isinstance(layer, LogRelativeAttention):
            found.append(WeightPicture(place.path, [*offset_table(layer, place.positions.h, place.positions.w)]))
    return found


@torch.no_grad()
def position_similarity(subject: Subject) -> list[WeightPicture]:
    """The cosine similarity of some positions' embeddings with those of all positions, a panel for each (ViT, Figure 7)."""
    found = []
    for path, layer in subject.network.named_modules():
        if isinstance(layer, layers.Position):
            h, w = layer.grid
            rows_NC = nn.functional.normalize(layer.table.detach()[0, layer.table.shape[1] - h * w :].float(), dim=1)
            chosen = [
                round((i + 0.5) * h / min(h, _POSITIONS) - 0.5) * w + round((j + 0.5) * w / min(w, _POSITIONS) - 0.5)
                for i in range(min(h, _POSITIONS))
                for j in range(min(w, _POSITIONS))
            ]
            found.append(WeightPicture(path, [*(rows_NC[chosen] @ rows_NC.T).unflatten(1, (h, w))]))
    return found


@torch.no_grad()
def depthwise_kernels(subject: Subject) -> list[WeightPicture]:
    """For each depthwise layer the mean absolute kernel over the channels, then the kernels of its first channels."""
    found = []
    for path, layer in subject.network.named_modules():
        if (
            isinstance(layer, nn.Conv1d | nn.Conv2d)
            and layer.groups == layer.in_channels > 1
            and layer.weight.shape[-1] > 1
        ):
            kernels = layer.weight.detach().float().flatten(0, 1)
            kernels = kernels[:, None] if kernels.ndim == 2 else kernels
            found.append(WeightPicture(path, [kernels.abs().mean(0), *kernels[:7]]))
    return found
