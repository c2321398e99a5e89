"""Search spaces by name."""

from glocal.families.spaces.catalogue import INFERRED, list_spaces, model_or_space, space
from glocal.families.spaces.glit import Hierarchy, hierarchy

__all__ = ["INFERRED", "Hierarchy", "hierarchy", "list_spaces", "model_or_space", "space"]
