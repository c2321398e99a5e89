"""What a training run is told: one frozen, typed value. The papers' values stand in `recipes`, the loop that obeys in `loop`.

A setting that is unknown, out of range or without effect is an error; nothing is ignored in silence.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glocal.data import Augment, Preprocess
from glocal.data.preprocess import IMAGENET_MEAN, IMAGENET_STD
from glocal.errors import RecipeError

Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Pair = tuple[Positive, Positive]


class Recipe(BaseModel):
    """Everything that decides the weights, but for the pictures and the seed of the machine's arithmetic."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = "cct_2_3x2_32"
    img_size: Count | tuple[Count, Count] | None = None  # pixels, a side or (height, width); None: the architecture's
    drop_path: Share | None = None  # None: the architecture's
    attention_dropout: Share | None = None  # None: the architecture's

    epochs: Count = 30
    cooldown_epochs: Annotated[int, Field(ge=0)] = 0  # after `epochs`, at the last learning rate
    batch_size: Count = 128  # pictures a step
    accumulate: Count = 1  # parts that a batch is computed in, one after the other
    seed: Annotated[int, Field(ge=0)] = 0

    opt: Literal["adamw", "sgd", "muon"] = "adamw"
    lr: Positive = 1e-3  # the peak
    fallback_lr_scale: Positive = 1.0  # Muon: rate of the weights that AdamW steps, over lr
    weight_decay: NotNegative = 0.05
    decay_exempt: Literal["vectors and positions", "vectors", "nothing"] = "vectors and positions"
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Positive = 1e-8
    momentum: Share = 0.9
    clip_grad: Positive | None = None  # norm of all gradients together

    sched: Literal["cosine", "timm_cosine", "timm_step", "harmonic_cosine", "triangle"] = "cosine"
    warmup_epochs: NotNegative = 0
    warmup_lr: NotNegative = 0.0
    min_lr: NotNegative = 0.0

    crop: Literal["random_resized", "pad", "none"] = "random_resized"
    scale: Pair = (0.08, 1.0)  # share of the picture's area
    ratio: Pair = (3 / 4, 4 / 3)  # width over height
    pad: Count = 4  # pixels
    train_interpolation: Literal["random", "bilinear", "bicubic"] = "random"
    hflip: Chance = 0.5
    rotate: NotNegative = 0.0  # degrees
    shift: Share = 0.0  # share of the side
    auto_augment: str = ""  # timm's RandAugment string, or "cifar10" (AutoAugment)
    color_jitter: NotNegative = 0.0
    reprob: Chance = 0.0  # random erasing
    remode: Literal["pixel", "const", "rand"] = "pixel"
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    mixup_prob: Chance = 1.0
    mixup_switch_prob: Chance = 0.5
    mixup_off_epoch: Annotated[int, Field(ge=0)] = 0  # 0: never off
    smoothing: Share = 0.0

    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bicubic"
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 1.0
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[Positive, ...] = IMAGENET_STD

    ema: Share = 0.0  # decay of the averaged weights, which are then the ones evaluated and kept; 0: none
    amp: Literal["auto", "bf16", "off"] = "auto"

    @property
    def total_epochs(self) -> int:
        """Epochs with those of the cooldown."""
        return self.epochs + self.cooldown_epochs

    def but(self, changes: Mapping[str, Any]) -> "Recipe":
        """This recipe with other values; RecipeError also where one of them would have no effect."""
        recipe = self.merged(changes)
        for name in changes:
            if name in _NEEDS and not _NEEDS[name][0](recipe):
                raise RecipeError(f"{_flag(name)} has no effect here: it needs {_NEEDS[name][1]}")
        return recipe

    def merged(self, changes: Mapping[str, Any]) -> "Recipe":
        """This recipe with values that were written down, as Python values or as text. RecipeError says what is wrong."""
        for name in changes:
            if name not in Recipe.model_fields:
                near = get_close_matches(name, Recipe.model_fields, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(Recipe.model_fields)}"
                raise RecipeError(f"a recipe has no setting {name!r}; {hint}")
        try:
            values = {name: _parsed(value) for name, value in changes.items()}
            recipe = Recipe.model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            raise RecipeError("; ".join(_explained(problem) for problem in error.errors())) from None
        if len(recipe.mean) != len(recipe.std):
            raise RecipeError(f"mean has {len(recipe.mean)} channels and std {len(recipe.std)}")
        if recipe.mixes and recipe.batch_size % 2:
            raise RecipeError(
                f"--batch-size {recipe.batch_size}: mixup and CutMix pair the pictures, so it must be even"
            )
        if recipe.accumulate > recipe.batch_size:
            raise RecipeError(
                f"--accumulate {recipe.accumulate} is more than the {recipe.batch_size} pictures of a batch"
            )
        return recipe

    @property
    def mixes(self) -> bool:
        """Whether pictures are mixed with others of their batch."""
        return self.mixup > 0 or self.cutmix > 0

    def preprocess(self, size: tuple[int, int]) -> Preprocess:
        """How a picture becomes the input of the network, in training, evaluation and prediction alike."""
        return Preprocess(
            size=size, crop_pct=self.crop_pct, interpolation=self.interpolation, mean=self.mean, std=self.std
        )

    def augment(self) -> Augment:
        """What is done to each training picture."""
        return Augment(
            crop=self.crop,
            scale=self.scale,
            ratio=self.ratio,
            pad=self.pad,
            interpolation=self.train_interpolation,
            hflip=self.hflip,
            rotate=self.rotate,
            shift=self.shift,
            auto_augment=self.auto_augment,
            color_jitter=self.color_jitter,
        )


# Settings that do nothing unless another one calls for them.
_NEEDS: dict[str, tuple[Callable[[Recipe], bool], str]] = {
    "betas": (lambda r: r.opt != "sgd", "--opt adamw or muon"),
    "eps": (lambda r: r.opt == "adamw", "--opt adamw"),
    "momentum": (lambda r: r.opt != "adamw", "--opt sgd or muon"),
    "fallback_lr_scale": (lambda r: r.opt == "muon", "--opt muon"),
    "warmup_epochs": (lambda r: r.sched != "triangle", "a schedule with a warm-up; triangle rises by itself"),
    "warmup_lr": (lambda r: r.warmup_epochs > 0 and r.sched != "harmonic_cosine", "--warmup-epochs above 0"),
    "min_lr": (lambda r: r.sched in ("cosine", "timm_cosine"), "a cosine schedule"),
    "scale": (lambda r: r.crop == "random_resized", "crop random_resized"),
    "ratio": (lambda r: r.crop == "random_resized", "crop random_resized"),
    "pad": (lambda r: r.crop == "pad", "crop pad"),
    "remode": (lambda r: r.reprob > 0, "--reprob above 0"),
    "mixup_prob": (lambda r: r.mixes, "--mixup or --cutmix above 0"),
    "mixup_switch_prob": (lambda r: r.mixup > 0 and r.cutmix > 0, "--mixup and --cutmix above 0"),
    "mixup_off_epoch": (lambda r: r.mixes, "--mixup or --cutmix above 0"),
}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parsed(value: Any) -> Any:
    """Text as YAML reads it, so that (1, 2), [1, 2] and null mean what they say; pydantic turns 5e-4 into a number."""
    if not isinstance(value, str):
        return value
    if value.startswith("("):
        value = "[" + value.strip("()") + "]"
    parsed = yaml.safe_load(value) if value else value
    return [_parsed(v) for v in parsed] if isinstance(parsed, list) else parsed


def _explained(problem: Any) -> str:
    name = str(problem["loc"][0])
    return f"{_flag(name)} {problem['input']}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
