"""How good a network is on a split: accuracy with its interval, scores of each class, and its most confident mistake."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.data import Split
from glocal.data.batches.loader import Batches, Transform
from glocal.data.batches.preprocess import Preprocess
from glocal.errors import DataError
from glocal.evaluation.calibration.temperature import CalibrationReport
from glocal.evaluation.per_class import ClassScores, class_scores, macro_f1
from glocal.evaluation.predictions import Predictions
from glocal.intervals import count_interval
from glocal.machine.device import keep_memory
from glocal.machine.processes import Machine

_NOT_IN_JSON = ("predictions",)


@dataclass(frozen=True)
class Mistake:
    """A picture whose predicted class is not its own, with the probability that it was predicted with."""

    path: str
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class Scores:
    """Fractions in [0, 1]. `interval` is Wilson's 95 % interval of top1: of the pictures drawn, not of the training.

    Of multi-label pictures top1 and top5 are the shares whose most probable class, or one of the five, is one of theirs; the
    scores of each class and macro-F1 take the classes above a probability of one half; `majority` is the top-1 of always
    predicting the commonest class. `loss` is that of the logits as they are, without a temperature.
    """

    n: int
    loss: float
    top1: float
    top5: float
    macro_f1: float
    interval: tuple[float, float]
    per_class: tuple[ClassScores, ...]  # of the classes that have pictures or were predicted
    majority: float  # top-1 of always predicting the most frequent class of the split
    most_wrong: Mistake | None
    map: float | None = None  # multi-label: average precision, the mean over the classes that have pictures
    split: str = ""  # "train", "val", "test", or "all" where the pictures have no splits
    split_rule: str = ""  # how these pictures came about, as a sentence
    trained: int = 0  # how many of the n pictures, byte for byte, the run was trained on
    chosen_on: int = 0  # how many of them chose its best epoch and fitted its temperature
    opened: int = 0  # how often the run's test split has been opened, this time included; 0 for other splits
    skipped: int = 0  # files that were left out because they cannot be read
    calibration: CalibrationReport | None = field(default=None, repr=False)
    predictions: Predictions | None = field(default=None, repr=False, compare=False)  # not in the JSON

    @property
    def chief(self) -> float:
        """What the best epoch is chosen by: top-1, or mean average precision where a picture may have several labels."""
        return self.top1 if self.map is None else self.map

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _NOT_IN_JSON}
        values["interval"] = list(self.interval)
        values["per_class"] = [row.to_json() for row in self.per_class]
        values["most_wrong"] = asdict(self.most_wrong) if self.most_wrong else None
        values["calibration"] = self.calibration.to_json() if self.calibration else None
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Scores":
        """The inverse of `to_json`."""
        wrong, report = values["most_wrong"], values.get("calibration")
        parts = {
            "interval": tuple(values["interval"]),
            "per_class": tuple(map(ClassScores.from_json, values["per_class"])),
            "most_wrong": Mistake(**wrong) if wrong else None,
            "calibration": CalibrationReport.from_json(report) if report else None,
        }
        return cls(**{**values, **parts})

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
    transform: Transform | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Evaluates a network on every picture of a split, in evaluation mode. Processes share them, and all get the scores.

    transform: from a picture to the network's uint8 input; by default the resizing of `preprocess`.
    """
    logits_NK = logits_of(
        network,
        split,
        preprocess=preprocess,
        machine=machine,
        batch_size=batch_size,
        transform=transform,
        progress=progress,
    )
    return scores(logits_NK, torch.as_tensor(split.labels), classes=classes, paths=split.paths)


def logits_of(
    network: nn.Module,
    split: Split,
    *,
    preprocess: Preprocess,
    machine: Machine,
    batch_size: int = 256,
    transform: Transform | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Logits (n, classes) of every picture of a split, float32 on the CPU, in evaluation mode. Processes share the pictures, and
    all get the logits. DataError for a split without pictures."""
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
        transform=transform or Resize(preprocess),
        workers=machine.workers,
        drop_last=False,
    )
    part = torch.cat(list(_batch_logits(network, batches, preprocess=preprocess, machine=machine, progress=progress)))
    return torch.stack(machine.gathered(part), 1).flatten(0, 1)[:n]


class Resizing(Protocol):
    """What brings a picture to the size of a network: a `Preprocess`, or an exported file."""

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, c) -> uint8 of the same shape for all pictures."""
        ...


@dataclass(frozen=True)
class Resize:
    """The evaluation transform of one picture; evaluation is not random, so the sample's seed goes unused."""

    preprocess: Resizing
    threadsafe = True

    def __call__(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (h, w, c) -> uint8, as `preprocess` lays it out."""
        return self.preprocess.resize(picture)


def _batch_logits(
    network: nn.Module,
    batches: Batches,
    *,
    preprocess: Preprocess,
    machine: Machine,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Tensor]:
    was_training = network.training
    network.eval()
    keep_memory(machine.device)
    # Not inference mode for weights that are divided: gathering them leaves tensors that training uses again.
    still = torch.no_grad() if machine.sharded else torch.inference_mode()
    # In float32 also where training computes in bfloat16: the number of a run is that of `val`, `predict` and an exported file.
    with still:
        for i, (x, _) in enumerate(batches):
            yield network(preprocess.normalise(x.to(machine.device))).float().cpu()
            if progress:
                progress(i + 1, len(batches))
    network.train(was_training)


def scores(
    logits_BK: Tensor,
    labels: Tensor,
    *,
    classes: tuple[str, ...],
    paths: tuple[str, ...],
    temperature: float = 1.0,
) -> Scores:
    """Scores of logits (B, classes) against labels (B), or (B, classes) with 1 for each class that is there.

    The temperature divides the logits where confidences are reported; the predicted classes and the loss do not depend on it.
    """
    if labels.ndim == 2:
        return _multi_label(logits_BK, labels > 0, classes=classes, paths=paths, temperature=temperature)
    return _one_label(logits_BK, labels, classes=classes, paths=paths, temperature=temperature)


def _one_label(
    logits_BK: Tensor, labels_B: Tensor, *, classes: tuple[str, ...], paths: tuple[str, ...], temperature: float
) -> Scores:
    n, k = logits_BK.shape
    predicted_B = logits_BK.argmax(1)
    right = int((predicted_B == labels_B).sum())
    ranked = logits_BK.topk(min(5, k)).indices
    table = class_scores(labels_B.numpy(), predicted_B.numpy(), classes)
    confidence_B = (logits_BK / temperature).softmax(1).amax(1)
    wrong = torch.where(predicted_B == labels_B, -1.0, confidence_B)
    i = int(wrong.argmax())
    mistake = Mistake(paths[i], classes[labels_B[i]], classes[predicted_B[i]], float(wrong[i])) if right < n else None
    return Scores(
        n=n,
        loss=float(functional.cross_entropy(logits_BK.double(), labels_B)),
        top1=right / n,
        top5=float((ranked == labels_B[:, None]).any(1).double().mean()),
        macro_f1=macro_f1(table),
        interval=count_interval(right, n),
        per_class=table,
        majority=int(torch.bincount(labels_B).max()) / n,
        most_wrong=mistake,
        predictions=Predictions(classes, paths, labels_B.numpy(), predicted_B.numpy(), confidence_B.numpy()),
    )


def _multi_label(
    logits_BK: Tensor, hot_BK: Tensor, *, classes: tuple[str, ...], paths: tuple[str, ...], temperature: float
) -> Scores:
    from sklearn.metrics import average_precision_score

    n, k = logits_BK.shape
    present = hot_BK.any(0)
    if not present.any():
        raise DataError("none of the pictures has a label, so there is nothing to score")
    p_BK = logits_BK.double().sigmoid()
    table = class_scores(hot_BK.numpy(), (p_BK > 0.5).numpy(), classes)
    predicted_B = logits_BK.argmax(1)
    confidence_B = (logits_BK / temperature).amax(1).sigmoid()
    right_B = hot_BK.gather(1, predicted_B[:, None])[:, 0]
    right = int(right_B.sum())
    i = int(torch.where(right_B, -1.0, confidence_B).argmax())
    labels = "|".join(name for name, there in zip(classes, hot_BK[i].tolist(), strict=True) if there) or "nothing"
    mistake = Mistake(paths[i], labels, classes[int(predicted_B[i])], float(confidence_B[i])) if right < n else None
    precision = average_precision_score(hot_BK[:, present].numpy(), p_BK[:, present].numpy(), average="macro")
    return Scores(
        n=n,
        loss=float(functional.binary_cross_entropy_with_logits(logits_BK.double(), hot_BK.double())),
        top1=right / n,
        top5=float(hot_BK.gather(1, logits_BK.topk(min(5, k)).indices).any(1).double().mean()),
        macro_f1=macro_f1(table),
        interval=count_interval(right, n),
        per_class=table,
        majority=int(hot_BK.sum(0).max()) / n,
        most_wrong=mistake,
        map=float(precision),
    )
