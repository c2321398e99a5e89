"""How good a network is on a split: accuracy with its interval, macro-F1, and what it got most confidently wrong."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.data import Split
from glocal.data.loader import Batches
from glocal.data.preprocess import Preprocess
from glocal.errors import DataError
from glocal.training.answers import Answers
from glocal.training.engine import Machine


@dataclass(frozen=True)
class Wrong:
    """A picture that was answered wrongly, with the confidence in the answer."""

    path: str
    truth: str
    said: str
    confidence: float


@dataclass(frozen=True)
class Scores:
    """Fractions in [0, 1]. `interval` is Wilson's 95 % interval of top1: of the pictures drawn, not of the training.

    Of multi-label pictures top1 and top5 are the shares whose most probable class, or one of the five, is one of theirs; recall
    and macro-F1 take the classes above a probability of one half; `majority` is the top-1 of always naming the commonest class.
    """

    n: int
    loss: float
    top1: float
    top5: float
    macro_f1: float
    interval: tuple[float, float]
    recall: dict[str, float]  # of each class that has pictures
    majority: float  # top-1 of always answering the most frequent class of the split
    most_wrong: Wrong | None
    map: float | None = None  # multi-label: average precision, the mean over the classes that have pictures
    trained: int = 0  # how many of the n pictures, byte for byte, the run was trained on; not told of its train split
    opened: int = 0  # how often the run's test split has been opened, this time included; 0 for other splits
    split_rule: str = ""  # how the split came about, where the pictures were opened for these scores
    answers: Answers | None = field(default=None, repr=False, compare=False)  # one a picture; not in the JSON

    @property
    def chief(self) -> float:
        """What the best epoch is chosen by: top-1, or mean average precision where a picture may have several labels."""
        return self.top1 if self.map is None else self.map

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {name: value for name, value in asdict(replace(self, answers=None)).items() if name != "answers"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Scores":
        """Scores as `to_json` wrote them."""
        wrong = data["most_wrong"]
        return cls(**{**data, "interval": tuple(data["interval"]), "most_wrong": Wrong(**wrong) if wrong else None})

    def __str__(self) -> str:
        low, high = self.interval
        mean = f"mean average precision {self.map:.2%}, " if self.map is not None else ""
        at = " at 0.5" if self.map is not None else ""
        return (
            f"{mean}top-1 {self.top1:.2%} (95 % interval {low:.2%} to {high:.2%}), top-5 {self.top5:.2%}, "
            f"macro-F1{at} {self.macro_f1:.2%}, loss {self.loss:.4f}, {self.n:,} pictures"
        )


def score(
    network: nn.Module,
    split: Split,
    *,
    classes: tuple[str, ...],
    preprocess: Preprocess,
    machine: Machine,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Evaluates a network on every picture of a split, in evaluation mode. Processes share them, and all get the scores."""
    if not (n := len(split)):
        raise DataError(f"the split {split.name} has no pictures")
    # Equally many for each process, since divided weights are gathered for every batch: the first pictures come twice.
    rounds = -(-n // machine.processes)
    mine = (np.arange(rounds) * machine.processes + machine.rank) % n
    batches = Batches(
        split if machine.processes == 1 else split.taken(mine),
        batch_size=batch_size,
        seed=0,
        epoch=0,
        train=False,
        transform=Resize(preprocess),
        workers=machine.workers,
        drop_last=False,
    )
    part = torch.cat(list(_logits(network, batches, preprocess=preprocess, machine=machine, progress=progress)))
    whole_NK = torch.stack(machine.gathered(part), 1).flatten(0, 1)[:n]
    return scores(whole_NK, torch.as_tensor(split.labels), classes=classes, paths=split.paths)


@dataclass(frozen=True)
class Resize:
    """The evaluation transform of one picture; evaluation draws nothing, so the sample's seed goes unused."""

    preprocess: Preprocess
    threadsafe = True

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """(h, w, c) uint8 -> (c, H, W) uint8."""
        return self.preprocess.resize(picture)


def _logits(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    preprocess: Preprocess,
    machine: Machine,
    progress: Callable[[int, int], None] | None,
) -> Iterable[Tensor]:
    was_training = network.training
    network.eval()
    # Not inference mode for weights that are divided: gathering them leaves tensors that training uses again.
    still = torch.no_grad() if machine.sharded else torch.inference_mode()
    with still, torch.autocast(machine.device.type, torch.bfloat16, enabled=machine.amp):
        for i, (x, _) in enumerate(batches):
            yield network(preprocess.normalise(x.to(machine.device))).float().cpu()
            if progress:
                progress(i + 1, len(batches))  # type: ignore[arg-type]
    network.train(was_training)


def scores(logits_BK: Tensor, labels: Tensor, *, classes: tuple[str, ...], paths: tuple[str, ...]) -> Scores:
    """Scores of logits (B, classes) against labels (B), or (B, classes) with 1 for each class that is there."""
    if labels.ndim == 2:
        return _several(logits_BK, labels > 0, classes=classes, paths=paths)
    return _one(logits_BK, labels, classes=classes, paths=paths)


def _wilson(right: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(right, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _one(logits_BK: Tensor, labels_B: Tensor, *, classes: tuple[str, ...], paths: tuple[str, ...]) -> Scores:
    from sklearn.metrics import f1_score, recall_score

    n, k = logits_BK.shape
    said_B = logits_BK.argmax(1)
    right = int((said_B == labels_B).sum())
    ranked = logits_BK.topk(min(5, k)).indices
    present = sorted(set(labels_B.tolist()))
    recall = recall_score(labels_B, said_B, labels=present, average=None, zero_division=0)
    confidence_B = logits_BK.softmax(1).amax(1)
    wrong = torch.where(said_B == labels_B, -1.0, confidence_B)
    i = int(wrong.argmax())
    most_wrong = Wrong(paths[i], classes[labels_B[i]], classes[said_B[i]], float(wrong[i])) if right < n else None
    return Scores(
        n=n,
        loss=float(functional.cross_entropy(logits_BK, labels_B)),
        top1=right / n,
        top5=float((ranked == labels_B[:, None]).any(1).double().mean()),
        macro_f1=float(f1_score(labels_B, said_B, labels=present, average="macro", zero_division=0)),
        interval=_wilson(right, n),
        recall={classes[c]: float(r) for c, r in zip(present, recall, strict=True)},
        majority=int(torch.bincount(labels_B).max()) / n,
        most_wrong=most_wrong,
        answers=Answers(classes, paths, labels_B.numpy(), said_B.numpy(), confidence_B.numpy()),
    )


def _several(logits_BK: Tensor, hot_BK: Tensor, *, classes: tuple[str, ...], paths: tuple[str, ...]) -> Scores:
    from sklearn.metrics import average_precision_score, f1_score, recall_score

    n, k = logits_BK.shape
    present = hot_BK.any(0)
    if not present.any():
        raise DataError("none of the pictures has a label, so there is nothing to score")
    names = [name for name, there in zip(classes, present.tolist(), strict=True) if there]
    p_BK = logits_BK.double().sigmoid()
    truth, told, p = (x[:, present].numpy() for x in (hot_BK, p_BK > 0.5, p_BK))
    recall = recall_score(truth, told, average=None, zero_division=0)
    confidence_B, said_B = p_BK.max(1)
    right_B = hot_BK.gather(1, said_B[:, None])[:, 0]
    right = int(right_B.sum())
    i = int(torch.where(right_B, -1.0, confidence_B).argmax())
    theirs = "|".join(name for name, there in zip(classes, hot_BK[i].tolist(), strict=True) if there) or "nothing"
    return Scores(
        n=n,
        loss=float(functional.binary_cross_entropy_with_logits(logits_BK, hot_BK.to(logits_BK))),
        top1=right / n,
        top5=float(hot_BK.gather(1, logits_BK.topk(min(5, k)).indices).any(1).double().mean()),
        macro_f1=float(f1_score(truth, told, average="macro", zero_division=0)),
        interval=_wilson(right, n),
        recall=dict(zip(names, map(float, np.atleast_1d(recall)), strict=True)),
        majority=int(hot_BK.sum(0).max()) / n,
        most_wrong=Wrong(paths[i], theirs, classes[int(said_B[i])], float(confidence_B[i])) if right < n else None,
        map=float(average_precision_score(truth, p, average="macro")),
    )
