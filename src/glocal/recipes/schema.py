"""`Recipe`: all settings of a training run, as one frozen, typed value. The papers' values are in `recipes.papers`.

A setting that is unknown, out of range or without effect is an error; nothing is ignored silently.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from glocal.data import Augment, Preprocess
from glocal.data.batches.preprocess import IMAGENET_MEAN, IMAGENET_STD
from glocal.errors import RecipeError
from glocal.passwords import public_url
from glocal.recipes.optimizers import OPTIMIZERS, Argument, arguments_from_text, known_optimizer, needed_for
from glocal.settings import STRICT, Flag, Help, flag_name, merge

Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Link = Annotated[str, AfterValidator(public_url)]  # a path, or a URL of which no file holds the password
Pair = tuple[Positive, Positive]
Schedule = Literal[
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
]


def _side_or_sides(value: Any) -> Any:
    """ "192x256" as (height, width) in pixels."""
    if not isinstance(value, str) or value.isdigit():
        return value
    if not (sides := re.fullmatch(r"(\d+)x(\d+)", value)):
        raise ValueError("give a side in pixels (224), or height x width (192x256)")
    return int(sides[1]), int(sides[2])


Size = Annotated[Count | tuple[Count, Count], BeforeValidator(_side_or_sides)]


class Recipe(BaseModel):
    """Everything that decides the weights of a run, except the pictures and the rounding of the machine."""

    model_config = STRICT

    model: Annotated[str, Flag("A name from `glocal models`, an architecture.yaml, or timm:NAME[@FILE].")] = (
        "cct_2_3x2_32"
    )
    img_size: Annotated[Size | None, Flag("Pixels: 224, or 192x256 (height x width).")] = None
    train_size: Annotated[Size | None, Help("Pixels of the training pictures; null: those of img_size.")] = None
    drop_path: Annotated[Share | None, Flag("Stochastic depth of the last block.")] = None
    attention_dropout: Annotated[Share | None, Help("Dropout of attention weights; null: the architecture's.")] = None
    head_init_scale: Annotated[
        Positive, Help("Factor on the initial values of a classifier that is not loaded from a file.")
    ] = 1.0

    epochs: Annotated[Count, Flag("Passes over the training pictures.")] = 30
    cooldown_epochs: Annotated[int, Field(ge=0), Help("Epochs after `epochs`, at the last learning rate.")] = 0
    batch_size: Annotated[Count, Flag("Pictures a step.")] = 128
    accumulate: Annotated[Count, Help("Parts in which a batch is computed, one after the other.")] = 1
    repeats: Annotated[
        Count, Help("Times that each picture is shown in an epoch, augmented differently (repeated augmentation).")
    ] = 1
    sampling: Annotated[
        Literal["natural", "balanced"], Help("Each picture once an epoch, or each class equally often.")
    ] = "natural"
    seed: Annotated[int, Field(ge=0), Flag("Seed of the split, the initial weights and all random numbers.")] = 0

    opt: Annotated[
        str,
        AfterValidator(known_optimizer),
        Flag(f"Optimiser: {', '.join(OPTIMIZERS)}, or timm:NAME for any of timm's."),
    ] = "adamw"
    opt_args: Annotated[
        dict[str, Argument],
        BeforeValidator(arguments_from_text),
        Help("Other arguments of the optimiser, by name: '{caution: true}'."),
    ] = {}
    lr: Annotated[Positive, Flag("Peak learning rate.")] = 1e-3
    fallback_lr_scale: Annotated[
        Positive, Help("Muon: learning rate of the parameters that AdamW updates, over lr.")
    ] = 1.0
    layer_decay: Annotated[
        float, Field(gt=0, le=1), Flag("Learning rate of a group of layers over that of the group above.")
    ] = 1.0
    weight_decay: Annotated[NotNegative, Flag("Weight decay.")] = 0.05
    weight_decay_end: Annotated[
        NotNegative | None, Help("Weight decay at the end, reached along a half cosine; null: constant.")
    ] = None
    decay_exempt: Annotated[
        Literal["vectors and positions", "vectors", "norms", "nothing"],
        Help("Which parameters weight decay leaves out."),
    ] = "vectors and positions"
    betas: Annotated[tuple[Share, Share], Help("Decay rates of the moments of AdamW, LAMB and Muon.")] = (0.9, 0.999)
    eps: Annotated[Positive, Help("Added to the denominator of AdamW and LAMB.")] = 1e-8
    momentum: Annotated[Share, Help("Momentum of SGD and Muon.")] = 0.9
    clip_grad: Annotated[Positive | None, Flag("Largest norm of the gradients.")] = None

    sched: Annotated[Schedule, Help("Schedule of the learning rate (docs/recipes/README.md).")] = "cosine"
    warmup_epochs: Annotated[NotNegative, Flag("Epochs in which the learning rate rises.")] = 0
    warmup_steps: Annotated[int, Field(ge=0), Help("Warm-up in steps, in place of one in epochs.")] = 0
    warmup_lr: Annotated[NotNegative, Help("Learning rate at the first step of the warm-up.")] = 0.0
    min_lr: Annotated[NotNegative, Help("Lowest learning rate of the schedule.")] = 0.0
    restarts: Annotated[
        tuple[Count, ...], Help("Epochs at which the schedule starts again, with a fresh optimiser (warm restarts).")
    ] = ()

    crop: Annotated[Literal["random_resized", "pad", "none"], Help("How a training picture is cropped.")] = (
        "random_resized"
    )
    scale: Annotated[Pair, Help("Random resized crop: smallest and largest share of the picture's area.")] = (0.08, 1.0)
    ratio: Annotated[Pair, Help("Random resized crop: smallest and largest ratio of width to height.")] = (3 / 4, 4 / 3)
    pad: Annotated[Count, Help('Crop "pad": pixels added on each side.')] = 4
    train_interpolation: Annotated[
        Literal["random", "bilinear", "bicubic"], Help("How training pictures are resized.")
    ] = "random"
    hflip: Annotated[Chance, Help("Probability of a horizontal flip.")] = 0.5
    rotate: Annotated[NotNegative, Help("Largest rotation, degrees.")] = 0.0
    shift: Annotated[Share, Help("Largest shift, as a share of the side.")] = 0.0
    auto_augment: Annotated[
        str, Help('timm\'s RandAugment or AutoAugment string, "cifar10" (AutoAugment) or "ta_wide".')
    ] = ""
    color_jitter: Annotated[NotNegative, Help("Strength of colour jitter.")] = 0.0
    reprob: Annotated[Chance, Help("Probability of random erasing.")] = 0.0
    remode: Annotated[Literal["pixel", "const", "rand"], Help("What random erasing fills with.")] = "pixel"
    mixup: Annotated[NotNegative, Flag("Alpha of mixup; 0 is off.")] = 0.0
    cutmix: Annotated[NotNegative, Flag("Alpha of CutMix; 0 is off.")] = 0.0
    mixup_prob: Annotated[Chance, Help("Probability that a batch is mixed.")] = 1.0
    mixup_switch_prob: Annotated[Chance, Help("Probability of CutMix where both are on.")] = 0.5
    mixup_off_epoch: Annotated[
        int, Field(ge=0), Help("Epoch from which no pictures are mixed; 0: mixing never ends.")
    ] = 0
    smoothing: Annotated[Share, Flag("Label smoothing.")] = 0.0
    loss: Annotated[
        Literal["cross_entropy", "sigmoid"], Flag("Loss: one class for each picture, or a yes or no for each class.")
    ] = "cross_entropy"
    class_weights: Annotated[Literal["none", "balanced"], Help("Whether rarer classes weigh more in the loss.")] = (
        "none"
    )

    interpolation: Annotated[
        Literal["bilinear", "bicubic", "nearest"], Help("How pictures are resized in validation and prediction.")
    ] = "bicubic"
    crop_pct: Annotated[float, Field(gt=0, le=1), Help("Share of the resized picture that the centre crop keeps.")] = (
        1.0
    )
    aspect: Annotated[Literal["crop", "squash"], Help("Keep the aspect ratio and crop, or squash to the size.")] = (
        "crop"
    )
    mean: Annotated[tuple[float, ...], Help("Mean of each channel that pictures are normalised by.")] = IMAGENET_MEAN
    std: Annotated[
        tuple[Positive, ...], Help("Standard deviation of each channel that pictures are normalised by.")
    ] = IMAGENET_STD

    ema: Annotated[Share, Flag("Decay of the exponential moving average of the weights; 0 is off.")] = 0.0
    evaluated: Annotated[
        Literal["average", "weights"], Help("Which weights are validated and saved where --ema averages them.")
    ] = "average"
    amp: Annotated[Literal["auto", "bf16", "off"], Flag("bf16 where the hardware has it (auto), always, or off.")] = (
        "auto"
    )
    layout: Annotated[
        Literal["plain", "channels_last", "measured"],
        Help("How pictures lie in memory; measured: the faster one of a step, which run.yaml then names."),
    ] = "plain"

    weights: Annotated[
        Link | None,
        Flag("Weights to start from: a file, a run's folder, a URL, hf:OWNER/REPO/FILE, timm:NAME or timm:NAME@FILE."),
    ] = None
    head_rows: Annotated[str | None, Flag("File that lists the rows of their classifier to use for our classes.")] = (
        None
    )
    model_from: Annotated[
        Literal["recipe", "weights"], Help("Where model, picture size and normalisation come from.")
    ] = "recipe"
    frozen_epochs: Annotated[
        Annotated[int, Field(ge=0)] | Literal["all"], Help("Epochs in which only the classifier learns, or all.")
    ] = 0
    unfreeze_every: Annotated[
        int, Field(ge=0), Help("Epochs after which one more stage learns, from the top; 0: all learn at once.")
    ] = 0
    teacher: Annotated[
        Link, Flag("Network whose predictions the run learns from: a run, a file, or timm:NAME@FILE.")
    ] = ""
    distillation: Annotated[
        Literal["hard", "soft"], Help("The teacher's prediction as a label, or all its probabilities.")
    ] = "hard"
    distillation_alpha: Annotated[
        Chance | None, Help("Share of the loss that the teacher has; null: DeiT's 0.5 for hard, 0.1 for soft.")
    ] = None
    distillation_tau: Annotated[Positive, Help("Temperature that the logits of both networks are divided by.")] = 3.0

    @property
    def total_epochs(self) -> int:
        """Epochs with the epochs of the cooldown."""
        return self.epochs + self.cooldown_epochs

    def but(self, changes: Mapping[str, Any]) -> "Recipe":
        """This recipe with other values; RecipeError also where one of them would have no effect."""
        recipe = self.merged(changes)
        for name in changes:
            needed = needed_for(name, recipe.opt)
            if name in _NEEDS and not _NEEDS[name][0](recipe):
                needed = _NEEDS[name][1]
            if needed:
                raise RecipeError(f"{flag_name(Recipe, name)} has no effect here: it needs {needed}")
        return recipe

    def merged(self, changes: Mapping[str, Any]) -> "Recipe":
        """This recipe with other values, as Python values or as text. RecipeError says what is wrong."""
        recipe = merge(self, changes)
        recipe.check()
        return recipe

    def check(self) -> None:
        """RecipeError for settings that contradict each other."""
        if len(self.mean) != len(self.std):
            raise RecipeError(f"mean has {len(self.mean)} channels and std {len(self.std)}")
        if self.mixes and self.batch_size % 2:
            raise RecipeError(f"--batch-size {self.batch_size}: mixup and CutMix pair the pictures, so it must be even")
        if self.warmup_epochs and self.warmup_steps:
            raise RecipeError(
                f"a warm-up of {self.warmup_epochs:g} epochs and one of {self.warmup_steps:,} steps: "
                "give one, and 0 for the other (--warmup-epochs 0, or --set warmup_steps=0)"
            )
        for first, end in pairwise((0, *self.restarts, self.total_epochs)):
            if end - first <= self.cooldown_epochs:
                raise RecipeError(
                    f"--set restarts={self.restarts}: each schedule must have an epoch besides its cooldown of "
                    f"{self.cooldown_epochs} epochs, and that from epoch {first} to epoch {end} has none"
                )
        if self.accumulate > self.batch_size:
            raise RecipeError(f"--accumulate {self.accumulate} is more than the {self.batch_size} pictures of a batch")

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
        train_size = self.train_size
        if train_size is None:
            return size
        return (train_size, train_size) if isinstance(train_size, int) else train_size

    def augment(self) -> Augment:
        """How each training picture is augmented."""
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


# Settings that have no effect unless another one has a certain value: the condition, and the words for it.
_NEEDS: dict[str, tuple[Callable[[Recipe], bool], str]] = {
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
    "evaluated": (lambda r: r.ema > 0, "--ema above 0"),
    "head_rows": (lambda r: r.weights is not None, "--weights"),
    "unfreeze_every": (lambda r: r.frozen_epochs != "all", "a number of frozen_epochs"),
    "distillation": (lambda r: bool(r.teacher), "a teacher"),
    "distillation_alpha": (lambda r: bool(r.teacher), "a teacher"),
    "distillation_tau": (lambda r: bool(r.teacher) and r.distillation == "soft", "a teacher and distillation soft"),
}
