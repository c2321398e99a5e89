"""The arms of a study, built: their networks at a scale, their recipes, and the pictures that each learns from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glocal.comparing.scaling import RULES, scaled
from glocal.comparing.study import Arm, Scale, Study
from glocal.data import Data, random_streams
from glocal.design import Architecture, Cost
from glocal.errors import ComparisonError, GlocalError
from glocal.recipes import recipe as named_recipe
from glocal.recipes.schema import Recipe
from glocal.weights import AnyArchitecture, cost_of, find_architecture
from glocal.weights.networks.any_network import adapt_any
from glocal.weights.networks.timm_architecture import weights_file, without_file
from glocal.weights.pretrained import pretrained_settings

_SUBSETS = -2  # the epoch whose order decides which pictures a smaller training set has; no training has this epoch


@dataclass(frozen=True, eq=False)
class BuiltArm:
    """An arm that can be trained. `recipe` has the seed 0; each trial has its own."""

    arm: Arm
    architecture: AnyArchitecture
    recipe: Recipe
    data: Data  # its training pictures, and the held-out pictures that all arms share

    @property
    def name(self) -> str:
        """The arm's name."""
        return self.arm.name

    def architecture_for(self, recipe: Recipe, data: Data) -> AnyArchitecture:
        """The network for another recipe and the classes of other pictures: of the first stage, in studies of transfer."""
        return _adapted(self.architecture, recipe, data)

    def first_recipe(self) -> Recipe:
        """The recipe of its first stage, on other pictures."""
        assert self.arm.pretraining
        return self.recipe.merged(self.arm.pretraining.settings)

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds of the network."""
        return cost_of(self.architecture)

    @property
    def training(self) -> tuple[Any, ...]:
        """What decides the trained weights. Arms that agree in it are trained once and evaluated each in its own way."""
        arch = self.architecture
        bare = replace(arch, name="") if isinstance(arch, Architecture) else arch
        first = None if self.arm.pretraining is None else tuple(sorted(self.arm.pretraining.settings.items()))
        return bare, self.recipe.merged({"model": ""}).model_dump_json(), self.arm.per_class, self.arm.share, first


def build_arms(
    study: Study, data: Data, *, scale: Scale = "paper", settings: Mapping[str, Any] | None = None
) -> tuple[BuiltArm, ...]:
    """Builds every arm for the classes of the data. `settings` are of the recipe, over those of the study and its arms.

    ComparisonError names the arm that cannot be built, and two arms that are the same.
    """
    if data.multi_label:
        raise ComparisonError(
            f"{data.source}: studies compare right and wrong, and these pictures may have several labels"
        )
    base = named_recipe(study.recipe).merged(study.settings)
    built = []
    for arm in study.arms:
        try:
            built.append(_build(arm, base, data, scale=scale, settings=settings or {}))
        except GlocalError as error:
            raise ComparisonError(f"{study.name}, arm {arm.name}: {error}") from error
    _check_different(study, built)
    return tuple(built)


def _build(arm: Arm, base: Recipe, data: Data, *, scale: Scale, settings: Mapping[str, Any]) -> BuiltArm:
    recipe = base.merged(_pretrained_arm(arm, scale=scale)).merged(arm.settings).merged(settings)
    recipe = recipe.merged({"epochs": max(1, round(arm.length * recipe.epochs))})
    arch = _adapted(network_of(arm, scale=scale), recipe, data)
    return BuiltArm(
        arm, arch, recipe.merged({"seed": 0}), training_subset(data, per_class=arm.per_class, share=arm.share)
    )


def _adapted(arch: AnyArchitecture, recipe: Recipe, data: Data) -> AnyArchitecture:
    """The network for the pictures of a recipe and the classes of the data."""
    return adapt_any(
        arch,
        classes=len(data.classes),
        channels=len(recipe.mean),
        size=recipe.img_size,
        drop_path=recipe.drop_path,
        attention_dropout=recipe.attention_dropout,
    )


def network_of(arm: Arm, *, scale: Scale) -> AnyArchitecture:
    """An arm's network at a scale, with the classes and the picture size that it has there by itself.

    The rule of the scales cannot make a network of timm smaller; only its pictures shrink.
    """
    model = arm.at.get(scale, arm.model)
    arch = find_architecture(model) if isinstance(model, str) else model
    if scale in arm.at or scale == "paper":
        return arch
    if isinstance(arch, Architecture):
        return scaled(arch, scale)
    return arch.adapted(size=min(arch.image.h, RULES[scale].image))


def _pretrained_arm(arm: Arm, *, scale: Scale) -> dict[str, Any]:
    """The settings of an arm `timm:NAME@FILE`: its weights, and how pictures are normalised and cropped for them."""
    model = arm.at.get(scale, arm.model)
    if not isinstance(model, str) or (file := weights_file(model)) is None:
        return {}
    of_pictures = {name: v for name, v in pretrained_settings(model).items() if name not in ("model", "img_size")}
    return {**of_pictures, "weights": f"{without_file(model)}@{file.resolve()}"}


def _check_different(study: Study, built: Sequence[BuiltArm]) -> None:
    known: dict[tuple[Any, ...], str] = {}
    for each in built:
        identity = (*each.training, each.arm.evaluation)
        if identity in known:
            raise ComparisonError(
                f"{study.name}: the arms {known[identity]} and {each.name} are the same network, trained and evaluated alike; "
                "change one of them, or leave it out"
            )
        known[identity] = each.name


def training_subset(data: Data, *, per_class: int | None, share: float) -> Data:
    """The data with fewer training pictures: of each class its share, and at most `per_class`.

    A smaller subset is part of every larger one, whatever the arm, so that arms differ in number alone.
    """
    if not 0 < share <= 1:
        raise ComparisonError(f"share {share}: give the share of the training pictures as a fraction, such as 0.1")
    if per_class is None and share == 1:
        return data
    labels = data.train.labels
    order = random_streams.order(data.seed, _SUBSETS, len(labels))
    taken = []
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        n = max(1, round(share * len(of_class)))
        taken.append(of_class[: n if per_class is None else min(n, per_class)])
    return replace(data, train=data.train.taken(np.sort(np.concatenate(taken))))
