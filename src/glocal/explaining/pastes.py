"""Pictures in which the place of the object is known: a picture pasted, small, onto another one's scrambled texture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

SHARE = 0.4  # of the canvas's sides that an object has


@dataclass(frozen=True)
class Paste:
    """A canvas, uint8 (h, w, 3); the box of the object (top, left, bottom, right) in pixels; the index of its picture."""

    canvas: np.ndarray
    box: tuple[int, int, int, int]
    index: int


def make_pastes(
    pictures: Sequence[np.ndarray], n: int, *, size: tuple[int, int], seed: int, share: float = SHARE
) -> list[Paste]:
    """n canvases of a size (h, w), each with one of the pictures, uint8 (h, w, 3), shrunk to `share` of both sides.

    The background is another picture with random Fourier phases: its colours and its texture without its objects. Pictures
    are taken in turn; places are uniform; the same seed gives the same pastes.
    """
    rng = np.random.default_rng(seed)
    h, w = size
    inner = max(1, round(h * share)), max(1, round(w * share))
    pastes = []
    for i in range(n):
        index = i % len(pictures)
        other = pictures[(index + 1 + int(rng.integers(max(1, len(pictures) - 1)))) % len(pictures)]
        canvas = scrambled(_resized(other, size), rng)
        top, left = int(rng.integers(h - inner[0] + 1)), int(rng.integers(w - inner[1] + 1))
        box = top, left, top + inner[0], left + inner[1]
        canvas[box[0] : box[2], box[1] : box[3]] = _resized(pictures[index], inner)
        pastes.append(Paste(canvas, box, index))
    return pastes


def scrambled(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture with the phases of noise added to its own, the same for all channels: same shape, spectrum and mean colour."""
    spectrum = np.fft.rfft2(picture.astype(np.float64), axes=(0, 1))
    phases = np.angle(np.fft.rfft2(rng.standard_normal(picture.shape[:2])))
    phases[0, 0] = 0
    texture = np.fft.irfft2(spectrum * np.exp(1j * phases)[:, :, None], s=picture.shape[:2], axes=(0, 1))
    return texture.round().clip(0, 255).astype(np.uint8)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) -> (*size, 3), antialiased; the aspect is not kept."""
    return np.array(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BICUBIC))
