"""What training scripts wrap weights in: dictionaries around them, averages beside them, attributes before their names.

Which of the places in a file holds a network's weights is decided in `translate`, which knows the network's names.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

DEEPEST = 8  # dictionaries in dictionaries, and attributes before a name
AVERAGE = re.compile(
    r"(?<![a-z])(ema|swa|avg|averaged?)(?![a-z])", re.IGNORECASE
)  # in the names of dictionaries and attributes that hold averages
USUAL = (
    "",
    "state_dict",
    "model",
    "model_state_dict",
    "network",
    "net",
    "module",
)  # before dictionaries of other names


class Held(NamedTuple):
    """Tensors by name at one place of a file: the dictionary that holds them, and what was taken off their names."""

    tensors: dict[str, Tensor]
    dictionary: str = ""
    prefix: str = ""

    @property
    def averaged(self) -> bool:
        """Whether the place says that it holds a moving average of weights."""
        return bool(AVERAGE.search(f"{self.dictionary}.{self.prefix}"))

    @property
    def usual(self) -> bool:
        """Whether scripts usually call the dictionary so that holds the network."""
        return not self.prefix and self.dictionary.rpartition(".")[2] in USUAL

    @property
    def place(self) -> str:
        """The place as text, empty for the file's own names."""
        return f"{self.dictionary}.{self.prefix}".strip(".")


def dictionaries(found: Any) -> list[Held]:
    """Every dictionary of tensors in what a file holds: the averaged ones first, as timm prefers them, then the usual names."""
    there = [held for held in _walk(found, "", 0, set()) if held.tensors]
    largest = max((len(held.tensors) for held in there), default=0)

    def rank(held: Held) -> tuple[bool, bool, int]:
        name = held.dictionary.rpartition(".")[2]
        small = len(held.tensors) < largest  # the state of an optimiser has a dictionary for each weight
        return small, not held.averaged, USUAL.index(name) if name in USUAL else len(USUAL)

    return sorted(there, key=rank)


def _walk(found: Any, path: str, depth: int, seen: set[int]) -> Iterator[Held]:
    """Dictionaries in dictionaries. Each is visited once, however often a file mentions it."""
    if not isinstance(found, Mapping) or id(found) in seen or depth > DEEPEST:
        return
    seen.add(id(found))
    yield Held({key: t for key, t in found.items() if isinstance(key, str) and isinstance(t, Tensor)}, path)
    for key, value in found.items():
        if isinstance(key, str):
            yield from _walk(value, f"{path}.{key}" if path else key, depth + 1, seen)


def bare(held: Held) -> Held:
    """The tensors without what all their names begin with: `module.` of DataParallel, `_orig_mod.` of torch.compile, ..."""
    for _ in range(DEEPEST):
        firsts = {key.partition(".")[0] for key in held.tensors}
        if len(firsts) != 1 or len(held.tensors) < 2:
            break
        held = _below(held, firsts.pop() + ".")
    return held


def below(held: Held, least: int) -> Iterator[Held]:
    """The tensors below each attribute that has at least so many, and below theirs: one network among others in a file."""
    if held.prefix.count(".") > DEEPEST:
        return
    counts = Counter(key.partition(".")[0] for key in held.tensors if "." in key)
    for first, n in counts.items():
        if n >= least:
            inner = _below(held, f"{first}.")
            yield inner
            yield from below(inner, least)


def _below(held: Held, prefix: str) -> Held:
    tensors = {key.removeprefix(prefix): t for key, t in held.tensors.items() if key.startswith(prefix)}
    return Held(tensors, held.dictionary, held.prefix + prefix)
