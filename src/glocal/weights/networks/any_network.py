"""The questions that runs and comparisons ask of a network, whether it is of the design space or of timm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

from glocal.design import Architecture, Cost, adapt, cost, dump, load
from glocal.design.text import Plain
from glocal.errors import ArchitectureError
from glocal.families import architecture, vocabulary
from glocal.files import read_yaml
from glocal.net import Network
from glocal.net.card import fixed_size
from glocal.weights.networks.timm_architecture import KEY, TimmArchitecture, is_timm, without_file
from glocal.weights.networks.timm_creation import takes_size, timm_cost
from glocal.weights.networks.timm_network import TimmNetwork

AnyArchitecture = Architecture | TimmArchitecture
AnyNetwork = Network | TimmNetwork


def find_architecture(name: str) -> AnyArchitecture:
    """The network of a name, of an architecture.yaml, or of `timm:NAME` (without what follows an @); ArchitectureError."""
    if is_timm(name):
        return TimmArchitecture.read(without_file(name))
    if name.endswith((".yaml", ".yml")) and (path := Path(name)).is_file():
        with path.open("rb") as file:
            is_timms = file.read(len(KEY)) == KEY.encode()
        if is_timms:
            return TimmArchitecture.from_json(read_yaml(path))
    return architecture(name)


def adapt_any(
    arch: AnyArchitecture,
    *,
    classes: int | None = None,
    channels: int | None = None,
    size: int | tuple[int, int] | None = None,
    drop_path: float | None = None,
    attention_dropout: float | None = None,
) -> AnyArchitecture:
    """`glocal.design.adapt`, for networks of timm too: ArchitectureError or ShapeError where timm cannot build the result."""
    if isinstance(arch, Architecture):
        return adapt(
            arch,
            classes=classes,
            channels=channels,
            size=size,
            drop_path=drop_path,
            attention_dropout=attention_dropout,
        )
    if attention_dropout:
        raise ArchitectureError(
            f"{arch.name}: timm has its own name for attention dropout: {arch.name.rstrip(']')}[attn_drop_rate=...]"
        )
    found = arch.adapted(classes=classes, channels=channels, size=size, drop_path=drop_path)
    timm_cost(found)
    return found


def cost_of(arch: AnyArchitecture) -> Cost:
    """Parameters and multiply-adds; of a network of timm the latter by PyTorch's counter."""
    return cost(arch) if isinstance(arch, Architecture) else timm_cost(arch)


@overload
def build_network(arch: Architecture) -> Network: ...
@overload
def build_network(arch: TimmArchitecture) -> TimmNetwork: ...
def build_network(arch: AnyArchitecture) -> AnyNetwork:
    """The network with fresh values, drawn from torch's global generator."""
    return Network(arch) if isinstance(arch, Architecture) else TimmNetwork(arch)


def has_one_size(arch: AnyArchitecture) -> bool:
    """Whether a network must be built for the picture size that it reads."""
    return fixed_size(arch) if isinstance(arch, Architecture) else takes_size(arch)


def to_plain(arch: AnyArchitecture) -> Plain:
    """Plain data, as architecture.yaml and files of weights hold it."""
    return dump(arch) if isinstance(arch, Architecture) else arch.to_json()


def from_plain(data: Any) -> AnyArchitecture:
    """The inverse of `to_plain`. ArchitectureError for other data."""
    if describes_timm(data):
        return TimmArchitecture.from_json(data)
    arch = load(data, vocabulary())
    if not isinstance(arch, Architecture):
        raise ArchitectureError(f"this is no architecture but a {type(arch).__name__}")
    return arch


def describes_timm(data: Any) -> bool:
    """Whether plain data are of a network of timm."""
    return isinstance(data, Mapping) and set(data) == {KEY}


def of_design_space(arch: AnyArchitecture, *, wanted: str) -> Architecture:
    """The architecture; ArchitectureError for a network of timm. wanted: what it is needed for, as "fusing"."""
    if isinstance(arch, Architecture):
        return arch
    raise ArchitectureError(
        f"{arch.name}: {wanted} needs a network of the design space, with words and ops; this is timm's"
    )
