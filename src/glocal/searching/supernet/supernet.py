"""The supernet of a space: one set of weights for all its networks, of which each network is a path.

What the paths share is decided by one of two classes with one interface: `Independent` here, `Entangled` in `entangled`. How a
supernet is trained is in `training`, how a path is evaluated in `evaluator`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

import torch
from torch import nn

from glocal.design import Architecture, Part, decide, parts
from glocal.design.space import Answers
from glocal.design.span import reach
from glocal.net import Network
from glocal.net.init import initialised
from glocal.searching.supernet.entangled import Entangled

Sharing = Literal["independent", "entangled"]
SHARINGS: tuple[Sharing, ...] = ("independent", "entangled")


class Bank(Protocol):
    """The weights at one position ("stages.0.blocks.3") for every part that the space allows there."""

    def layers(self, part: Part) -> nn.Sequential:
        """The layers of a part. They hold the bank's own weights, not copies."""
        ...


class Supernet(nn.Module):
    """Weights for every architecture of a space.

    sharing: "independent" gives every part that the space allows at a position weights of its own, as in SPOS and GLiT; with
        "entangled" the parts of a position are slices of common tensors, as in AutoFormer.
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
        """The network that answers the space's questions so. It is made of the supernet's own weights, and training it trains
        those.

        Only the path that was taken last may be trained.
        """
        return next(self.paths([answers]))

    def paths(self, every: Iterable[Answers]) -> Iterator[Network]:
        """The networks of several paths in turn, for one step of the optimiser: the gradients of all of them are added up. Go
        back through a network before the next is taken."""
        for bank in self.banks.values():
            if isinstance(bank, Entangled):
                bank.forget()
        for answers in every:
            arch = decide(self.arch, answers)
            yield Network(arch, built={path: self._bank(path).layers(part) for path, part in parts(arch)})

    def _bank(self, path: str) -> Bank:
        return self.banks[_key(path)]  # type: ignore[return-value]

    def network(self, answers: Answers) -> Network:
        """A network of its own, with copies of the weights of a path."""
        path = self.path(answers)
        alone = Network(path.arch).to(next(self.parameters())).train(self.training)
        alone.load_state_dict(path_weights(path))
        return alone

    def protect_other_paths(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes a step of the optimiser change neither weights nor moments of what is not on the path.

        Weights that are no part of the path have no gradient, and torch's optimisers skip those. Of tensors that are sliced, the
        optimiser gets the slices only.
        """
        for bank in self.banks.values():
            if isinstance(bank, Entangled):
                bank.guard(optimizer)


class Independent(nn.Module):
    """A position whose parts share nothing."""

    def __init__(self, built: Mapping[Part, nn.Sequential]) -> None:
        super().__init__()
        self.options = nn.ModuleList(built.values())
        self._index = {part: i for i, part in enumerate(built)}

    def layers(self, part: Part) -> nn.Sequential:
        """The part's own layers."""
        return self.options[self._index[part]]  # type: ignore[return-value]


def path_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a path, whose weights may be slices of other tensors."""
    slices = {
        f"{name}.{key}": value
        for name, module in network.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, torch.Tensor) and not key.startswith("_")
    }
    return {**network.state_dict(), **slices}


def _key(path: str) -> str:
    return path.replace(".", "_")
