"""The settings of a run: which value is used, where it came from, and the errors that are found before a picture is read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glocal.design import Architecture, RelativeAttention
from glocal.design.cost import ops
from glocal.errors import RecipeError
from glocal.files import file_bytes, parse_yaml, reason_of
from glocal.net.pyramid import reads_one_size
from glocal.recipes import recipe as named_recipe
from glocal.recipes.schema import Recipe
from glocal.weights import AnyArchitecture, find_architecture, find_weights
from glocal.weights.networks.any_network import adapt_any, has_one_size
from glocal.weights.networks.timm_architecture import weights_file, without_file
from glocal.weights.pretrained import pretrained_settings


@dataclass(frozen=True)
class Request:
    """The settings that were requested: a recipe by name or value, a run.yaml over it, and single settings over both.

    origin: where the single settings come from, for run.yaml: "command line" or "call".
    """

    recipe: str | Recipe | None = None
    config: str | Path | None = None
    settings: Mapping[str, Any] | None = None
    origin: str = "call"

    @property
    def single(self) -> dict[str, Any]:
        """The single settings."""
        return dict(self.settings or {})

    def configured(self) -> dict[str, Any]:
        """The settings of the run.yaml."""
        return read_config(self.config) if self.config else {}

    def weights(self) -> str | None:
        """The weights to start from: those of the single settings, the run.yaml or the recipe, in this order; `timm:NAME@FILE` as
        the model names them too."""
        named = named_recipe(self.recipe) if isinstance(self.recipe, str) else self.recipe or Recipe()
        found = named.merged(self.configured()).merged(self.single)
        if weights_file(found.model) is None:
            return found.weights
        if found.weights not in (None, found.model):
            raise RecipeError(
                f"--model {found.model} names weights, and --weights {found.weights} others; give one of them"
            )
        return found.model


def run_architecture(recipe: Recipe, *, classes: int | None) -> AnyArchitecture:
    """The architecture of a recipe at its picture size, for a number of classes; ArchitectureError or ShapeError."""
    return adapt_any(
        find_architecture(recipe.model),
        classes=classes,
        channels=len(recipe.mean),
        size=recipe.img_size,
        drop_path=recipe.drop_path,
        attention_dropout=recipe.attention_dropout,
    )


def check_early(request: Request) -> Recipe:
    """The recipe as far as it is known before the pictures are read. Raises the errors of names, values and files in it."""
    named = named_recipe(request.recipe) if isinstance(request.recipe, str) else request.recipe or Recipe()
    weights = request.weights()
    if weights is not None:
        find_weights(weights)
    recipe = with_pretrained_settings(named, weights, given=request.single)
    recipe = _without_file(recipe.merged(request.configured()).merged(request.single))
    _check_train_size(recipe, run_architecture(recipe, classes=None))
    return recipe


def _check_train_size(recipe: Recipe, arch: AnyArchitecture) -> None:
    """RecipeError for training pictures of another size, where the network reads only one."""
    _, h, w = arch.image
    H, W = recipe.training_size((h, w))
    adapt_any(arch, size=(H, W))
    if (h, w) != (H, W) and _has_positions(arch):
        raise RecipeError(
            f"train_size {H}x{W}: {arch.name} has positions for pictures of {h}x{w} and reads no others; "
            "choose a network without positions, or --set train_size=null"
        )


def _has_positions(arch: AnyArchitecture) -> bool:
    """Whether the network has values for the positions of one picture size."""
    if not isinstance(arch, Architecture):
        return has_one_size(arch)
    return reads_one_size(arch) or any(isinstance(op, RelativeAttention) for _, op, _ in ops(arch))


def resolve(request: Request, *, suggested: str) -> tuple[Recipe, dict[str, str]]:
    """The settings of a run, and where each of them came from. `suggested`: the recipe to use where none is requested."""
    recipe = request.recipe or suggested
    named = named_recipe(recipe) if isinstance(recipe, str) else recipe
    weights, configured, single = request.weights(), request.configured(), request.single
    base = with_pretrained_settings(named, weights, given=single)
    resolved = _without_file(base.merged(configured).but(single))
    label, plain = f"recipe {recipe}" if isinstance(recipe, str) else "recipe", Recipe()
    origins = {k: label if getattr(named, k) != getattr(plain, k) else "default" for k in Recipe.model_fields}
    origins |= {k: f"weights {weights}" for k in Recipe.model_fields if getattr(base, k) != getattr(named, k)}
    origins |= dict.fromkeys(configured, f"config {request.config}") | dict.fromkeys(single, request.origin)
    return resolved, origins


def _without_file(recipe: Recipe) -> Recipe:
    """The recipe with the network alone as `model`, where that names a file of weights too; they are then its `weights`."""
    if weights_file(recipe.model) is None:
        return recipe
    return recipe.merged({"model": without_file(recipe.model), "weights": recipe.model})


def with_pretrained_settings(recipe: Recipe, weights: str | None, *, given: Collection[str] = ()) -> Recipe:
    """A recipe whose `model_from` is "weights", with the model, size and normalisation of the weights; any other unchanged, but
    for the normalisation of `timm:NAME@FILE`.

    given: names of the settings that will override the recipe. RecipeError where there are no weights, or where neither they
    nor `given` name the model; WeightError where the weights are not found.
    """
    if recipe.model_from == "recipe":
        if weights is None or weights_file(weights) is None:
            return recipe
        of_pictures = {k: v for k, v in pretrained_settings(weights).items() if k not in ("model", "img_size")}
        return recipe.merged({**of_pictures, "weights": weights})
    if weights is None:
        raise RecipeError(
            "this recipe starts from weights; name them: --weights FILE, RUN, URL, hf:OWNER/REPO or timm:NAME"
        )
    pretrained = pretrained_settings(weights)
    if not {"model"} & {*pretrained, *given}:
        raise RecipeError(f"{weights} does not say which network it is of; name it: --model NAME")
    return recipe.merged({**pretrained, "model_from": "recipe"})


def read_config(path: str | Path, section: str = "settings") -> dict[str, Any]:
    """A section of a run.yaml; RecipeError where there is none."""
    try:
        # Settings stay text, which a recipe reads by the types of its fields: YAML would read 010 as 8.
        found = parse_yaml(file_bytes(path), as_text=section == "settings")
    except (OSError, ValueError) as error:
        raise RecipeError(f"--config {path} cannot be read: {reason_of(error)}") from None
    values = found.get(section) if isinstance(found, dict) else None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise RecipeError(f"--config {path} has no section `{section}:` of names and values; a run.yaml has one")
    return values


def config_source(path: str | Path) -> str:
    """The pictures of a run.yaml; RecipeError where it names none."""
    source = read_config(path, "data").get("source")
    if not isinstance(source, str):
        raise RecipeError(f"--config {path} does not say which pictures it is for; name them: glocal train DATA")
    return source
