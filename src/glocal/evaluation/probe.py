"""What a network's features are worth before any training: a logistic regression on them, scored on held-out pictures.

The recipe `linear_probe` trains a classifier on frozen features instead, with the training loop.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glocal.data import Data, Split, random_streams
from glocal.data.batches.loader import Batches
from glocal.data.batches.preprocess import Preprocess
from glocal.errors import DataError, WeightError
from glocal.evaluation.scores import Resize
from glocal.intervals import count_interval
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.weights import AnyNetwork, find_architecture, find_weights, start_from
from glocal.weights.pretrained import pretrained_settings

MOST = 10_000
"""Pictures of each split at most: at 90 % right their 95 % interval is +-0.6 points, and the regression stays within a minute."""


@dataclass(frozen=True)
class Probe:
    """Top-1 of a logistic regression on a network's pooled features, with Wilson's 95 % interval of the pictures drawn."""

    top1: float
    interval: tuple[float, float]
    majority: float  # top-1 of always predicting the most frequent class
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

    A picture costs a third in the probe of what it costs in training (forward against forward and backward). 0 where that is too
    few to measure anything: less than four a class, or several labels a picture.
    """
    n = min(MOST, round(0.02 * 3 * recipe.total_epochs * len(data.train) / 2))
    return 0 if n < 4 * len(data.classes) or data.multi_label else n


def probe(
    network: AnyNetwork,
    data: Data,
    *,
    preprocess: Preprocess,
    machine: Machine,
    pictures: int = MOST,
    seed: int = 0,
) -> Probe:
    """Fits scikit-learn's logistic regression to standardised features (`forward_head(pre_logits=True)`) of at most so many
    training pictures, drawn from each class alike, and scores it on at most as many of val.

    The network is left as it was. The same seed gives the same numbers. DataError for pictures of several labels.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if data.multi_label:
        raise DataError(
            f"{data.source}: a linear probe predicts one class a picture, and these may have several labels"
        )
    start = time.monotonic()
    train, val = (_sample(split, pictures, seed=seed) for split in (data.train, data.val))
    x_train, x_val = (
        np.concatenate([*_features(network, split, preprocess=preprocess, machine=machine)]) for split in (train, val)
    )
    # C is chosen in docs/transfer.md; L-BFGS took 43 to 59 steps there.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x_train, train.labels)
    right = int((model.predict(x_val) == val.labels).sum())
    return Probe(
        top1=right / len(val),
        interval=count_interval(right, len(val)),
        majority=int(np.bincount(val.labels).max()) / len(val),
        n_train=len(train),
        n_val=len(val),
        seconds=time.monotonic() - start,
    )


def load_for_probe(
    weights: str | Path, *, model: str | None = None, echo: Callable[[str], None] = lambda line: None
) -> tuple[AnyNetwork, Preprocess]:
    """A network with weights of any source, and how it reads pictures, both as the weights say.

    model: the name of the network, where the weights do not name it. echo: gets the lines that a person should read. WeightError
    where there are no such weights, or nobody names their network.
    """
    find_weights(weights, echo=echo)
    settings = pretrained_settings(weights)
    if not (name := model or settings.get("model")):
        raise WeightError(f"{weights} does not say of which network it is; name it: --model NAME")
    arch = find_architecture(name)
    size = settings.get("img_size", (arch.image.h, arch.image.w))
    reading = {key: value for key, value in settings.items() if key not in ("model", "img_size")}
    preprocess = Recipe().merged(reading).preprocess(size)
    image = arch.image._replace(c=preprocess.channels, h=size[0], w=size[1])
    network, loaded = start_from(replace(arch, image=image), weights)
    echo(str(loaded))
    return network, preprocess


def _sample(split: Split, n: int, *, seed: int) -> Split:
    """About n pictures of a split with its shares of the classes, one of each class at least, in the split's order."""
    if n >= len(split):
        return split
    order = random_streams.order(seed, 0, len(split))
    chosen = []
    for label in np.unique(split.labels):
        of_class = order[split.labels[order] == label]
        chosen.append(of_class[: max(1, len(of_class) * n // len(split))])
    return split.taken(np.sort(np.concatenate(chosen)))


@torch.inference_mode()
def _features(network: AnyNetwork, split: Split, *, preprocess: Preprocess, machine: Machine) -> Iterator[np.ndarray]:
    """Pooled features (batch, num_features), in evaluation mode."""
    batches = Batches(
        split,
        batch_size=128,
        seed=0,
        epoch=0,
        train=False,
        transform=Resize(preprocess),
        workers=machine.workers,
        drop_last=False,
    )
    modes = {module: module.training for module in network.modules()}
    network.eval()
    with torch.autocast(machine.device.type, torch.bfloat16, enabled=machine.amp):
        for x, _ in batches:
            features = network.forward_features(preprocess.normalise(x.to(machine.device)))
            yield network.forward_head(features, pre_logits=True).float().cpu().numpy()
    for module, mode in modes.items():
        module.training = mode
