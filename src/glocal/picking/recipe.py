"""The recipe that all candidates share, for a training of any length."""

from collections.abc import Mapping
from typing import Any

from glocal.recipes import recipe as named_recipe
from glocal.recipes import suggest
from glocal.recipes.schema import Recipe


def shared_recipe(
    source: str, typical_size: tuple[int, int], *, name: str | None = None, settings: Mapping[str, Any] | None = None
) -> Recipe:
    """The recipe of the candidates: `name`, or the one that suits the pictures and treats all families alike.

    For small pictures that is `study` and not `small`, which was chosen for one network.
    """
    suggested = suggest(source, typical_size)
    chosen = name or ("study" if suggested == "small" else suggested)
    return named_recipe(chosen).merged({"seed": 0, **(settings or {})})


def with_horizon(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe for a training of so many epochs: its warm-up keeps its share of the whole."""
    return recipe.merged({"epochs": epochs, "warmup_epochs": recipe.warmup_epochs / recipe.epochs * epochs})
