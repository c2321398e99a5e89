"""Whether a method's maps can be trusted on a network: they must depend on its weights, matter to its score, and find objects.

Three checks: parameter randomisation (Adebayo et al. 2018, arXiv:1810.03292), deletion and insertion (Petsiuk et al. 2018,
arXiv:1806.07421) against a random map and a blob in the centre, and the pointing game (Zhang et al. 2018, IJCV 126) on pastes.
"""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor, nn
from torch.nn import functional

from glocal.explaining.methods import METHODS, Explainer
from glocal.explaining.subject import Subject
from glocal.intervals import count_interval

ALIKE = 0.2  # rank correlation with a randomised network's map from which on a map does not depend on the weights
_AT_ONCE = 8  # pictures of the pointing game that pass through the network together
STEPS = 10  # parts in which pixels are deleted and inserted


@dataclass(frozen=True)
class Difference:
    """A mean difference over pictures, in favour of the map where positive, with its 95 % interval (Student's t)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Difference":
        """Of one value a picture; the interval of fewer than two is all that probabilities allow."""
        mean, n = fmean(values), len(values)
        if n < 2:
            return cls(mean, -1.0, 1.0)
        half = float(stdtrit(n - 1, 0.975)) * stdev(values) / n**0.5
        return cls(mean, mean - half, mean + half)

    @property
    def verdict(self) -> str:
        """better, worse, or cannot tell."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "cannot tell"


@dataclass(frozen=True)
class Pointing:
    """The pointing game: in how many pastes the highest point of the map is on the object, and how many the centre of the
    picture and a random point would hit."""

    hits: int
    n: int
    centre: float
    random: float

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of hits."""
        return count_interval(self.hits, self.n)

    @property
    def verdict(self) -> str:
        """better than both centre and random, worse than one of them, or cannot tell."""
        low, high = self.interval
        best = max(self.centre, self.random)
        return "better" if low > best else "worse" if high < best else "cannot tell"


@dataclass(frozen=True)
class Checks:
    """What the checks of one method found on one network.

    correlation: mean Spearman rank correlation of the maps with those of the network with randomised weights.
    deletion, insertion: areas between the curves of the map and of a random one; _centre: of the map and a blob in the centre.
    """

    correlation: float
    deletion: Difference
    deletion_centre: Difference
    insertion: Difference
    insertion_centre: Difference
    pointing: Pointing | None

    @property
    def warnings(self) -> list[str]:
        """A sentence for each check that the method did not pass on this network."""
        found = []
        if not self.correlation < ALIKE:
            found.append(
                f"The map hardly depends on what was learned: with randomised weights it is much the same (rank correlation "
                f"{self.correlation:.2f}, {ALIKE} is the limit)."
            )
        for name, random, centre in (
            ("Deleting the pixels that the map marks", self.deletion, self.deletion_centre),
            ("Inserting the pixels that the map marks", self.insertion, self.insertion_centre),
        ):
            worse = [
                than for than, d in (("a random map", random), ("a blob in the centre", centre)) if d.verdict == "worse"
            ]
            if worse:
                found.append(f"{name} changes the score less than {' and '.join(worse)} would.")
        if self.pointing is not None and self.pointing.verdict != "better":
            low, high = self.pointing.interval
            found.append(
                f"It is not shown that the map finds objects: its highest point is on the pasted object in "
                f"{self.pointing.hits} of {self.pointing.n} pictures ({low:.0%} to {high:.0%}); the centre would be in "
                f"{self.pointing.centre:.0%}, a random point in {self.pointing.random:.0%}."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "warnings": self.warnings}


class Sample(NamedTuple):
    """Normalised pictures BCHW with the class to explain of each; boxes of the objects (top, left, bottom, right) or None."""

    pictures: Tensor
    classes: Tensor
    boxes: Sequence[tuple[int, int, int, int]] = ()


def run_checks(explainer: Explainer, method: str, sample: Sample, pasted: Sample | None, *, seed: int = 0) -> Checks:
    """All checks of a method, on a few pictures and on pastes."""
    maps_BHW = explainer.maps(method, sample.pictures, sample.classes)
    generator = torch.Generator().manual_seed(seed)
    blob_BHW = _centre_blob(maps_BHW.shape[1:]).expand_as(maps_BHW)
    random_BHW = torch.rand((len(maps_BHW), 7, 7), generator=generator)
    mine, random, centre = (_curves(explainer.subject, sample, each) for each in (maps_BHW, random_BHW, blob_BHW))
    return Checks(
        correlation=_correlation(explainer, method, sample, maps_BHW, seed=seed),
        deletion=Difference.of(_less(random.deletion, mine.deletion)),
        deletion_centre=Difference.of(_less(centre.deletion, mine.deletion)),
        insertion=Difference.of(_less(mine.insertion, random.insertion)),
        insertion_centre=Difference.of(_less(mine.insertion, centre.insertion)),
        pointing=None if pasted is None else point(explainer, method, pasted),
    )


def _less(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def randomised(network: nn.Module, *, seed: int) -> nn.Module:
    """A copy of a network in which the numbers of every parameter are shuffled: nothing learned is left but their sizes."""
    other, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return other


def _correlation(explainer: Explainer, method: str, sample: Sample, maps_BHW: Tensor, *, seed: int) -> float:
    """Mean rank correlation over the pictures and over two randomisations."""
    found = []
    for i in range(2):
        subject = replace(explainer.subject, network=randomised(explainer.subject.network, seed=seed + i))
        other_BHW = METHODS[method].compute(subject, explainer.place, sample.pictures, sample.classes)
        found += [rank_correlation(a, b) for a, b in zip(maps_BHW, other_BHW, strict=True)]
    return fmean(found)


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's, with mean ranks for ties; 0 where one of the maps is everywhere the same."""
    from scipy.stats import rankdata

    ranks = [rankdata(t.detach().cpu().numpy().ravel()) for t in (a, b)]
    if min(r.std() for r in ranks) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


class Curves(NamedTuple):
    """Areas under the curves of deletion and of insertion, one number a picture."""

    deletion: list[float]
    insertion: list[float]


@torch.no_grad()
def _curves(subject: Subject, sample: Sample, maps_BHW: Tensor) -> Curves:
    """Mean probability of the class while pixels, from the highest of the map on, are taken out or put in, part by part; what
    is out is the mean colour."""
    deletion, insertion = [], []
    for x_CHW, k, map_HW in zip(sample.pictures, sample.classes, maps_BHW, strict=True):
        full_HW = functional.interpolate(map_HW[None, None], x_CHW.shape[1:], mode="bilinear", antialias=False)[0, 0]
        rank = torch.empty(full_HW.numel())
        rank[full_HW.flatten().argsort(descending=True, stable=True)] = torch.linspace(0, 1, full_HW.numel())
        taken_SHW = rank.view_as(full_HW) < torch.linspace(0, 1.01, STEPS + 1)[:, None, None]
        out_SCHW = torch.cat((x_CHW * ~taken_SHW[:, None], x_CHW * taken_SHW[:, None]))
        p = subject.probabilities(out_SCHW)[:, k]
        deletion.append(float(p[: STEPS + 1].mean()))
        insertion.append(float(p[STEPS + 1 :].mean()))
    return Curves(deletion, insertion)


def _centre_blob(shape: Sequence[int]) -> Tensor:
    """A Gaussian in the middle, a quarter of each side wide."""
    rows, columns = (torch.linspace(-2, 2, n) if n > 1 else torch.zeros(1) for n in shape)
    return torch.exp(-(rows[:, None] ** 2 + columns**2) / 2)


def point(explainer: Explainer, method: str, pasted: Sample) -> Pointing:
    """Plays the pointing game: the centre of the map's highest position counts, among equals the first."""
    hits, centre, area = 0, 0, 0.0
    h, w = pasted.pictures.shape[2:]
    batches = zip(pasted.pictures.split(_AT_ONCE), pasted.classes.split(_AT_ONCE), strict=True)
    maps = [map_HW for pictures, classes in batches for map_HW in explainer.maps(method, pictures, classes)]
    for map_HW, box in zip(maps, pasted.boxes, strict=True):
        row, column = divmod(int(map_HW.argmax()), map_HW.shape[1])
        hits += within((row + 0.5) * h / map_HW.shape[0], (column + 0.5) * w / map_HW.shape[1], box)
        centre += within(h / 2, w / 2, box)
        area += (box[2] - box[0]) * (box[3] - box[1]) / (h * w)
    n = len(pasted.boxes)
    return Pointing(hits, n, centre / n, area / n)


def within(y: float, x: float, box: tuple[int, int, int, int]) -> bool:
    """Whether a point lies in a box (top, left, bottom, right)."""
    return box[0] <= y < box[2] and box[1] <= x < box[3]
