"""What is done to pictures by machines: low contrast, stretching, coarse pixels and strong compression."""

import io

import numpy as np
from PIL import Image

from glocal.comparing.corruptions.picture import Floats, Strength, places, sampled, smooth_field


def contrast(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """So much of the distance to the mean of each channel."""
    mean = x.mean((0, 1), keepdims=True)
    changed: Floats = mean + strength.pick((0.4, 0.3, 0.2, 0.1, 0.05)) * (x - mean)
    return changed


def elastic(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Pixels move along a smooth random field, as if the picture were printed on rubber."""
    h, w = x.shape[:2]
    far = strength.length((2, 3, 4.5, 6, 8))
    hills = max(1.0, 8 * strength.size)
    down, right = (far * smooth_field((h, w), hills, random) for _ in range(2))
    rows, columns = places(x)
    return sampled(x, rows + down, columns + right)


def pixelate(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """The picture at a lower resolution, its pixels enlarged to squares."""
    h, w, channels = x.shape
    block = 1 + np.sqrt(strength.size) * (strength.pick((1.67, 2, 2.5, 3.33, 4)) - 1)
    small = max(1, round(w / block)), max(1, round(h / block))
    planes = [Image.fromarray(x[..., c].astype(np.float32)) for c in range(channels)]
    coarse = [p.resize(small, Image.Resampling.BOX).resize((w, h), Image.Resampling.NEAREST) for p in planes]
    return np.stack([np.asarray(p, np.float64) for p in coarse], axis=-1)


def jpeg(x: Floats, strength: Strength, random: np.random.Generator) -> Floats:
    """Saved as a JPEG of low quality. Its blocks are 8 pixels at any size, so that smaller pictures get a higher quality."""
    quality = strength.pick((25, 18, 15, 10, 7)) / np.sqrt(strength.size)
    pixels = np.rint(255 * x).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if x.shape[2] == 1 else pixels).save(
        file, "JPEG", quality=int(np.clip(quality, 1, 95))
    )
    with Image.open(file) as image:
        return np.asarray(image, np.float64).reshape(x.shape) / 255
