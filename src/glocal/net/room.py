"""Whether a network fits into the machine's memory: asked before its layers are made."""

import os

import torch

from glocal.design import Architecture, cost
from glocal.design.text import count
from glocal.errors import ArchitectureError

BYTES = 4  # of a weight as it is made


def check_room(arch: Architecture) -> None:
    """ArchitectureError where the weights alone are larger than all memory of the machine, if they are made in it."""
    have = _memory()
    weights = cost(arch).params
    if have is not None and weights * BYTES > have and torch.empty(0).device.type == "cpu":
        raise ArchitectureError(
            f"{arch.name} has {count(weights)} weights, which take {weights * BYTES / 2**30:,.0f} GiB, and this machine has "
            f"{have / 2**30:,.0f} GiB; `with torch.device('meta'):` makes a network without memory for its weights"
        )


def _memory() -> int | None:
    """Bytes of memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
