"""Weights under other names: which source's they are, into our names, and back. Total in both directions.

Reading and writing files is in `files`; this room sees dictionaries of tensors.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.design import Architecture, Conv, LearnedPosition, Tokens, parts
from glocal.design.cost import ops
from glocal.errors import WeightError
from glocal.net import Network
from glocal.net.layers import Pointwise, Position
from glocal.net.saving.tensor_files import check_tensors
from glocal.weights.forms import FORMS
from glocal.weights.tables import OURS, SOURCES, Source
from glocal.weights.wrappers import Held, bare, below

Tensors = Mapping[str, Tensor]


class Names(NamedTuple):
    """A source's key for each of our keys; `computed` are of tables that a checkpoint may leave out.

    `forms` names how a tensor lies there, where it is not as here.
    """

    source: str
    learned: dict[str, str]
    computed: dict[str, str]
    forms: dict[str, str]

    def ours(self, key: str, theirs: Tensor, network: Network) -> Tensor:
        """A tensor of theirs as it lies under our key."""
        return FORMS[self.forms[key]].ours(theirs, _layer(network, key)) if key in self.forms else theirs

    def theirs(self, key: str, ours: Tensor, network: Network) -> Tensor:
        """The tensor of our key as it lies with them."""
        return FORMS[self.forms[key]].theirs(ours, _layer(network, key)) if key in self.forms else ours


def names(network: Network, source: Source) -> Names | None:
    """The keys of a network in a source's terms; None where it is not one of theirs or lacks a row for some key."""
    arch = network.arch
    if not source.holds(arch):
        return None
    numbers = {
        "depth": sum(len(stage.blocks) for stage in arch.stages),
        "convs": sum(isinstance(op, Conv) for op in arch.stem),
    }
    words = {path: type(part.word).__name__ for path, part in parts(arch) if ".blocks." in path}
    said = {}
    for key in network.state_dict():
        if not (theirs := _say(key, source.rows, numbers, words)):
            return None
        said[key] = theirs
    computed = {f"{path}.table" for path, m in network.named_modules() if isinstance(m, Position)} - said.keys()
    tables = {key: _say(key, source.computed, numbers, words) for key in computed}
    learned = {key: theirs.partition("|")[0] for key, theirs in said.items()}
    forms = {key: form for key, theirs in said.items() if (form := theirs.partition("|")[2])}
    if source is not OURS:
        # A convolution of kernel 1 is a dense layer here.
        dense = [f"{path}.weight" for path, op, _ in ops(arch) if isinstance(op, Conv)]
        forms |= {key: "1x1" for key in dense if key not in forms and isinstance(_layer(network, key), Pointwise)}
    return Names(source.name, learned, {ours: theirs for ours, theirs in tables.items() if theirs}, forms)


def _say(key: str, rows: Mapping[str, str], numbers: Mapping[str, int], words: Mapping[str, str]) -> str:
    """Their key, with `|` and its form where it has one; nothing where no row fits."""
    block = ".".join(key.split(".")[:4])
    spoken = key.replace(block, f"{block}.{words[block]}", 1) if block in words else key
    for ours, row in rows.items():
        theirs, bar, form = row.partition("|")
        if m := _pattern(ours).fullmatch(key) or _pattern(ours).fullmatch(spoken):
            found = {**{k: int(v) for k, v in m.groupdict().items() if k != "leaf"}, **numbers}
            leaf = m["leaf"] or ""
            return _number(theirs, found) + leaf + bar + form
    return ""


@cache
def _pattern(ours: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w)\\\}", r"(?P<\1>\\d+)", re.escape(ours)) + r"(?P<leaf>\..+)?")


def _number(template: str, numbers: Mapping[str, int]) -> str:
    return re.sub(
        r"\{(?:(\d)\*)?(\w+?)([+-]\d+)?\}",
        lambda n: str(int(n[1] or 1) * numbers[n[2]] + int(n[3] or 0)),
        template,
    )


def recognise(keys: Iterable[str], network: Network) -> Names:
    """The names that a checkpoint's keys are written in: those of the source that shares most keys with them.

    Raises WeightError that lists every key of theirs without a row and every weight of ours that stays empty.
    """
    return _best(set(keys), _known(network), network.arch.name)


class Found(NamedTuple):
    """The tensors of a network in a file, whose names they bear, and a sentence on where they lie and what else does."""

    tensors: dict[str, Tensor]
    names: Names
    place: str


def find_tensors(held: Sequence[Held], network: Network) -> Found:
    """The place of a file that holds exactly a network's weights: a dictionary of it, or those below one attribute of many,
    as in Lightning's checkpoints.

    Of several such places the averaged weights are taken, as timm takes them. WeightError where there is none, as `recognise`,
    or where nothing tells which of several to take.
    """
    known = _known(network)
    least = min(len(names.learned) for names in known)
    places = [inner for one in held for inner in (one, *below(one, least))]
    found = [(place, names) for place in places if (names := _complete(place.tensors.keys(), known))]
    if not found:
        nearest = bare(held[0])
        return Found(nearest.tensors, _best(set(nearest.tensors), known, network.arch.name), "")
    chosen, names = next((one for one in found if one[0].averaged), found[0])
    others = [place.place or "the file itself" for place, _ in found if place is not chosen]
    if others and not (chosen.averaged or chosen.usual):
        several = ", ".join([chosen.place, *others])
        raise WeightError(
            f"holds {network.arch.name} several times, below {several}; save the one that you want by itself"
        )
    return Found(chosen.tensors, names, _place_sentence(chosen, others, held))


def _place_sentence(chosen: Held, others: Sequence[str], held: Sequence[Held]) -> str:
    """A sentence on the place of the weights; nothing where they are all that a file holds."""
    beside = next(one.tensors for one in held if one.dictionary == chosen.dictionary)
    left = [key for key in beside if not key.startswith(chosen.prefix)]
    what = "the averaged weights" if chosen.averaged else "the weights"
    lines = [f"{what} below {chosen.place!r} in the file are taken"] if chosen.place else []
    lines += [f"those below {', '.join(others)} are left"] if others else []
    more = ", ..." if len(left) > 3 else ""
    lines += [f"{len(left)} tensors beside them are left: {', '.join(left[:3])}{more}"] if left and not others else []
    return "; ".join(lines)


def _known(network: Network) -> list[Names]:
    return [said for source in SOURCES if (said := names(network, source))]


def _complete(keys: Collection[str], known: Sequence[Names]) -> Names | None:
    """The first source by whose names these are a network's keys, all of them and no others."""
    there = set(keys)
    return next(
        (
            n
            for n in known
            if there.issuperset(n.learned.values()) and there <= {*n.learned.values(), *n.computed.values()}
        ),
        None,
    )


def _best(keys: set[str], known: Sequence[Names], name: str) -> Names:
    best = max(known, key=lambda said: len(keys & set(said.learned.values())))
    unread = sorted(keys - set(best.learned.values()) - set(best.computed.values()))
    empty = sorted(theirs for theirs in best.learned.values() if theirs not in keys)
    if unread or empty:
        lines = [f"these are not the weights of {name} (read with the names of {best.source}):"]
        lines += [f"  {len(unread)} of the file's keys have no row: {', '.join(unread)}"] if unread else []
        lines += [f"  {len(empty)} of the network's weights are not in it: {', '.join(empty)}"] if empty else []
        raise WeightError("\n".join(lines))
    return best


def load_into(
    network: Network,
    theirs: Tensors,
    *,
    grid: tuple[int, int] | None = None,
    made_for: Architecture | None = None,
) -> str:
    """Fills a network with a checkpoint's tensors, whatever source named them, and returns the source's name.

    Learned positions are carried to the network's grid. That of the checkpoint's is in the architecture that it was made
    for; else it is `grid` (h, w), or else taken to be a square. Raises WeightError that lists every misfit; the network is
    then unchanged.
    """
    said = recognise(theirs, network)
    own = network.state_dict()
    grids = {f"{path}.table": (s.h, s.w) for path, s in _positioned(made_for)} if made_for else {}
    loaded, misfits = dict[str, Tensor](), list[str]()
    check_tensors(
        {key: theirs[key] for key in said.learned.values()}, {key: own[ours] for ours, key in said.learned.items()}
    )
    for ours, key in said.learned.items():
        tensor = said.ours(ours, theirs[key], network)
        if ours.endswith(".table"):
            tensor = _layer(network, ours).carried(tensor, grids.get(ours, grid))  # type: ignore[operator]
        if tensor.shape != own[ours].shape:
            misfits.append(f"{key} is {tuple(tensor.shape)}, {ours} is {tuple(own[ours].shape)}")
        loaded[ours] = tensor
    for ours, key in said.computed.items():
        if key in theirs and (problem := _disagrees(_position(network, ours), theirs[key], key)):
            misfits.append(problem)
    if misfits:
        raise WeightError(
            f"{len(misfits)} tensors of this checkpoint do not fit {network.arch.name}:\n  "
            + "\n  ".join(sorted(misfits))
        )
    network.load_state_dict(loaded)
    return said.source


def _positioned(arch: Architecture) -> Iterator[tuple[str, Tokens]]:
    for path, op, s in ops(arch):
        if isinstance(op, LearnedPosition):
            assert isinstance(s, Tokens)
            yield path, s


def export(network: Network, source: Source) -> dict[str, Tensor]:
    """A network's weights under a source's names; WeightError where the source has no name for some of them."""
    if (said := names(network, source)) is None:
        raise WeightError(f"{source.name} has no names for the weights of {network.arch.name}")
    own = network.state_dict()
    tables = {key: _position(network, ours).table for ours, key in said.computed.items()}
    return {key: said.theirs(ours, own[ours], network) for ours, key in said.learned.items()} | tables


def _disagrees(layer: Position, theirs: Tensor, key: str) -> str | None:
    """A computed table is the same function at every length, so the rows that both have must agree."""
    if theirs.ndim != 3 or theirs.shape[2] != layer.table.shape[2]:
        return f"{key} is {tuple(theirs.shape)}, and the network's is {tuple(layer.table.shape)}"
    rows = min(layer.table.shape[1], theirs.shape[1])
    if torch.allclose(layer.table[:, :rows].double(), theirs[:, :rows].double(), rtol=0, atol=1e-5):
        return None
    return f"{key} is not the sinusoid; a learned table? The authors' code makes one in its CCT and CVT named _sine"


def _position(network: Network, key: str) -> Position:
    layer = _layer(network, key)
    assert isinstance(layer, Position)
    return layer


def _layer(network: Network, key: str) -> nn.Module:
    """The layer whose key it is; for one inside an Attention, the Attention."""
    layer = network.get_submodule(path := key.rpartition(".")[0])
    return network.get_submodule(path.rpartition(".")[0]) if path.endswith((".qkv", ".project")) else layer
