"""What explanations give back: of pictures, and of whole networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glocal.explaining.checks import Checks
from glocal.explaining.networks.measures import HeadDistances, ReceptiveField

MEANINGS = {
    "Mean attention distance": "A dot for each head: the distance between a patch and what it attends to, weighed by the "
    "attention (ViT, Figure 7). The dashed line is the distance of a head that attends equally everywhere.",
    "Effective receptive field": "The gradient of the middle position of a place with regard to the input, at the end of each "
    "stage (Luo et al. 2016); squeeze-and-excitation lets every position depend a little on every pixel.",
    "Tables of relative offsets": "The learned bias for each offset between two positions, a panel for each head, the offset "
    "of zero in the middle; red raises the attention, blue lowers it (CoAtNet, Eq. 3).",
    "Similarity of positions": "The cosine similarity of the embedding of some positions with those of all positions.",
    "Depthwise kernels": "For each layer first the mean absolute kernel of all channels, then the kernels of some channels. "
    "Kernels along a sequence of tokens are one row high.",
}


@dataclass(frozen=True)
class Explained:
    """One picture: what was predicted, the class that its maps explain, and a map for each method in the picture's own
    coordinates, (height, width) float32, NaN where the network does not see."""

    path: str
    picture: np.ndarray
    predicted: str
    probability: float
    target: str
    maps: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """The pictures, what the checks found for each method, and the folder of the files."""

    network: str
    place: str
    pictures: tuple[Explained, ...]
    checks: Mapping[str, Checks]
    folder: Path

    @property
    def page(self) -> Path:
        """explain.html."""
        return self.folder / "explain.html"

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the maps, which are in maps.npz."""
        return {
            "network": self.network,
            "place": self.place,
            "methods": list(self.pictures[0].maps),
            "checks": {name: checks.to_json() for name, checks in self.checks.items()},
            "pictures": [
                {"path": p.path, "predicted": p.predicted, "probability": round(p.probability, 6), "target": p.target}
                for p in self.pictures
            ],
            "folder": str(self.folder),
        }


@dataclass(frozen=True, eq=False)
class NetworkExplanation:
    """The measures of one network and their figures by title, as the bytes of PNG. pictures: what was measured on, in words.
    no_attention: why there are no distances; an empty string where there are."""

    name: str
    size: tuple[int, int]
    pictures: str
    distances: tuple[HeadDistances, ...]
    fields: tuple[ReceptiveField, ...]
    figures: Mapping[str, bytes] = field(repr=False)
    no_attention: str = ""
    meanings: Mapping[str, str] = field(default_factory=lambda: MEANINGS, repr=False)
    page: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, without figures and gradients."""
        return {
            "name": self.name,
            "size": list(self.size),
            "pictures": self.pictures,
            "no_attention": self.no_attention,
            "distances": [{"path": d.path, "pixels": list(d.pixels), "uniform": d.uniform} for d in self.distances],
            "fields": [{"path": f.path, "reach": list(f.reach), "effective": f.effective} for f in self.fields],
        }
