"""Blur: out of focus, behind frosted glass, moving sideways and moving closer."""

import math

import numpy as np
from PIL import Image
from scipy.fft import next_fast_len

from glocal.comparing.corruptions.picture import Floats, Strength, blurred, places, sampled


def defocus_blur(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Every point becomes a disc, as in a lens that is out of focus."""
    least = 0.6  # pixels; a smaller disc would lie within one pixel and do nothing
    return convolved(x, disc(math.hypot(strength.length((3, 4, 6, 8, 10)), least)))


def disc(radius: float, *, finer: int = 9) -> Floats:
    """A disc as a kernel; a pixel at its edge weighs what the disc covers of it."""
    reach = math.ceil(radius + 0.5)
    fine = (np.arange((2 * reach + 1) * finer) + 0.5) / finer - reach - 0.5
    inside = np.hypot(fine[:, None], fine[None, :]) <= radius
    covered: Floats = inside.reshape(2 * reach + 1, finer, 2 * reach + 1, finer).mean((1, 3))
    normal: Floats = covered / covered.sum()
    return normal


def glass_blur(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Frosted glass: a little blur, then every pixel shows another one nearby, then blur again."""
    sigma, reach = strength.length((0.7, 0.9, 1, 1.1, 1.5)), strength.length((1.5, 2.5, 3.5, 5, 7))
    shift = random.uniform(-1, 1, (2, *x.shape[:2]))
    rows, columns = places(x)
    glass = sampled(blurred(x, sigma), rows + reach * shift[0], columns + reach * shift[1])
    return blurred(glass, sigma)


def motion_blur(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """The camera moves along a line within 45 degrees of level, and light fades along the way."""
    return motion_streaks(x, strength.length((5, 8, 11, 14, 18)), random.uniform(-45, 45))


def motion_streaks(x: Floats, sigma: float, degrees: float) -> Floats:
    """A picture (h, w, c) that is smeared along a line in one direction, over about `sigma` pixels."""
    return convolved(x, streak(sigma, math.radians(degrees)))


def streak(sigma: float, angle: float) -> Floats:
    """A line from the middle in one direction, whose weight falls as a Gaussian's half does."""
    along = np.arange(0, 3 * sigma, 0.25)
    reach = math.ceil(3 * sigma) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    rows, columns = reach - along * math.sin(angle), reach + along * math.cos(angle)
    weight = np.exp(-0.5 * (along / sigma) ** 2)
    low_rows, low_columns = np.floor(rows).astype(int), np.floor(columns).astype(int)
    for down in (0, 1):
        for right in (0, 1):
            share = (1 - abs(rows - low_rows - down)) * (1 - abs(columns - low_columns - right))
            np.add.at(kernel, (low_rows + down, low_columns + right), weight * share)
    normal: Floats = kernel / kernel.sum()
    return normal


def zoom_blur(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """The camera moves closer: the mean of the picture and of ever closer views of it."""
    closest = strength.pick((1.11, 1.16, 1.21, 1.26, 1.33))
    views = [_closer(x, factor) for factor in np.linspace(1, closest, 11)]
    mean: Floats = np.mean(views, axis=0)
    return mean


def _closer(x: Floats, factor: float) -> Floats:
    """The middle of a picture, as large as the whole."""
    h, w, channels = x.shape
    left, top = w * (1 - 1 / factor) / 2, h * (1 - 1 / factor) / 2
    planes = [Image.fromarray(x[..., c].astype(np.float32)) for c in range(channels)]
    box = left, top, w - left, h - top
    return np.stack([np.asarray(p.resize((w, h), Image.Resampling.BILINEAR, box), np.float64) for p in planes], axis=-1)


def convolved(x: Floats, kernel: Floats) -> Floats:
    """A picture (h, w, c) under a square kernel of odd side, by the Fourier transform; its edges are mirrored."""
    h, w = x.shape[:2]
    side = kernel.shape[0]
    padded = np.pad(x, ((side // 2,) * 2, (side // 2,) * 2, (0, 0)), mode="symmetric")
    shape = [next_fast_len(n, real=True) for n in padded.shape[:2]]
    spectrum = np.fft.rfft2(padded, shape, axes=(0, 1)) * np.fft.rfft2(kernel, shape)[:, :, None]
    y: Floats = np.fft.irfft2(spectrum, shape, axes=(0, 1))
    return y[side - 1 : side - 1 + h, side - 1 : side - 1 + w]
