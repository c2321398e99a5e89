"""Small pictures, the sound folder that faults are planted in, and what a fault is. The faults themselves stand in `catalogue`."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

COLOURS = {"cat": (200, 120, 60), "dog": (60, 110, 190), "bird": (90, 180, 70)}
Counts = Mapping[str, Mapping[str, int]]  # pictures of each class of each split
SOUND: Counts = {"train": {"cat": 8, "dog": 8}, "val": {"cat": 4, "dog": 4}}

named: Literal["named"] = "named"
handled: Literal["handled"] = "handled"
stopped: Literal["stopped"] = "stopped"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with a folder of pictures, and what has to come of it.

    plant: puts it into an empty folder; returns the pixels a reader must see at `probe`, where there is a probe.
    verdict: named: trained on, and told by its path; handled: trained on by a stated rule; stopped: told, nothing trained.
    says: a regular expression that is found in what `check` says, and in what `train` says or writes to data.json.
    counts: the pictures that training must use: what tells a reader that lost or mislabelled some.
    benign: a trainer that reads these pictures and labels right need not say a word.
    powerless: needs a user whom file permissions bind.
    source: what glocal is given, below the folder; the folder itself where it is empty.
    """

    name: str
    plant: Callable[[Path], np.ndarray | None]
    verdict: Literal["named", "handled", "stopped"]
    says: str
    counts: Counts | None = None
    benign: bool = False
    probe: str | None = None
    powerless: bool = False
    source: str = ""

    def __str__(self) -> str:
        return self.name


def picture(name: str, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Smooth texture, uint8 (*size, 3), that depends on the name alone, in the colour of the class that stands in the name."""
    rng = np.random.default_rng(zlib.crc32(name.encode(errors="surrogateescape")))
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    texture = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC), dtype=np.float32)
    colour = next((rgb for word, rgb in COLOURS.items() if word in name), (128, 128, 128))
    return np.clip(0.6 * texture + 0.4 * np.array(colour), 0, 255).astype(np.uint8)


def save(root: Path, path: str, image: Image.Image | np.ndarray | None = None, **options: Any) -> Path:
    """Writes a picture (by default the one of its path) below `root`."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    image = picture(path) if image is None else image
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, **options)
    return file


def sow(root: Path, counts: Counts = SOUND, *, suffix: str = "png") -> Path:
    """A folder root/SPLIT/CLASS/NUMBER.png; a split called "" makes a flat one."""
    for split, of_split in counts.items():
        for name, n in of_split.items():
            for i in range(n):
                save(root, f"{split}/{name}/{i}.{suffix}".lstrip("/"))
    return root


def but(**changes: Mapping[str, int]) -> Counts:
    """The sound counts with other numbers for some classes."""
    return {split: {**of_split, **changes.get(split, {})} for split, of_split in SOUND.items()}
