"""The supernet of a space: all its architectures with shared weights, of which one path at a time is a network.

What paths share is decided by one of two interfaces alike: `Independent` here, `Entangled` in `entangled`. How a supernet is
trained stands in `oneshot`, how a path is judged in `judging`.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import torch
from torch import nn

from glocal.design import Architecture, Part, decide, parts
from glocal.design.space import Answers
from glocal.design.span import reach
from glocal.net import Network
from glocal.net.init import initialised
from glocal.searching.entangled import Entangled

Sharing = Literal["independent", "entangled"]
SHARINGS: tuple[Sharing, ...] = ("independent", "entangled")


class Bank(Protocol):
    """The weights of one path ("stages.0.blocks.3") for every part that may stand there."""

    def layers(self, part: Part) -> nn.Sequential:
        """The layers of a part, holding the bank's weights, not copies of them."""
        ...


class Supernet(nn.Module):
    """Weights for every architecture of a space.

    sharing "independent": every part that may stand at a path has weights of its own, as SPOS and GLiT have it; "entangled":
    the parts of a path are slices of common tensors, as in AutoFormer (`entangled`).
    """

    def __init__(self, space: Architecture, *, sharing: Sharing = "independent") -> None:
        super().__init__()
        self.arch, self.sharing = space, sharing
        self.banks = nn.ModuleDict()
        for path, possible in reach(space).items():
            built = {part: initialised(part, scheme=space.init) for part in possible}
            whole = sharing == "independent" or len(possible) == 1
            self.banks[_key(path)] = Independent(built) if whole else Entangled(built)

    def path(self, answers: Answers) -> Network:
        """The network of an answer sheet, made of the supernet's own weights: what it learns, the supernet has learned.

        Only the path that was taken last may be trained.
        """
        arch = decide(self.arch, answers)
        return Network(arch, built={path: self._bank(path).layers(part) for path, part in parts(arch)})

    def _bank(self, path: str) -> Bank:
        return self.banks[_key(path)]  # type: ignore[return-value]

    def network(self, answers: Answers) -> Network:
        """A network of its own with the weights of a path."""
        path = self.path(answers)
        alone = Network(path.arch).to(next(self.parameters())).train(self.training)
        alone.load_state_dict(weights_of(path))
        return alone

    def leave_others_alone(self, optimizer: torch.optim.Optimizer) -> None:
        """Sees to it that a step changes neither the weights nor the moments of what is not on the path.

        Weights that are no part of it have no gradient, by which torch's optimisers pass them over; of tensors that are cut,
        they see the slices.
        """
        for bank in self.banks.values():
            if isinstance(bank, Entangled):
                bank.guard(optimizer)


class Independent(nn.Module):
    """A path whose parts share nothing."""

    def __init__(self, built: Mapping[Part, nn.Sequential]) -> None:
        super().__init__()
        self.options = nn.ModuleList(built.values())
        self._index = {part: i for i, part in enumerate(built)}

    def layers(self, part: Part) -> nn.Sequential:
        """Its own."""
        return self.options[self._index[part]]  # type: ignore[return-value]


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a network, whose weights may be slices of other tensors."""
    cut = {
        f"{name}.{key}": value
        for name, module in network.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, torch.Tensor) and not key.startswith("_")
    }
    return {**network.state_dict(), **cut}


def _key(path: str) -> str:
    return path.replace(".", "_")
