"""Noise: of a sensor, of few photons, and of broken pixels. The values are ImageNet-C's for 224 pixels."""

import numpy as np

from glocal.comparing.corruptions.picture import Floats, Strength


def gaussian_noise(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Normal noise on every channel of every pixel."""
    return x + strength.amplitude((0.08, 0.12, 0.18, 0.26, 0.38)) * random.standard_normal(x.shape)


def shot_noise(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Light counted in photons: of a bright pixel so many, of others their share."""
    amplitude = strength.amplitude([photons**-0.5 for photons in (60, 25, 12, 5, 3)])
    photons = amplitude**-2
    counts: Floats = random.poisson(x * photons) / photons
    return counts


def impulse_noise(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Single values that are black or white, equally often."""
    share = min(1.0, strength.amplitude((0.03, 0.06, 0.09, 0.17, 0.27)))
    broken, white = random.random(x.shape) < share, random.random(x.shape) < 0.5
    return np.where(broken, white.astype(np.float64), x)
