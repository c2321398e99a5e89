"""Starting from weights that exist: what they say of the run to come, and the verb fine_tune. Freezing is in `freezing`."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from glocal.data import Preprocess
from glocal.design import adapt, load
from glocal.errors import ArchitectureError, RecipeError
from glocal.families import architecture, vocabulary
from glocal.training.recipe import Recipe
from glocal.weights import Loaded, find_weights
from glocal.weights.files import read
from glocal.weights.find import timm_card

if TYPE_CHECKING:
    from glocal.training.run import Run

_READING = ("mean", "std", "interpolation", "crop_pct", "aspect")


def settled(recipe: Recipe, weights: str | Path | None, *, given: Collection[str] = ()) -> Recipe:
    """A recipe whose `model_from` is "weights", with what these say: model, picture size, normalisation; others as they are.

    given: names of the settings that will be put over it. RecipeError where there are no weights, or where they do not say
    their model and nobody else does; WeightError where they are not found.
    """
    if recipe.model_from == "recipe":
        return recipe
    if weights is None:
        raise RecipeError(
            "this recipe starts from weights; name them: --weights FILE, RUN, URL, hf:OWNER/REPO or timm:NAME"
        )
    told = told_by(weights)
    if not {"model"} & {*told, *given}:
        raise RecipeError(f"{weights} does not say of which network it is; name it: --model NAME")
    return recipe.merged({**told, "model_from": "recipe"})


def told_by(weights: str | Path) -> dict[str, Any]:
    """The settings of `Recipe` that weights of any source imply: their model, and how it reads pictures. Empty for a file
    that says neither."""
    if str(weights).startswith("timm:"):
        card = timm_card(str(weights).removeprefix("timm:"))
        return {"model": card.architecture, "img_size": tuple(card.preprocess["size"]), **_reading(card.preprocess)}
    file = find_weights(weights)
    meta = read(file).meta
    found = _reading(meta.get("preprocess") or {})
    if said := meta.get("architecture"):
        arch = load(said, vocabulary())
        found |= {"img_size": (arch.image.h, arch.image.w)}
        try:
            named = adapt(architecture(arch.name), classes=0, attention_dropout=0.0)
        except ArchitectureError:
            named = None
        bare = adapt(arch, classes=0, attention_dropout=0.0)
        described = file.parent.parent / "architecture.yaml"
        if named and (named.stem, named.stages, named.head) == (bare.stem, bare.stages, bare.head):
            found |= {"model": arch.name}
        elif described.is_file():
            found |= {"model": str(described.resolve())}
    return found


def _reading(preprocess: Mapping[str, Any]) -> dict[str, Any]:
    return {name: preprocess[name] for name in _READING if name in preprocess}


def misread(loaded: Loaded, preprocess: Preprocess) -> str:
    """A sentence where pictures will be normalised otherwise than the weights learned them; empty where alike or unknown."""
    theirs = loaded.preprocess or {}
    other = [name for name in ("mean", "std") if name in theirs and tuple(theirs[name]) != getattr(preprocess, name)]
    said = ", ".join(f"{name} {tuple(theirs[name])}, here {getattr(preprocess, name)}" for name in other)
    return f"the weights learned pictures normalised by another {said}" if other else ""


def fine_tune(
    source: str | Path,
    *,
    weights: str | Path,
    recipe: str | Recipe = "fine_tune",
    settings: Mapping[str, Any] | None = None,
    output: str | Path = "runs/train",
    name: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    console: Console | None = None,
) -> "Run":
    """Trains on from weights of any source (`find_weights`), by a recipe that takes the model from them; returns the run.

    recipe "linear_probe" trains the classifier alone. All else as in `train`, whose errors it raises.
    """
    from glocal.training.run import train  # which takes `settled` from here

    return train(
        source,
        recipe=recipe,
        settings=settings,
        weights=weights,
        output=output,
        name=name,
        device=device,
        workers=workers,
        console=console,
    )
