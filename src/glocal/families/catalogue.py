"""The catalogue of families: the one list of their files, and the names, words and tables that they bring.

A name is looked up here and built by its family's `named`. Nothing is registered by being imported.
"""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from glocal import design
from glocal.design import Architecture, Grid, Op, Part, Word, load
from glocal.design.plain import nests_too_deep
from glocal.design.span import reach
from glocal.errors import ArchitectureError
from glocal.families import (
    airbench,
    coatnet,
    compact,
    convmixer,
    convnext,
    glit,
    mixture,
    mobilenetv4,
    poolformer,
    resnet,
    swin,
    vit,
)
from glocal.families.family import Family
from glocal.families.variants import coatnet_timm, roadmap

# Every family, in the order in which names are looked up. A new one is named in the import above and here, nowhere else.
FAMILIES: tuple[Family, ...] = (
    airbench.FAMILY,
    coatnet.FAMILY,
    coatnet_timm.FAMILY,
    compact.FAMILY,
    convmixer.FAMILY,
    convnext.FAMILY,
    glit.FAMILY,
    mixture.FAMILY,
    mobilenetv4.FAMILY,
    poolformer.FAMILY,
    resnet.FAMILY,
    roadmap.FAMILY,
    swin.FAMILY,
    vit.FAMILY,
)


LARGEST_FILE = 1 << 18  # bytes of an architecture as YAML; the largest spaces take a tenth of it


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a wildcard pattern such as "cct*", in alphabetical order with numbers by size."""
    return sorted((name for name in _names() if fnmatchcase(name, pattern)), key=_natural)


def architecture(name: str) -> Architecture:
    """The architecture of a name (ours, timm's or the authors') or in an architecture.yaml.

    ArchitectureError suggests the nearest known names, or says what the file has wrong.
    """
    if name.startswith("timm:"):
        raise ArchitectureError(
            f"{name} is a network of timm and no member of the design space: it can be trained, evaluated, probed, timed and "
            "compared, and has no words and ops; `glocal models` lists networks that have them"
        )
    if name.endswith((".yaml", ".yml")):
        return _read(name)
    for family in FAMILIES:
        if (arch := family.named(name)) is not None:
            return arch
    near = get_close_matches(name, list(_names()), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`glocal models` lists them."
    raise ArchitectureError(f"no architecture is called {name!r}; {hint}")


def _read(path: str) -> Architecture:
    """The architecture, or space of architectures, in a YAML file; ArchitectureError with the file's name for any other bytes."""
    import yaml

    from glocal.files import file_bytes

    try:
        size = Path(path).stat().st_size
        if size > LARGEST_FILE:
            raise ArchitectureError(f"{path} has {size:,} bytes; an architecture has at most {LARGEST_FILE:,}")
        text = file_bytes(path).decode()
        if nests_too_deep(text):
            raise RecursionError
        said = yaml.safe_load(text)
    except OSError as error:
        raise ArchitectureError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ArchitectureError(f"{path} is not text in UTF-8 (at byte {error.start:,}); save it as UTF-8") from None
    except RecursionError:
        raise ArchitectureError(f"{path} nests too deep, which no architecture does") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # PyYAML lets whatever its readers of dates, numbers and tags stumble over through as it is.
        raise ArchitectureError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return described(said, path)


def described(values: Any, path: str) -> Architecture:
    """The architecture, or space of architectures, that the plain data of a file describes; ArchitectureError with the file's
    name where it describes none, or one whose parts do not fit one another."""
    arch = load(values, vocabulary(), path)
    if not isinstance(arch, Architecture):
        raise ArchitectureError(f"{path} describes no Architecture")
    try:
        reach(arch)
    except ArchitectureError as error:
        raise type(error)(f"{path}: {error}") from None
    return arch


def timm_arguments(name: str) -> Mapping[str, Any] | None:
    """What `timm.create_model` is called with for an architecture of ours; None where timm has no such network."""
    return next((family.timm[name] for family in FAMILIES if name in family.timm), None)


def published(name: str) -> tuple[float, str] | None:
    """ImageNet-1K top-1 in percent that a paper prints for an architecture trained on it alone at 224, and where."""
    return next((family.top1[name] for family in FAMILIES if name in family.top1), None)


def words() -> tuple[type[Word], ...]:
    """The words of all families."""
    return tuple(word for family in FAMILIES for word in family.words)


def vocabulary() -> dict[str, type]:
    """Every word and op by name: what the text of an architecture may speak of."""
    spoken = [getattr(design, name) for name in design.__all__]
    classes = [cls for cls in (*spoken, *words()) if isinstance(cls, type) and cls not in (Op, Part)]
    return {cls.__name__: cls for cls in classes if cls is Grid or is_dataclass(cls)}


def _names() -> Iterator[str]:
    for family in FAMILIES:
        yield from family.names


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.replace("x", "_").split("_")]
