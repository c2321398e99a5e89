"""How a picture becomes a network's input outside training; it travels with the weights. Nothing here is random."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from PIL import Image

from glocal.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Interpolation = Literal["bilinear", "bicubic", "nearest"]
Aspect = Literal["crop", "squash"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's, which timm takes over
CIFAR10_MEAN, CIFAR10_STD = (
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
)  # timm's and Compact Transformers' configurations

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Preprocess:
    """Resize so that size / crop_pct is covered, crop the centre, normalise: timm's evaluation.

    aspect: "crop" keeps the picture's and cuts what is over; "squash" keeps all of it and bends the aspect.
    mean, std: of each channel on a scale of 0 to 1; one number each makes the network's input grey.
    """

    size: tuple[int, int]  # (h, w), pixels
    crop_pct: float = 1.0
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    aspect: Aspect = "crop"

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise DataError(f"size {self.size}: give (height, width) in pixels")
        if not 0 < self.crop_pct <= 1:
            raise DataError(f"crop_pct {self.crop_pct}: it must lie above 0 and not above 1")
        if self.interpolation not in FILTERS:
            raise DataError(f"interpolation {self.interpolation!r}: possible are {', '.join(FILTERS)}")
        if self.aspect not in get_args(Aspect):
            raise DataError(f"aspect {self.aspect!r}: possible are {', '.join(get_args(Aspect))}")
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3) or min(self.std) <= 0:
            raise DataError(f"mean {self.mean}, std {self.std}: give one or three numbers each, std above 0")

    @property
    def channels(self) -> int:
        """1 or 3."""
        return len(self.mean)

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 1 or 3) -> uint8 (channels, *size), a new array; where the size is right, the same pixels."""
        picture = in_channels(picture, self.channels)
        return fit(picture, self.size, crop_pct=self.crop_pct, interpolation=self.interpolation, aspect=self.aspect)

    def normalise(self, x_BCHW: "Tensor") -> "Tensor":
        """uint8 -> float32, on the device it is on."""
        y_BCHW = x_BCHW.float()
        # By plain numbers: a tensor of means would be copied to the device, and waited for, in every step.
        for c, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            y_BCHW[:, c].sub_(255 * mean).div_(255 * std)
        return y_BCHW

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Preprocess":
        """The inverse of `to_json`. DataError for a key that is unknown or missing, or a value out of range."""
        known = {field.name for field in fields(cls)}
        wrong = ", ".join(sorted(values.keys() ^ known))
        if wrong:
            raise DataError(f"preprocessing with unknown or missing keys: {wrong}; all are {', '.join(sorted(known))}")
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**settings)


def in_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    """(h, w, 1 or 3) -> (h, w, channels): grey is repeated, colours are weighed by ITU-R 601, as Pillow's mode L does."""
    if picture.shape[2] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=2)
    return np.asarray(Image.fromarray(picture).convert("L"))[:, :, None]


def fit(
    picture: np.ndarray,
    size: tuple[int, int],
    *,
    crop_pct: float = 1.0,
    interpolation: str = "bicubic",
    aspect: Aspect = "crop",
) -> np.ndarray:
    """uint8 (h, w, c) -> uint8 (c, *size), by the geometry of `Preprocess`."""
    picture = covered(picture, size, crop_pct=crop_pct, interpolation=interpolation, aspect=aspect)
    top, left = crop_corner((picture.shape[0], picture.shape[1]), size)
    return picture[top : top + size[0], left : left + size[1]].transpose(2, 0, 1).copy()


def covered(
    picture: np.ndarray, size: tuple[int, int], *, crop_pct: float, interpolation: str, aspect: Aspect
) -> np.ndarray:
    """uint8 (h, w, c) -> (H, W, c): resized to what `fit` crops the centre of, size / crop_pct or more on one side."""
    if aspect == "crop":
        picture = _no_line(picture, _covered(size, crop_pct))
    h, w = picture.shape[:2]
    H, W = scaled_size((h, w), size, crop_pct=crop_pct, aspect=aspect)
    return picture if (h, w) == (H, W) else resized(picture, (H, W), interpolation=interpolation)


def scaled_size(shape: tuple[int, int], size: tuple[int, int], *, crop_pct: float, aspect: Aspect) -> tuple[int, int]:
    """The (h, w) to which a picture of a shape is resized before its centre is cropped."""
    (h, w), (H, W) = shape, _covered(size, crop_pct)
    if aspect == "squash":
        return H, W
    # Cover H x W with the picture's aspect; rounded down, as torchvision's Resize does.
    return (H, max(W, int(H * w / h))) if h * W <= w * H else (max(H, int(W * h / w)), W)


def crop_corner(scaled: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The top and left of the centre crop; half to even, as torchvision's CenterCrop does."""
    return round((scaled[0] - size[0]) / 2), round((scaled[1] - size[1]) / 2)


def _covered(size: tuple[int, int], crop_pct: float) -> tuple[int, int]:
    return math.floor(size[0] / crop_pct), math.floor(size[1] / crop_pct)


def _no_line(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture more than 64 times as wide, or high, as `size` is: 1 x 5,000 pixels would be scaled to
    224 x 1,120,000, only for the 224 in the middle."""
    h, w = picture.shape[:2]
    most_h, most_w = math.ceil(64 * w * size[0] / size[1]), math.ceil(64 * h * size[1] / size[0])
    top, left = max(0, h - most_h) // 2, max(0, w - most_w) // 2
    return picture[top : h - top, left : w - left]


def resized(picture: np.ndarray, size: tuple[int, int], *, interpolation: str) -> np.ndarray:
    """uint8 (h, w, c) -> (*size, c) with antialiasing, aspect or not."""
    return as_array(as_image(picture).resize(size[::-1], FILTERS[interpolation]))


def as_image(picture: np.ndarray) -> Image.Image:
    """uint8 (h, w, 1 or 3) as Pillow has it: L or RGB."""
    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def as_array(image: Image.Image) -> np.ndarray:
    """The inverse of `as_image`."""
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
