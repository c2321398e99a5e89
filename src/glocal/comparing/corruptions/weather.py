"""Weather: snow, frost, fog and bright light."""

import numpy as np

from glocal.comparing.corruptions.blur import motion_streaks
from glocal.comparing.corruptions.picture import Floats, Strength, blurred, fractal, smooth_field


def snow(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Flakes that fall slantwise, before a picture that the snow in the air makes pale."""
    flakes = smooth_field(x.shape[:2], max(0.5, 2 * strength.size), random)
    covered = strength.pick((0.03, 0.06, 0.1, 0.14, 0.18))
    flakes = np.clip(2 * (flakes - np.quantile(flakes, 1 - covered)), 0, 1)
    layer = motion_streaks(flakes[:, :, None], strength.length((6, 8, 9, 10, 12)), random.uniform(-135, -45))
    grey = x.mean(-1, keepdims=True)
    pale = strength.pick((0.12, 0.2, 0.27, 0.33, 0.4))
    changed: Floats = (1 - pale) * x + pale * np.maximum(x, 0.5 + 0.5 * grey) + 1.5 * layer
    return changed


def frost(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Ice on the window: bright crystals along the ridges of a fractal, thicker towards the edges. A procedural texture."""
    h, w = x.shape[:2]
    ridges = 1 - np.abs(2 * fractal((h, w), 1.3, random) - 1)
    crystals = blurred(ridges**6, 0.3 * strength.size) + 0.3 * fractal((h, w), 0.7, random)
    rows, columns = np.linspace(-1, 1, h)[:, None], np.linspace(-1, 1, w)[None, :]
    rim = np.clip(np.maximum(abs(rows), abs(columns)), 0.3, 1)
    ice = np.clip(crystals * rim, 0, 1)[:, :, None] * np.array([0.85, 0.93, 1.0])[-x.shape[2] :]
    keep, cover = strength.pick((0.95, 0.85, 0.76, 0.68, 0.6)), strength.pick((0.35, 0.55, 0.7, 0.85, 1.0))
    changed: Floats = keep * x + cover * ice
    return changed


def fog(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """A fractal cloud before the picture, which keeps the brightest value as it was."""
    thick = strength.pick((0.6, 0.9, 1.2, 1.5, 2.0))
    brightest = max(float(x.max()), 1e-6)
    cloud = thick * fractal(x.shape[:2], 2.0, random)[:, :, None]
    return (x + cloud) * brightest / (brightest + thick)


def brightness(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Every pixel brighter by so much, hue and saturation kept: HSV's value is the largest channel."""
    value = x.max(-1, keepdims=True)
    brighter = np.minimum(value + strength.pick((0.1, 0.2, 0.3, 0.4, 0.5)), 1)
    changed: Floats = np.where(value > 0, x * brighter / np.maximum(value, 1e-12), brighter)
    return changed
