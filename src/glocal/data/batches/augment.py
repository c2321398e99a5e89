"""What is done to one training picture, purely of it and a seed. Mixing the pictures of a batch is the loop's."""

import math
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from glocal.data.batches.preprocess import FILTERS, as_array, as_image, fit, in_channels
from glocal.data.batches.timm_parts import timm_file
from glocal.data.random_streams import Draws
from glocal.errors import DataError

ImageTransform = Callable[[Image.Image], Image.Image]
Crop = Literal["random_resized", "pad", "none"]
CIFAR10_POLICY, TRIVIAL_WIDE = "cifar10", "ta_wide"
_TIMMS = re.compile(r"(rand|original|originalr|v0|v0r|3a)(-.*)?")

_TRIES = 10  # draws of a crop before the centre is taken (torchvision, RandomResizedCrop)
_FILL = (124, 116, 104)  # ImageNet's mean, what timm fills with by default when it trains
_TRANSLATE = 0.45  # of the shorter side: timm's create_transform


@dataclass(frozen=True)
class Augment:
    """Crop, flip, turn, then RandAugment or AutoAugment, then jitter, in timm's order.

    crop: "random_resized" takes a random part of the picture, its area within `scale` and its width over height within `ratio`;
        "pad" adds `pad` black pixels on every side of the fitted picture and takes a random window; "none" fits the picture.
    interpolation: "random" is bilinear or bicubic with equal chance, drawn for every picture, as in timm.
    rotate, shift: up to so many degrees and so large a part of the side, either way, in one step; what enters is black.
    auto_augment: timm's RandAugment string, such as "rand-m9-mstd0.5-inc1", or that of an AutoAugment policy for ImageNet, such
        as "original-mstd0.5"; "cifar10" is AutoAugment's policy for CIFAR-10, "ta_wide" TrivialAugment, both torchvision's.
    color_jitter: brightness, contrast and saturation, in random order, each by a factor within 1 +- this; unlike in timm,
        also where there is an auto_augment.
    """

    crop: Crop = "random_resized"
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    pad: int = 4  # pixels
    interpolation: Literal["random", "bilinear", "bicubic"] = "random"
    hflip: float = 0.5  # chance
    rotate: float = 0.0  # degrees
    shift: float = 0.0  # share of the side
    auto_augment: str = ""
    color_jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.crop not in get_args(Crop):
            raise DataError(f"crop {self.crop!r}: possible are {', '.join(get_args(Crop))}")
        if self.interpolation not in ("random", "bilinear", "bicubic"):
            raise DataError(f"interpolation {self.interpolation!r}: possible are random, bilinear, bicubic")
        if not 0 < self.scale[0] <= self.scale[1] or not 0 < self.ratio[0] <= self.ratio[1]:
            raise DataError(f"scale {self.scale}, ratio {self.ratio}: give (low, high), both above 0")
        if not 0 <= self.hflip <= 1 or not 0 <= self.shift < 1 or self.pad < 0 or self.color_jitter < 0:
            raise DataError(f"hflip, shift, pad or color_jitter out of range: {self}")
        if self.auto_augment not in ("", CIFAR10_POLICY, TRIVIAL_WIDE) and not _TIMMS.fullmatch(self.auto_augment):
            raise DataError(
                f"auto_augment {self.auto_augment!r}: possible are {CIFAR10_POLICY}, {TRIVIAL_WIDE} and timm's rand-..., "
                "original, originalr, v0, v0r and 3a"
            )

    @property
    def threadsafe(self) -> bool:
        """Whether pictures may be augmented by several threads at once: timm's and torchvision's policies draw from the global
        generators, which threads share."""
        return not self.auto_augment

    def apply(self, picture: np.ndarray, *, size: tuple[int, int], seed: int, channels: int) -> np.ndarray:
        """uint8 (h, w, 1 or 3) -> uint8 (channels, *size). The same picture and seed give the same bytes in any process."""
        draws = Draws(seed)
        picture = self._cropped(in_channels(picture, channels), size, draws)
        if self.hflip and draws.uniform() < self.hflip:
            picture = picture[:, ::-1]
        if self.rotate or self.shift:
            picture = self._moved(picture, draws)
        if self.auto_augment:
            picture = _auto_augmented(picture, self.auto_augment, interpolation=self.interpolation, seed=draws.word())
        if self.color_jitter:
            picture = _jittered(picture, self.color_jitter, draws)
        return picture.transpose(2, 0, 1).copy()

    def _cropped(self, picture: np.ndarray, size: tuple[int, int], draws: Draws) -> np.ndarray:
        """(h, w, c) -> (*size, c)."""
        if self.crop == "random_resized":
            top, left, h, w = self._window(picture.shape[0], picture.shape[1], draws)
            return _scaled(picture[top : top + h, left : left + w], size, interpolation=self._method(draws))
        if picture.shape[:2] != size:
            picture = fit(picture, size, interpolation=self._method(draws)).transpose(1, 2, 0)
        if self.crop == "none" or not self.pad:
            return picture
        (H, W), p = size, self.pad
        top, left = draws.below(2 * p + 1), draws.below(2 * p + 1)
        padded = np.zeros((H + 2 * p, W + 2 * p, picture.shape[2]), np.uint8)
        padded[p : p + H, p : p + W] = picture
        return padded[top : top + H, left : left + W]

    def _method(self, draws: Draws) -> str:
        return self.interpolation if self.interpolation != "random" else ("bilinear", "bicubic")[draws.below(2)]

    def _window(self, h: int, w: int, draws: Draws) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random part (torchvision, RandomResizedCrop)."""
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        for _ in range(_TRIES):
            area = h * w * draws.uniform(*self.scale)
            ratio = math.exp(draws.uniform(low, high))
            height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < height <= h and 0 < width <= w:
                return draws.below(h - height + 1), draws.below(w - width + 1), height, width
        height, width = h, w  # the largest centre with a permitted ratio
        if w / h < self.ratio[0]:
            height = min(h, max(1, round(w / self.ratio[0])))
        elif w / h > self.ratio[1]:
            width = min(w, max(1, round(h * self.ratio[1])))
        return (h - height) // 2, (w - width) // 2, height, width

    def _moved(self, picture: np.ndarray, draws: Draws) -> np.ndarray:
        """Turned about the centre and shifted, with bilinear interpolation."""
        h, w = picture.shape[:2]
        angle = math.radians(draws.uniform(-self.rotate, self.rotate))
        down, right = (draws.uniform(-self.shift, self.shift) * side for side in (h, w))
        cos, sin, y, x = math.cos(angle), math.sin(angle), h / 2, w / 2
        # Pillow asks where each pixel comes from: (x, y) -> (a x + b y + c, d x + e y + f).
        matrix = (
            cos,
            sin,
            x - cos * (x + right) - sin * (y + down),
            -sin,
            cos,
            y + sin * (x + right) - cos * (y + down),
        )
        image = as_image(np.ascontiguousarray(picture))
        return as_array(image.transform((w, h), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def _scaled(picture: np.ndarray, size: tuple[int, int], *, interpolation: str) -> np.ndarray:
    """(h, w, c) -> (*size, c) with antialiasing, by torch: in a third of Pillow's time, and from it by a grey level at most
    in a twentieth of the values (decisions/0003), the same with any number of threads."""
    import torch
    from torch.nn.functional import interpolate

    x_BCHW = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]  # of a read-only view torch warns
    return interpolate(x_BCHW, size, mode=interpolation, antialias=True)[0].permute(1, 2, 0).numpy()


def _jittered(picture: np.ndarray, strength: float, draws: Draws) -> np.ndarray:
    image = as_image(np.ascontiguousarray(picture))
    kinds = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color][: 3 if picture.shape[2] == 3 else 2]
    while kinds:
        kind = kinds.pop(draws.below(len(kinds)))
        image = kind(image).enhance(draws.uniform(max(0.0, 1 - strength), 1 + strength))
    return as_array(image)


def _auto_augmented(picture: np.ndarray, policy: str, *, interpolation: str, seed: int) -> np.ndarray:
    """A policy of timm's or torchvision's, which draw from the global generators, on RGB."""
    image = as_image(np.ascontiguousarray(in_channels(picture, 3)))
    transform = _policy(policy, min(picture.shape[:2]), interpolation)
    with _global_generators(seed):
        return in_channels(as_array(transform(image)), picture.shape[2])


@lru_cache(maxsize=16)
def _policy(policy: str, side: int, interpolation: str) -> ImageTransform:
    transform: ImageTransform
    if policy == CIFAR10_POLICY:
        from torchvision.transforms import AutoAugment, AutoAugmentPolicy

        transform = AutoAugment(AutoAugmentPolicy.CIFAR10)
    elif policy == TRIVIAL_WIDE:
        from torchvision.transforms import InterpolationMode, TrivialAugmentWide

        method = "bilinear" if interpolation == "random" else interpolation  # torchvision's script has no random one
        transform = TrivialAugmentWide(interpolation=InterpolationMode(method))
    else:
        transform = _timm_policy(policy, side, interpolation)
    return transform


def _timm_policy(policy: str, side: int, interpolation: str) -> ImageTransform:
    timms = timm_file("data.auto_augment")
    settings: dict[str, Any] = {"translate_const": int(side * _TRANSLATE), "img_mean": _FILL}
    if interpolation != "random":
        settings["interpolation"] = FILTERS[interpolation]
    transform: Any
    try:
        if policy.startswith("rand"):
            transform = timms.rand_augment_transform(policy, settings)
            ops = transform.ops
        else:
            transform = timms.auto_augment_transform(policy, settings)
            ops = [op for pair in transform.policy for op in pair]
    except (AssertionError, KeyError, ValueError) as error:
        raise DataError(f"auto_augment {policy!r} is no string of timm's: {error!r}") from None
    for op in ops:
        if op.aug_fn is timms.posterize:
            op.aug_fn = _posterized
    found: ImageTransform = transform
    return found


def _posterized(image: Image.Image, bits: int, **_: object) -> Image.Image:
    """timm's op. At its full magnitude no bit is left, and the picture is black; Pillow 13 refuses that."""
    if bits >= 8:
        return image
    return ImageOps.posterize(image, bits) if bits else Image.new(image.mode, image.size)


@contextmanager
def _global_generators(seed: int) -> Iterator[None]:
    """Seeds the global generators of Python, NumPy and torch (CPU), and puts back what was there."""
    import torch

    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the accelerators, for good
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
