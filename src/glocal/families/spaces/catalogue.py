"""The catalogue of search spaces by name. What a space is, is in `glocal.design.space`."""

from collections.abc import Callable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from glocal.design import Architecture, questions
from glocal.errors import ArchitectureError
from glocal.families.catalogue import architecture, list_models
from glocal.families.spaces import coatnet, glit, hybrids

OWN: dict[str, Callable[[], Architecture]] = {
    "coatnet_layouts": coatnet.layouts_224,
    "coatnet_layouts_cifar": coatnet.layouts_cifar,
    "hybrid_224": hybrids.hybrid_224,
    "hybrid_cifar": hybrids.hybrid_cifar,
}
NAMES = (*glit.NAMES, *OWN)
# Spaces whose options the paper has and we do not (`glit.GROUNDS`).
INFERRED = ("glit_small_", "glit_base_")


def list_spaces(pattern: str = "*") -> list[str]:
    """Names of spaces that match a wildcard pattern such as "glit*", in alphabetical order."""
    return sorted(name for name in NAMES if fnmatchcase(name, pattern))


def space(name: str) -> Architecture:
    """The space of a name, or in an architecture.yaml; ArchitectureError suggests the nearest known names."""
    if name.endswith((".yaml", ".yml")):
        return _with_questions(architecture(name), name)
    found = OWN[name]() if name in OWN else glit.named(name)
    if found is None:
        near = get_close_matches(name, NAMES, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(list_spaces())}"
        raise ArchitectureError(f"no space is called {name!r}; {hint}")
    return found


def model_or_space(name: str) -> Architecture:
    """The architecture of a name or file; where no model is called so, the space. Errors are those of the nearer name."""
    try:
        return architecture(name)
    except ArchitectureError as error:
        try:
            return space(name)
        except ArchitectureError as other:
            near = get_close_matches(name, [*list_models(), *NAMES], n=1, cutoff=0.5)
            raise (other if near and near[0] in NAMES else error) from None


def _with_questions(arch: Architecture, path: str) -> Architecture:
    if not questions(arch):
        raise ArchitectureError(f"{path} asks nothing: put OneOf or Vary where a block or stage is to be searched")
    return arch
