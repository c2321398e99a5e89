"""The settings of a run: where each comes from, and what is wrong with them before a picture is read. Values are `recipe`'s."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from glocal.design import Architecture, RelativeAttention, adapt
from glocal.design.cost import ops
from glocal.errors import RecipeError
from glocal.families import architecture
from glocal.net.pyramid import reads_one_size
from glocal.training.recipe import Recipe
from glocal.training.recipes import recipe as named_recipe
from glocal.training.transfer import settled
from glocal.weights import find_weights


def network_of(recipe: Recipe, *, classes: int | None) -> Architecture:
    """The recipe's architecture, at its size and rates, for as many classes; ArchitectureError or ShapeError."""
    return adapt(
        architecture(recipe.model),
        classes=classes,
        channels=len(recipe.mean),
        size=recipe.img_size,
        drop_path=recipe.drop_path,
        attention_dropout=recipe.attention_dropout,
    )


def check_early(
    recipe: str | Recipe | None,
    *,
    config: str | Path | None,
    settings: Mapping[str, Any],
    weights: str | Path | None,
) -> Recipe:
    """Finds what is misspelt, missing or does not fit before the pictures are read, and settles the seed of the split."""
    told = named_recipe(recipe) if isinstance(recipe, str) else recipe or Recipe()
    if weights is not None:
        find_weights(weights)
    told = settled(told, weights, given=settings).merged(read_config(config) if config else {}).merged(settings)
    _check_train_size(told, network_of(told, classes=None))
    return told


def _check_train_size(recipe: Recipe, arch: Architecture) -> None:
    """Refuses training pictures of another size for a network that reads one alone."""
    _, h, w = arch.image
    H, W = recipe.training_size((h, w))
    adapt(arch, size=(H, W))
    if (h, w) != (H, W) and (reads_one_size(arch) or any(isinstance(op, RelativeAttention) for _, op, _ in ops(arch))):
        raise RecipeError(
            f"train_size {H}x{W}: {arch.name} has positions for pictures of {h}x{w} and reads no others; "
            "take a network without, or --set train_size=null"
        )


def resolve(
    recipe: str | Recipe,
    *,
    config: str | Path | None,
    settings: Mapping[str, Any],
    weights: str | Path | None,
    origin: str,
) -> tuple[Recipe, dict[str, str]]:
    """The settings of a run, and for each of them where it came from."""
    named = named_recipe(recipe) if isinstance(recipe, str) else recipe
    base = settled(named, weights, given=settings)
    written = read_config(config) if config else {}
    resolved = base.merged(written).but(settings)
    label, plain = f"recipe {recipe}" if isinstance(recipe, str) else "recipe", Recipe()
    origins = {k: label if getattr(named, k) != getattr(plain, k) else "default" for k in Recipe.model_fields}
    origins |= {k: f"weights {weights}" for k in Recipe.model_fields if getattr(base, k) != getattr(named, k)}
    origins |= dict.fromkeys(written, f"config {config}") | dict.fromkeys(settings, origin)
    return resolved, origins


def read_config(path: str | Path, section: str = "settings") -> dict[str, Any]:
    """A section of a run.yaml; RecipeError where there is none."""
    try:
        # As text where it holds settings, which a recipe reads by their types: YAML's own would make 8 of 010.
        loader = yaml.BaseLoader if section == "settings" else yaml.SafeLoader
        found = yaml.load(Path(path).read_text(), Loader=loader)
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"--config {path} cannot be read: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get(section), dict):
        raise RecipeError(f"--config {path} has no section `{section}:`; a run writes one to its run.yaml")
    return found[section]
