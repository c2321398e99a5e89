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
    train_size: Count | tuple[Count, Count] | None = None  # of the training pictures; None: that of all
    drop_path: Share | None = None  # None: the architecture's
    attention_dropout: Share | None = None  # None: the architecture's
    head_init_scale: Positive = 1.0  # factor on the first values of a classifier that no file filled

    epochs: Count = 30
    cooldown_epochs: Annotated[int, Field(ge=0)] = 0  # after `epochs`, at the last learning rate
    batch_size: Count = 128  # pictures a step
    accumulate: Count = 1  # parts that a batch is computed in, one after the other
    repeats: Count = 1  # times that each picture drawn for an epoch is shown in it, augmented anew
    sampling: Literal["natural", "balanced"] = "natural"  # each picture once an epoch, or each class equally often
    seed: Annotated[int, Field(ge=0)] = 0

    opt: Literal["adamw", "sgd", "momentum", "lamb", "muon"] = "adamw"  # sgd: with Nesterov's momentum, as in timm
    lr: Positive = 1e-3  # the peak
    fallback_lr_scale: Positive = 1.0  # Muon: rate of the weights that AdamW steps, over lr
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0  # rate of a group of layers, over that of the group above
    weight_decay: NotNegative = 0.05
    weight_decay_end: NotNegative | None = None  # reached along a half cosine over the epochs; None: constant
    decay_exempt: Literal["vectors and positions", "vectors", "norms", "nothing"] = "vectors and positions"
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Positive = 1e-8
    momentum: Share = 0.9
    clip_grad: Positive | None = None  # norm of all gradients together

    sched: Literal[
        "cosine",
        "linspace_cosine",
        "epoch_cosine",
        "timm_cosine",
        "deit_cosine",
        "harmonic_cosine",
        "timm_step",
        "triangle",
        "linear",
        "constant",
    ] = "cosine"
    warmup_epochs: NotNegative = 0
    warmup_steps: Annotated[int, Field(ge=0)] = 0  # a warm-up told in steps, in place of one in epochs
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
    auto_augment: str = ""  # timm's RandAugment or AutoAugment string, "cifar10" (AutoAugment) or "ta_wide"
    color_jitter: NotNegative = 0.0
    reprob: Chance = 0.0  # random erasing
    remode: Literal["pixel", "const", "rand"] = "pixel"
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    mixup_prob: Chance = 1.0
    mixup_switch_prob: Chance = 0.5
    mixup_off_epoch: Annotated[int, Field(ge=0)] = 0  # 0: never off
    smoothing: Share = 0.0
    loss: Literal["cross_entropy", "sigmoid"] = "cross_entropy"  # sigmoid: a yes or no for each class
    class_weights: Literal["none", "balanced"] = "none"  # balanced: a class counts the more, the rarer it is

    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bicubic"
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 1.0
    aspect: Literal["crop", "squash"] = "crop"  # the picture's, and what is over is cut; or bent to the network's
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[Positive, ...] = IMAGENET_STD

    ema: Share = 0.0  # decay of the averaged weights; 0: none
    judged: Literal["average", "weights"] = "average"  # which of the two are evaluated and kept
    amp: Literal["auto", "bf16", "off"] = "auto"

    model_from: Literal["recipe", "weights"] = "recipe"  # where model, picture size and normalisation come from
    frozen_epochs: Annotated[int, Field(ge=0)] | Literal["all"] = 0  # in which the classifier alone learns
    unfreeze_every: Annotated[int, Field(ge=0)] = 0  # epochs, then, from one stage learning to one more; 0: all at once
    teacher: str = ""  # weights of any source, timm:NAME or timm:NAME@FILE
    distillation: Literal["hard", "soft"] = "hard"  # the teacher's answer as a label, or all its probabilities
    distillation_alpha: Chance | None = None  # the teacher's share of the loss; None: DeiT's 0.5 hard, 0.1 soft
    distillation_tau: Positive = 3.0  # what both logits are divided by

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
        if recipe.warmup_epochs and recipe.warmup_steps:
            raise RecipeError(
                f"a warm-up of {recipe.warmup_epochs:g} epochs and one of {recipe.warmup_steps:,} steps: "
                "give one, and 0 for the other (--warmup-epochs 0, or --set warmup_steps=0)"
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
            size=size,
            crop_pct=self.crop_pct,
            interpolation=self.interpolation,
            mean=self.mean,
            std=self.std,
            aspect=self.aspect,
        )

    def training_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the training pictures of a network that is evaluated at `size`."""
        told = self.train_size
        return size if told is None else (told, told) if isinstance(told, int) else told

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
    "betas": (lambda r: r.opt in ("adamw", "lamb", "muon"), "--opt adamw, lamb or muon"),
    "eps": (lambda r: r.opt in ("adamw", "lamb"), "--opt adamw or lamb"),
    "momentum": (lambda r: r.opt in ("sgd", "momentum", "muon"), "--opt sgd, momentum or muon"),
    "fallback_lr_scale": (lambda r: r.opt == "muon", "--opt muon"),
    "warmup_epochs": (lambda r: r.sched != "triangle", "a schedule with a warm-up; triangle rises by itself"),
    "warmup_steps": (
        lambda r: r.sched in ("cosine", "linspace_cosine", "linear", "constant"),
        "a schedule that is set every step: cosine, linspace_cosine, linear or constant",
    ),
    "warmup_lr": (
        lambda r: (r.warmup_epochs > 0 or r.warmup_steps > 0) and r.sched != "harmonic_cosine",
        "--warmup-epochs above 0",
    ),
    "min_lr": (
        lambda r: r.sched == "linear" or (r.sched.endswith("cosine") and r.sched != "harmonic_cosine"),
        "a cosine schedule that is not harmonic_cosine, or linear",
    ),
    "scale": (lambda r: r.crop == "random_resized", "crop random_resized"),
    "ratio": (lambda r: r.crop == "random_resized", "crop random_resized"),
    "pad": (lambda r: r.crop == "pad", "crop pad"),
    "remode": (lambda r: r.reprob > 0, "--reprob above 0"),
    "mixup_prob": (lambda r: r.mixes, "--mixup or --cutmix above 0"),
    "mixup_switch_prob": (lambda r: r.mixup > 0 and r.cutmix > 0, "--mixup and --cutmix above 0"),
    "mixup_off_epoch": (lambda r: r.mixes, "--mixup or --cutmix above 0"),
    "judged": (lambda r: r.ema > 0, "--ema above 0"),
    "unfreeze_every": (lambda r: r.frozen_epochs != "all", "a number of frozen_epochs"),
    "distillation": (lambda r: bool(r.teacher), "a teacher"),
    "distillation_alpha": (lambda r: bool(r.teacher), "a teacher"),
    "distillation_tau": (lambda r: bool(r.teacher) and r.distillation == "soft", "a teacher and distillation soft"),
}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parsed(value: Any) -> Any:
    """Text as YAML divides it, so that (1, 2), [1, 2] and null mean what they say."""
    if not isinstance(value, str):
        return value
    if value.startswith("("):
        value = "[" + value.strip("()") + "]"
    # Scalars stay text for pydantic to read by the type of the setting: YAML would make 8 of 010, 90 of 1:30, true of yes.
    parsed = yaml.load(value, Loader=yaml.BaseLoader) if value else value
    if isinstance(parsed, list):
        return [_parsed(v) for v in parsed]
    return None if parsed in ("null", "~") else parsed


def _explained(problem: Any) -> str:
    name = str(problem["loc"][0])
    return f"{_flag(name)} {problem['input']}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
