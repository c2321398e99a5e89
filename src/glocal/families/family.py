"""The record in which the file of a family tells the catalogue what it brings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from glocal.design.architecture import Architecture, Word


def no_names(name: str) -> Architecture | None:
    """The `named` of a family that names no networks."""
    return None


@dataclass(frozen=True)
class Family:
    """Everything that the rest of glocal knows of a family. Only `words` must be given.

    words: its classes of words.
    names: the networks that `glocal models` lists.
    named: the architecture of a name, whether it is listed or not; None for a name of another family.
    timm: for a name, the arguments with which `timm.create_model` makes the same network.
    top1: for a name, the ImageNet-1K top-1 in percent that is printed for it, and where.
    weights: for another source of weights, such as "timm (Swin)", the table of its names: ours -> theirs. The rows are
        written as `glocal.weights.tables` explains.
    """

    words: tuple[type[Word], ...]
    names: tuple[str, ...] = ()
    named: Callable[[str], Architecture | None] = no_names
    timm: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    top1: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
