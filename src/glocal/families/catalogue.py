"""The catalogue of named architectures: every published name, and the patterns that the families read beyond them.

A name is looked up here and built by its family's `named`; nothing is registered by being imported.
"""

from collections.abc import Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

from glocal import design
from glocal.design import Architecture, Grid, Op, Part, Word, load
from glocal.errors import ArchitectureError
from glocal.families import (
    airbench,
    coatnet,
    coatnet_timm,
    compact,
    convmixer,
    convnext,
    glit,
    mixture,
    resnet,
    roadmap,
    vit,
)

FAMILIES: dict[str, ModuleType] = {
    "airbench": airbench,
    "coatnet": coatnet,
    "coatnet_timm": coatnet_timm,
    "compact": compact,
    "convmixer": convmixer,
    "convnext": convnext,
    "glit": glit,
    "resnet": resnet,
    "roadmap": roadmap,
    "vit": vit,
}
WORDS: tuple[type[Word], ...] = (
    airbench.ConvGroup,
    coatnet.MBConv,
    coatnet.RelativeTransformer,
    coatnet_timm.ConvNeXtRW,
    coatnet_timm.EarlyMBConvRW,
    coatnet_timm.MBConvRW,
    coatnet_timm.TransformerRW,
    compact.CompactLayer,
    convmixer.ConvMixerLayer,
    convnext.ConvNeXtBlock,
    convnext.Downsample,
    glit.GLiTBlock,
    glit.GLiTGridBlock,
    glit.GLiTAreaBlock,
    mixture.ToGrid,
    mixture.ToTokens,
    resnet.ResidualBlock,
    vit.TransformerLayer,
)


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a wildcard pattern such as "cct*", in alphabetical order with numbers by size."""
    return sorted((name for name in _names() if fnmatchcase(name, pattern)), key=_natural)


def architecture(name: str) -> Architecture:
    """The architecture of a name (ours, timm's or the authors') or in an architecture.yaml.

    ArchitectureError suggests the nearest known names, or says what the file has wrong.
    """
    if name.endswith((".yaml", ".yml")):
        return _read(name)
    for family in FAMILIES.values():
        if (arch := family.named(name)) is not None:
            return arch
    near = get_close_matches(name, list(_names()), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`glocal models` lists them."
    raise ArchitectureError(f"no architecture is called {name!r}; {hint}")


def _read(path: str) -> Architecture:
    import yaml

    try:
        arch = load(yaml.safe_load(Path(path).read_text()), vocabulary(), path)
    except (OSError, yaml.YAMLError) as error:
        raise ArchitectureError(f"{path} cannot be read: {error}") from None
    if not isinstance(arch, Architecture):
        raise ArchitectureError(f"{path} describes no Architecture")
    return arch


def timm_arguments(name: str) -> dict[str, Any] | None:
    """What `timm.create_model` is called with for an architecture of ours; None where timm has no such network."""
    return next((family.TIMM[name] for family in FAMILIES.values() if name in family.TIMM), None)


def published(name: str) -> tuple[float, str] | None:
    """ImageNet-1K top-1 in percent that a paper prints for an architecture trained on it alone at 224, and where."""
    return next((family.TOP1[name] for family in FAMILIES.values() if name in family.TOP1), None)


def vocabulary() -> dict[str, type]:
    """Every word and op by name: what the text of an architecture may speak of."""
    spoken = [getattr(design, name) for name in design.__all__]
    classes = [cls for cls in (*spoken, *WORDS) if isinstance(cls, type) and cls not in (Op, Part)]
    return {cls.__name__: cls for cls in classes if cls is Grid or is_dataclass(cls)}


def _names() -> Iterator[str]:
    for family in FAMILIES.values():
        yield from family.NAMES


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.replace("x", "_").split("_")]
