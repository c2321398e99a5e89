"""The catalogue of named architectures: every published name, and the patterns that the families read beyond them.

A name is looked up here and built by its family's `named`; nothing is registered by being imported.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from types import ModuleType

from glocal import design
from glocal.design import Architecture, Word
from glocal.errors import ArchitectureError
from glocal.families import compact, convmixer, vit

FAMILIES: dict[str, ModuleType] = {"compact": compact, "convmixer": convmixer, "vit": vit}
WORDS: tuple[type[Word], ...] = (compact.CompactLayer, convmixer.ConvMixerLayer, vit.TransformerLayer)


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a wildcard pattern such as "cct*", in alphabetical order with numbers by size."""
    return sorted((name for name in _names() if fnmatchcase(name, pattern)), key=_natural)


def architecture(name: str) -> Architecture:
    """The architecture of a name: ours, timm's or the authors'. ArchitectureError suggests the nearest known ones."""
    for family in FAMILIES.values():
        if (arch := family.named(name)) is not None:
            return arch
    near = get_close_matches(name, list(_names()), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`glocal models` lists them."
    raise ArchitectureError(f"no architecture is called {name!r}; {hint}")


def vocabulary() -> dict[str, type]:
    """Every word and op by name: what the text of an architecture may speak of."""
    spoken = [getattr(design, name) for name in design.__all__]
    return {cls.__name__: cls for cls in (*spoken, *WORDS) if isinstance(cls, type)}


def _names() -> Iterator[str]:
    for family in FAMILIES.values():
        yield from family.NAMES


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.replace("x", "_").split("_")]
