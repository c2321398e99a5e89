"""A map of a network's positions in the coordinates of the picture itself, and as a picture with its heat over it."""

from io import BytesIO

import numpy as np
from PIL import Image

from glocal.data.batches.preprocess import Preprocess, crop_corner, scaled_size

_OPACITY = 0.55  # of the heat where it is highest
_DIM = 0.35  # brightness of what the network does not see


def on_picture(values: np.ndarray, shape: tuple[int, int], preprocess: Preprocess) -> np.ndarray:
    """A map (h, w) of positions as float32 of the picture's own shape (height, width); NaN where the network does not see.

    The positions divide the network's input evenly; between their centres values are interpolated linearly. The geometry
    is that of `Preprocess`, reversed: crop, then scale.
    """
    scaled = scaled_size(shape, preprocess.size, crop_pct=preprocess.crop_pct, aspect=preprocess.aspect)
    corner = crop_corner(scaled, preprocess.size)
    rows, columns = (_positions(shape[i], scaled[i], corner[i], preprocess.size[i], values.shape[i]) for i in range(2))
    found = _between(_between(values, rows, axis=0), columns, axis=1)
    found[np.isnan(rows)], found[:, np.isnan(columns)] = np.nan, np.nan
    return found.astype(np.float32)


def _positions(pixels: int, scaled: int, corner: int, size: int, n: int) -> np.ndarray:
    """Where the centres of a side's pixels lie among n positions, as fractional indices; NaN outside of the crop."""
    inside = (np.arange(pixels) + 0.5) * scaled / pixels - corner
    return np.where((inside >= 0) & (inside <= size), inside * n / size - 0.5, np.nan)


def _between(values: np.ndarray, at: np.ndarray, *, axis: int) -> np.ndarray:
    last = values.shape[axis] - 1
    place = np.nan_to_num(at).clip(0, last)
    low = np.floor(place).astype(int).clip(0, max(0, last - 1))
    weight = (place - low).reshape([-1 if i == axis else 1 for i in range(2)])
    between: np.ndarray = values.take(low, axis) * (1 - weight) + values.take(np.minimum(low + 1, last), axis) * weight
    return between


def heat(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A picture, uint8 (h, w, 3), under the heat of a map of its shape, uint8; what the network does not see is dark."""
    from matplotlib import colormaps

    seen = ~np.isnan(values)
    shares = scaled_to_one(values)
    colours = colormaps["inferno"](shares)[:, :, :3] * 255
    opacity = (_OPACITY * shares**0.5)[:, :, None]
    grey = picture.astype(np.float64).mean(2, keepdims=True) * 0.6 + picture * 0.4
    mixed = np.where(seen[:, :, None], grey * (1 - opacity) + colours * opacity, picture * _DIM)
    return mixed.round().clip(0, 255).astype(np.uint8)


def scaled_to_one(values: np.ndarray) -> np.ndarray:
    """Values from 0, the lowest, to 1, the highest; NaN and maps that are everywhere the same become 0."""
    low, high = np.nanmin(values), np.nanmax(values)
    return np.nan_to_num((values - low) / (high - low)) if high > low else np.zeros_like(values)


def png(pixels: np.ndarray) -> bytes:
    """The bytes of a PNG of uint8 (h, w, 3)."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()
