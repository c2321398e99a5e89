"""What all corruptions share: their type, their strengths, and how a picture is sampled between its pixels."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.float64]


class Strength(NamedTuple):
    """How strong a corruption is. level: the severity from 0. size: the picture's side over ImageNet-C's 224 pixels."""

    level: int
    size: float

    def pick(self, values: Sequence[float]) -> float:
        """The value of this severity, whatever the size."""
        return values[self.level]

    def length(self, pixels: Sequence[float]) -> float:
        """A length given for pictures of 224 pixels, in pixels of this one."""
        return self.size * pixels[self.level]

    def amplitude(self, values: Sequence[float]) -> float:
        """An amplitude of noise, times the square root of the size.

        A pixel of a smaller picture shows more of the scene, so equal noise hides more of it; noise that was averaged along
        with the pixels, on the other hand, would be divided by the whole factor. The square root is between the two.
        """
        return float(np.sqrt(self.size)) * values[self.level]


Corruption = Callable[[Floats, Strength, np.random.Generator], Floats]
"""(picture (h, w, c) in 0 to 1, strength, random numbers) -> a corrupted picture, which may leave 0 to 1."""


def blurred(x: Floats, sigma: float) -> Floats:
    """A picture (h, w, c) or a field (h, w) under a Gaussian; its edges are mirrored."""
    y: Floats = gaussian_filter(x, (sigma, sigma, 0)[: x.ndim], mode="reflect")
    return y


def sampled(x: Floats, rows: Floats, columns: Floats) -> Floats:
    """The picture (h, w, c) at places (h, w) between its pixels, bilinear; beyond its edges it is mirrored."""
    planes = [map_coordinates(x[..., c], (rows, columns), order=1, mode="reflect") for c in range(x.shape[2])]
    return np.stack(planes, axis=-1)


def places(x: Floats) -> tuple[Floats, Floats]:
    """The row and the column of every pixel, (h, w) each."""
    rows, columns = np.mgrid[: x.shape[0], : x.shape[1]].astype(np.float64)
    return rows, columns


def smooth_field(shape: tuple[int, int], sigma: float, random: np.random.Generator) -> Floats:
    """A smooth random field (h, w) of mean 0 and standard deviation 1, whose hills are about `sigma` pixels wide."""
    field = blurred(random.standard_normal(shape), sigma)
    field -= field.mean()
    return field / max(float(field.std()), 1e-12)


def fractal(shape: tuple[int, int], roughness: float, random: np.random.Generator) -> Floats:
    """A fractal field (h, w) in 0 to 1, like clouds: noise whose amplitude falls with frequency to the power of `roughness`."""
    h, w = shape
    across, down = np.fft.rfftfreq(w)[None, :], np.fft.fftfreq(h)[:, None]
    frequency = np.hypot(across, down)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(random.standard_normal(shape)) / frequency**roughness
    field: Floats = np.fft.irfft2(spectrum, shape)
    low, high = float(field.min()), float(field.max())
    return (field - low) / max(high - low, 1e-12)
