"""How good a network is on a split: accuracy with its interval, macro-F1, and what it got most confidently wrong."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.data import Split
from glocal.data.loader import Batches
from glocal.data.preprocess import Preprocess
from glocal.errors import DataError


@dataclass(frozen=True)
class Wrong:
    """A picture that was answered wrongly, with the confidence in the answer."""

    path: str
    truth: str
    said: str
    confidence: float


@dataclass(frozen=True)
class Scores:
    """Fractions in [0, 1]. `interval` is Wilson's 95 % interval of top1: of the pictures drawn, not of the training."""

    n: int
    loss: float
    top1: float
    top5: float
    macro_f1: float
    interval: tuple[float, float]
    recall: dict[str, float]  # of each class that has pictures
    majority: float  # top-1 of always answering the most frequent class of the split
    most_wrong: Wrong | None
    opened: int = 0  # how often the run's test split has been opened, this time included; 0 for other splits
    split_rule: str = ""  # how the split came about, where the pictures were opened for these scores

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Scores":
        """Scores as `to_json` wrote them."""
        wrong = data["most_wrong"]
        return cls(**{**data, "interval": tuple(data["interval"]), "most_wrong": Wrong(**wrong) if wrong else None})

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"top-1 {self.top1:.2%} (95 % interval {low:.2%} to {high:.2%}), top-5 {self.top5:.2%}, "
            f"macro-F1 {self.macro_f1:.2%}, loss {self.loss:.4f}, {self.n:,} pictures"
        )


def score(
    network: nn.Module,
    split: Split,
    *,
    classes: tuple[str, ...],
    preprocess: Preprocess,
    device: torch.device,
    batch_size: int = 256,
    workers: int = 0,
    amp: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Evaluates a network, in evaluation mode, on every picture of a split."""
    if not len(split):
        raise DataError(f"the split {split.name} has no pictures")
    batches = Batches(
        split,
        batch_size=batch_size,
        seed=0,
        epoch=0,
        train=False,
        transform=Resize(preprocess),
        workers=workers,
        drop_last=False,
    )
    parts = list(_logits(network, batches, preprocess=preprocess, device=device, amp=amp, progress=progress))
    return scores(torch.cat(parts), torch.as_tensor(split.labels), classes=classes, paths=split.paths)


@dataclass(frozen=True)
class Resize:
    """The evaluation transform of one picture; evaluation draws nothing, so the sample's seed goes unused."""

    preprocess: Preprocess

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """(h, w, c) uint8 -> (c, H, W) uint8."""
        return self.preprocess.resize(picture)


def _logits(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    preprocess: Preprocess,
    device: torch.device,
    amp: bool,
    progress: Callable[[int, int], None] | None,
) -> Iterable[Tensor]:
    was_training = network.training
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=amp):
        for i, (x, _) in enumerate(batches):
            yield network(preprocess.normalise(x.to(device))).float().cpu()
            if progress:
                progress(i + 1, len(batches))  # type: ignore[arg-type]
    network.train(was_training)


def scores(logits_BK: Tensor, labels_B: Tensor, *, classes: tuple[str, ...], paths: tuple[str, ...]) -> Scores:
    """Scores of logits (B, classes) against labels (B)."""
    from scipy.stats import binomtest
    from sklearn.metrics import f1_score, recall_score

    n, k = logits_BK.shape
    said_B = logits_BK.argmax(1)
    right = int((said_B == labels_B).sum())
    ranked = logits_BK.topk(min(5, k)).indices
    wilson = binomtest(right, n).proportion_ci(method="wilson")
    present = sorted(set(labels_B.tolist()))
    recall = recall_score(labels_B, said_B, labels=present, average=None, zero_division=0)
    wrong = torch.where(said_B == labels_B, -1.0, logits_BK.softmax(1).amax(1))
    i = int(wrong.argmax())
    most_wrong = Wrong(paths[i], classes[labels_B[i]], classes[said_B[i]], float(wrong[i])) if right < n else None
    return Scores(
        n=n,
        loss=float(functional.cross_entropy(logits_BK, labels_B)),
        top1=right / n,
        top5=float((ranked == labels_B[:, None]).any(1).double().mean()),
        macro_f1=float(f1_score(labels_B, said_B, labels=present, average="macro", zero_division=0)),
        interval=(float(wilson.low), float(wilson.high)),
        recall={classes[c]: float(r) for c, r in zip(present, recall, strict=True)},
        majority=int(torch.bincount(labels_B).max()) / n,
        most_wrong=most_wrong,
    )
