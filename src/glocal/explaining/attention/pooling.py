"""How the head of a network of glocal pools its positions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal import design
from glocal.design import Architecture, parts
from glocal.design.architecture import head_split
from glocal.design.op import steps
from glocal.explaining.attention.places import Positions, positions_of
from glocal.explaining.subject import Subject
from glocal.net import layers


class pooling_input:  # noqa: N801 - a context manager
    """Records what the head's pooling layer is given."""

    def __init__(self, subject: Subject) -> None:
        assert subject.arch is not None
        head: nn.Module = subject.network.get_submodule("head")
        self.layer = [*head.children()][head_split(subject.arch)]
        self.inputs: list[Tensor] = []

    def __enter__(self) -> list[Tensor]:
        self.hook = self.layer.register_forward_pre_hook(lambda _, given: self.inputs.append(given[0]))
        return self.inputs

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


def pooling_op(arch: Architecture) -> design.Op:
    """The op of the head that makes one vector of all positions."""
    return arch.head[head_split(arch)]


def pooled_positions(arch: Architecture) -> Positions:
    """The positions that the head pools."""
    *_, (_, head) = parts(arch)
    return positions_of([*steps(arch.head, head.given)][head_split(arch)][2])


def pooling_weights(subject: Subject, x: Tensor, positions: Positions) -> Tensor:
    """The weight of each position in what the head pools, (B, N): SeqPool's own, one for the class token, or equal ones."""
    assert subject.arch is not None
    head = subject.network.get_submodule("head")
    layer = [*head.children()][head_split(subject.arch)]
    if isinstance(layer, layers.SequencePool):
        with torch.no_grad():
            return layer.weights(x)
    weights_BN = torch.full((len(x), positions.n), 1 / positions.n)
    if isinstance(layer, layers.First):
        weights_BN = functional.one_hot(torch.zeros(len(x), dtype=torch.long), positions.n).float()
    return weights_BN
