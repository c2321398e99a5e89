"""The fifteen corruptions of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261), on pictures of any size.

The code is our own. Lengths follow the picture's size, because a blur of ten pixels is mild at 224 pixels and destroys a picture
of 32; docs/studies.md says how each strength is chosen. Frost is a procedural texture in place of the authors' photographs.
"""

import zlib
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from glocal.comparing.corruptions import blur, digital, noise, weather
from glocal.comparing.corruptions.picture import Corruption, Floats, Strength
from glocal.data import Preprocess
from glocal.errors import ComparisonError

CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic": digital.elastic,
    "pixelate": digital.pixelate,
    "jpeg": digital.jpeg,
}
SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(picture: np.ndarray, name: str, *, severity: int, seed: int) -> np.ndarray:
    """A corrupted copy of a picture: uint8 (h, w, 1 or 3) -> the same shape. Equal arguments give equal pixels.

    All severities of a seed have the same random pattern, so that they differ in strength alone. ComparisonError for an
    unknown name or severity.
    """
    corruption = _known(name, severity)
    key = np.array([seed % 2**64, zlib.crc32(name.encode())], dtype=np.uint64)
    random = np.random.Generator(np.random.Philox(key=key))
    size = float(np.sqrt(picture.shape[0] * picture.shape[1])) / 224
    x: Floats = picture.astype(np.float64) / 255
    y = corruption(x, Strength(severity - 1, size), random)
    return np.rint(255 * np.clip(y, 0, 1)).astype(np.uint8)


def _known(name: str, severity: int) -> Corruption:
    if name not in CORRUPTIONS:
        near = get_close_matches(name, CORRUPTIONS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(CORRUPTIONS)}"
        raise ComparisonError(f"no corruption is called {name!r}; {hint}")
    if severity not in SEVERITIES:
        raise ComparisonError(f"severity {severity}: give 1 (mild) to 5 (severe)")
    return CORRUPTIONS[name]


@dataclass(frozen=True)
class Corrupted:
    """The evaluation transform of one picture, which is resized as in evaluation and then corrupted."""

    preprocess: Preprocess
    name: str
    severity: int
    threadsafe = True

    def __post_init__(self) -> None:
        """ComparisonError for an unknown corruption or severity."""
        _known(self.name, self.severity)

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """(h, w, c) uint8 -> (c, H, W) uint8."""
        resized = self.preprocess.resize(picture).transpose(1, 2, 0)
        return corrupt(resized, self.name, severity=self.severity, seed=seed).transpose(2, 0, 1).copy()
