"""What a network's features are worth as they are: a logistic regression on them. A classifier trained alone is `freezing`'s."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glocal.data import Data, Split, check, draws
from glocal.data.loader import Batches
from glocal.data.preprocess import Preprocess
from glocal.errors import DataError, WeightError
from glocal.families import architecture
from glocal.net import Network
from glocal.training.device import pick_device
from glocal.training.recipe import Recipe
from glocal.training.scores import Resize
from glocal.training.transfer import told_by
from glocal.weights import find_weights, start_from

MOST = 10_000
"""Pictures of each split at most: at 90 % right their 95 % interval is +-0.6 points, and the regression stays within a minute."""


@dataclass(frozen=True)
class Probe:
    """Top-1 of a logistic regression on a network's pooled features, with Wilson's 95 % interval of the pictures drawn."""

    top1: float
    interval: tuple[float, float]
    majority: float  # top-1 of always answering the most frequent class
    n_train: int
    n_val: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"top-1 {self.top1:.2%} (95 % interval {low:.2%} to {high:.2%}) on {self.n_val:,} pictures of val, "
            f"learned from {self.n_train:,} of train in {self.seconds:.0f} s"
        )


def pictures_for(recipe: Recipe, data: Data) -> int:
    """How many pictures of each split a probe may read so that it costs about 2 % of the training, and no more than `MOST`.

    A picture costs a third in the probe of what it costs in training (forward against forward and backward). 0 where that is
    too few to say anything: less than four a class, or several labels a picture.
    """
    n = min(MOST, round(0.02 * 3 * recipe.total_epochs * len(data.train) / 2))
    return 0 if n < 4 * len(data.classes) or data.multi_label else n


def probe(
    network: Network,
    data: Data,
    *,
    preprocess: Preprocess,
    device: torch.device,
    pictures: int = MOST,
    seed: int = 0,
    workers: int | None = None,
    amp: bool = False,
) -> Probe:
    """Fits scikit-learn's logistic regression to standardised features (`forward_head(pre_logits=True)`) of at most so many
    training pictures, drawn from each class alike, and scores it on at most as many of val.

    The network is left as it was. The same seed gives the same answer. DataError for pictures of several labels.
    """
    from scipy.stats import binomtest
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if data.multi_label:
        raise DataError(f"{data.source}: a linear probe answers one class a picture, and these may have several")
    began = time.monotonic()
    train, val = (_sample(split, pictures, seed=seed) for split in (data.train, data.val))
    x_train, x_val = (
        np.concatenate([*_features(network, split, preprocess=preprocess, device=device, workers=workers, amp=amp)])
        for split in (train, val)
    )
    # C is chosen in docs/transfer.md; L-BFGS took 43 to 59 steps there.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x_train, train.labels)
    right = int((model.predict(x_val) == val.labels).sum())
    wilson = binomtest(right, len(val)).proportion_ci(method="wilson")
    return Probe(
        top1=right / len(val),
        interval=(float(wilson.low), float(wilson.high)),
        majority=int(np.bincount(val.labels).max()) / len(val),
        n_train=len(train),
        n_val=len(val),
        seconds=time.monotonic() - began,
    )


def probe_weights(
    weights: str | Path,
    source: str | Path,
    *,
    model: str | None = None,
    pictures: int = MOST,
    device: str = "auto",
    workers: int | None = None,
    seed: int = 0,
    val_fraction: float | None = None,
    skip_bad_files: bool = False,
    group_by: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
    progress: Callable[[int, int], None] | None = None,
) -> Probe:
    """Probes weights of any source on a source of pictures. `model` names the network of a file that does not say its own."""
    place = pick_device(device)
    find_weights(weights, tell=tell)
    said = told_by(weights)
    if not (name := model or said.get("model")):
        raise WeightError(f"{weights} does not say of which network it is; name it: --model NAME")
    arch = architecture(name)
    size = said.get("img_size", (arch.image.h, arch.image.w))
    reading = Recipe().merged({k: v for k, v in said.items() if k not in ("model", "img_size")}).preprocess(size)
    data = check(
        source,
        seed=seed,
        val_fraction=val_fraction,
        skip_bad_files=skip_bad_files,
        group_by=group_by,
        progress=progress,
    ).opened()
    network, loaded = start_from(
        replace(arch, image=arch.image._replace(c=reading.channels, h=size[0], w=size[1])), weights
    )
    tell(str(loaded))
    return probe(
        network.to(place), data, preprocess=reading, device=place, pictures=pictures, seed=seed, workers=workers
    )


def _sample(split: Split, n: int, *, seed: int) -> Split:
    """About n pictures of a split with its shares of the classes, one of each class at least, in the split's order."""
    if n >= len(split):
        return split
    order = draws.order(seed, 0, len(split))
    kept = []
    for label in np.unique(split.labels):
        of_class = order[split.labels[order] == label]
        kept.append(of_class[: max(1, len(of_class) * n // len(split))])
    return split.taken(np.sort(np.concatenate(kept)))


@torch.inference_mode()
def _features(
    network: Network, split: Split, *, preprocess: Preprocess, device: torch.device, workers: int | None, amp: bool
) -> Iterator[np.ndarray]:
    """Pooled features (batch, num_features), in evaluation mode."""
    batches = Batches(
        split,
        batch_size=128,
        seed=0,
        epoch=0,
        train=False,
        transform=Resize(preprocess),
        workers=workers,
        drop_last=False,
    )
    was = {module: module.training for module in network.modules()}
    network.eval()
    with torch.autocast(device.type, torch.bfloat16, enabled=amp):
        for x, _ in batches:
            features = network.forward_features(preprocess.normalise(x.to(device)))
            yield network.forward_head(features, pre_logits=True).float().cpu().numpy()
    for module, mode in was.items():
        module.training = mode
