"""The verb predict: the class of each picture and the probabilities of all classes, for any number of pictures."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data import decode
from glocal.data.batches.preprocess import Preprocess
from glocal.data.checks.scan import cores
from glocal.errors import DataError, RecipeError
from glocal.evaluation.evaluate import find_run_weights, load_evaluated
from glocal.evaluation.picture_paths import picture_paths, why_no_picture
from glocal.evaluation.pictures import Labelled
from glocal.machine.device import keep_memory, pick_device
from glocal.weights import Model

SEVERAL = (
    "a threshold leaves the one class of a picture open, and this network predicts several labels; "
    "read its probabilities instead"
)
_AHEAD = 2  # batches that threads load while the network computes one
_PART = 8  # pictures that a thread loads at a time, so that all threads work on the batch that is needed next


@dataclass(frozen=True)
class Prediction:
    """The prediction for one picture, or the reason why there is none.

    predicted: one class; of a network for several labels those with a probability above one half, and at least one. Empty where
        the prediction is left open because its probability is below the threshold, and where there is an error.
    probabilities: of all classes, in the network's order, after the temperature that is kept with the weights. Those of one class
        a picture add up to one; those of several labels stand each for itself. Empty where there is an error.
    """

    path: str
    predicted: tuple[str, ...] = ()
    probabilities: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def confidence(self) -> float | None:
        """The highest probability; None where there is an error."""
        return max(self.probabilities.values(), default=None)

    def top(self, n: int) -> list[tuple[str, float]]:
        """The n most probable classes with their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:n]

    def to_json(self) -> dict[str, Any]:
        """Plain data; probabilities with six significant digits."""
        return {
            "path": self.path,
            "predicted": list(self.predicted),
            "confidence": None if self.confidence is None else _rounded(self.confidence),
            "probabilities": {name: _rounded(p) for name, p in self.probabilities.items()},
            "error": self.error,
        }


def _rounded(p: float) -> float:
    return float(f"{p:.6g}")


@dataclass(frozen=True)
class Predictor:
    """A network with weights on a device, ready to predict."""

    file: Path  # of the weights
    run: RunFolder | None  # the run's folder that the file lies in
    model: Model
    device: torch.device

    @classmethod
    def load(cls, weights: str | Path, *, device: str = "auto") -> "Predictor":
        """From a run's folder, whose best weights are taken, or a file of weights. WeightError where there are none."""
        place = pick_device(device)
        keep_memory(place)
        file, run = find_run_weights(weights)
        model = load_evaluated(weights, file)
        model.network.to(place).eval()
        return cls(file, run, model, place)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.model.classes

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have several labels."""
        return self.model.multi_label

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities."""
        return self.model.temperature

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the network's input."""
        return Preprocess.from_json(self.model.preprocess)

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 1 or 3) -> uint8 (C, H, W), the network's input before it is normalised."""
        return self.preprocess.resize(picture)

    @torch.inference_mode()
    def probabilities(self, x_BCHW: np.ndarray) -> np.ndarray:
        """float32 (B, classes), after the temperature, of stacked pictures from `resize`: uint8 (B, C, H, W)."""
        x = torch.from_numpy(x_BCHW).to(self.device)
        logits_BK = self.model.network(self.preprocess.normalise(x)).float() / self.model.temperature
        p_BK: np.ndarray = (logits_BK.sigmoid() if self.multi_label else logits_BK.softmax(1)).cpu().numpy()
        return p_BK

    def predictions(
        self, paths: str | Path | Iterable[str | Path], *, threshold: float | None = None, batch_size: int = 64
    ) -> Iterator[Prediction]:
        """See `deploying.classifiers.iter_predictions`."""
        return predictions_of(self, paths, threshold=threshold, batch_size=batch_size)


class Classifier(Labelled, Protocol):
    """A network that is ready to predict, whatever computes it: a `Predictor`, or an exported file."""

    @property
    def file(self) -> Path:
        """The file of its weights."""
        ...

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 1 or 3) -> uint8 of the same shape for all pictures."""
        ...

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """float32 (B, classes), calibrated, of stacked pictures from `resize`."""
        ...


def predictions_of(
    classifier: Classifier,
    paths: str | Path | Iterable[str | Path],
    *,
    threshold: float | None = None,
    batch_size: int = 64,
) -> Iterator[Prediction]:
    """See `deploying.classifiers.iter_predictions`."""
    if threshold is not None and classifier.multi_label:
        raise RecipeError(SEVERAL)
    files = picture_paths([paths] if isinstance(paths, str | Path) else paths)
    return _predictions(classifier, _loaded(files, classifier.resize, batch_size=batch_size), threshold=threshold)


Resize = Callable[[np.ndarray], np.ndarray]
Loaded = np.ndarray | str  # the input of the network, uint8 (c, h, w), or what is wrong with the picture


def _predictions(
    classifier: Classifier, batches: Iterator[tuple[list[str], list[Loaded]]], *, threshold: float | None
) -> Iterator[Prediction]:
    for paths, loaded in batches:
        pictures = [each for each in loaded if not isinstance(each, str)]
        rows = iter(classifier.probabilities(np.stack(pictures)).tolist() if pictures else ())
        for path, each in zip(paths, loaded, strict=True):
            if isinstance(each, str):
                yield Prediction(path, error=each)
            else:
                yield decide(
                    path,
                    next(rows),
                    classes=classifier.classes,
                    multi_label=classifier.multi_label,
                    threshold=threshold,
                )


def _loaded(files: Iterator[str], resize: Resize, *, batch_size: int) -> Iterator[tuple[list[str], list[Loaded]]]:
    """Batches of paths with their pictures; a few are loaded ahead by as many threads as there are cores."""
    pool = ThreadPoolExecutor(cores())

    def start() -> Iterator[tuple[list[str], list[Future[list[Loaded]]]]]:
        while paths := [*islice(files, batch_size)]:
            parts = (paths[i : i + _PART] for i in range(0, len(paths), _PART))
            yield paths, [pool.submit(_load, part, resize) for part in parts]

    started = start()
    ahead = deque(islice(started, _AHEAD + 1))
    try:
        while ahead:
            paths, parts = ahead.popleft()
            loaded = [picture for part in parts for picture in part.result()]
            ahead.extend(islice(started, 1))
            yield paths, loaded
    finally:
        pool.shutdown(cancel_futures=True)


def _load(paths: list[str], resize: Resize) -> list[Loaded]:
    return [_load_one(path, resize) for path in paths]


def _load_one(path: str, resize: Resize) -> Loaded:
    try:
        return resize(decode(path))
    except DataError as error:
        return why_no_picture(path) or str(error)


def decide(
    path: str, row: list[float], *, classes: tuple[str, ...], multi_label: bool, threshold: float | None
) -> Prediction:
    """The prediction that the probabilities of one picture lead to."""
    probabilities = dict(zip(classes, row, strict=True))
    best = max(row)
    if multi_label:
        predicted = tuple(name for name, p in probabilities.items() if p > 1 / 2) or (classes[row.index(best)],)
    else:
        predicted = () if threshold is not None and best < threshold else (classes[row.index(best)],)
    return Prediction(path, predicted, probabilities)
