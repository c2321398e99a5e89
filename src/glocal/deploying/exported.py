"""An exported file, loaded: class names, preprocessing, and the probabilities of pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glocal.data.batches.preprocess import Preprocess, covered, in_channels
from glocal.data.pictures import to_rgb
from glocal.deploying.about import About, read_about
from glocal.deploying.runtimes import SUFFIXES, Run, open_file
from glocal.errors import DataError, RunError
from glocal.files import reason_of

if TYPE_CHECKING:
    from PIL import Image

NAME = "model"  # of the file in the folder that `glocal export` writes


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """A file of `glocal export` in its runtime, ready to predict on the processor."""

    path: Path
    about: About
    run: Run  # uint8 (batch, height, width, 3) -> float32 (batch, classes)

    @property
    def file(self) -> Path:
        """The file, by the name that `evaluation.predict` has for it."""
        return self.path

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the probabilities."""
        return self.about.classes

    @property
    def multi_label(self) -> bool:
        """Whether each probability stands for itself, because a picture may be of several classes or of none."""
        return self.about.multi_label

    @property
    def temperature(self) -> float:
        """What the file divides the logits by, so that probabilities are calibrated."""
        return self.about.temperature

    @property
    def preprocess(self) -> Preprocess:
        """How the file prepares a picture."""
        return self.about.recipe

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 1 or 3) -> uint8 (height, width, 3): the picture resized by Pillow, of one size for all pictures.

        The file finds nothing left to resize, and gives the very pixels to the network that the run was evaluated with. Use it to
        put pictures of different sizes into one batch.
        """
        how = self.preprocess
        picture = in_channels(picture, how.channels)
        pixels = _covering(picture, how) if self.about.resizes else how.resize(picture).transpose(1, 2, 0)
        return np.ascontiguousarray(in_channels(pixels, 3))

    def probabilities(self, pictures: "np.ndarray | Sequence[Image.Image | np.ndarray]") -> np.ndarray:
        """Probabilities of all classes, float32 (n, classes).

        pictures: a batch uint8 (n, h, w, 3), resized by the file itself where it can; or a list of pictures of any sizes, of
        Pillow or uint8 (h, w, 1 or 3), resized by Pillow. DataError for anything else, RunError where the file is damaged.
        """
        if isinstance(pictures, np.ndarray):
            batch = self._checked(pictures)
        elif not pictures:
            return np.zeros((0, len(self.classes)), np.float32)
        else:
            batch = np.stack([self.resize(_pixels(picture)) for picture in pictures])
        try:
            found = self.run(batch)
        except Exception as error:  # each runtime raises its own
            raise RunError(f"{self.path} cannot be computed: {reason_of(error)}") from None
        if found.shape != (len(batch), len(self.classes)) or not np.isfinite(found).all():
            raise RunError(f"{self.path} is damaged: it does not give a finite probability for each class")
        return found

    def _checked(self, batch: np.ndarray) -> np.ndarray:
        size = self.preprocess.size
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[3] != 3:
            raise DataError(
                f"{self.path} reads uint8 (batch, height, width, 3), not {batch.dtype} {batch.shape}; a list of pictures may "
                "hold other sizes and grey"
            )
        if not self.about.resizes and batch.shape[1:3] != size:
            raise DataError(f"{self.path} reads pictures of {size[0]} x {size[1]}, not {batch.shape[1:3]}; give a list")
        return np.ascontiguousarray(batch)


def _covering(picture: np.ndarray, how: Preprocess) -> np.ndarray:
    """The picture resized to cover `size / crop_pct`, and cut to that so that the middle of it, which the file takes, is the
    middle of the whole, which `Preprocess` takes."""
    pixels = covered(picture, how.size, crop_pct=how.crop_pct, interpolation=how.interpolation, aspect=how.aspect)
    for axis, side in enumerate(how.size):
        large = math.floor(side / how.crop_pct)
        first = round((pixels.shape[axis] - side) / 2) - round((large - side) / 2)
        pixels = pixels.take(range(first, first + large), axis)
    return pixels


def _pixels(picture: "Image.Image | np.ndarray") -> np.ndarray:
    if isinstance(picture, np.ndarray):
        return picture if picture.ndim == 3 else picture[:, :, None]
    return to_rgb(picture)


def find_exported(path: str | Path) -> Path | None:
    """The exported file that is meant by its own path or by its folder; None where there is none."""
    path = Path(path)
    if path.suffix in SUFFIXES and path.is_file():
        return path
    found = [file for suffix in SUFFIXES if (file := path / f"{NAME}{suffix}").is_file()]
    return found[0] if found else None


def load_exported(path: str | Path, *, threads: int | None = None) -> ExportedModel:
    """Loads a file of `glocal export`, or the one in a folder that it wrote. threads: of the runtime; None for one a core.

    RunError where there is none, where glocal did not write it, or where its runtime is not installed.
    """
    if (file := find_exported(path)) is None:
        names = ", ".join(f"{NAME}{suffix}" for suffix in SUFFIXES)
        raise RunError(f"{path} is no exported file, and no folder with one ({names}); `glocal export RUN` writes one")
    about = read_about(file)
    return ExportedModel(file, about, open_file(file, threads=threads, bf16=about.precision == "bf16"))
