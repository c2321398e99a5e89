"""What a server needs of a model, and what it can show of it beside predictions."""

from collections.abc import Callable
from copy import deepcopy
from importlib import util
from typing import Protocol

import numpy as np

from glocal.data.batches.preprocess import Preprocess
from glocal.errors import RecipeError
from glocal.evaluation.predict import Predictor
from glocal.evaluation.selective import choose_threshold, held_out_predictions

Explain = Callable[[np.ndarray], bytes]
"""A picture, uint8 (h, w, 3), to a PNG that shows what the network looked at."""


class Classifier(Protocol):
    """A model that can be served. A loaded run (`Predictor`) is one."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have several labels, so that each probability stands for itself."""

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the network's input; the server shows it to clients."""

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 1 or 3) -> uint8 of the same shape for all pictures, so that they can be stacked to a batch."""

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """float32 (B, classes), calibrated, of B stacked pictures from `resize`."""


def explanations(classifier: Classifier) -> Explain | None:
    """A function for the heat map of a picture; None for an exported file, and where captum is not installed.

    It must not run while the network predicts.
    """
    if not isinstance(classifier, Predictor) or util.find_spec("captum") is None:
        return None
    from glocal.explaining.overlays import explainer_of, overlay

    network, preprocess = classifier.model.network, classifier.preprocess
    explainer = explainer_of(network if classifier.device.type == "cpu" else deepcopy(network).cpu(), preprocess)
    return lambda picture: overlay(explainer, picture, preprocess=preprocess)


def probability_threshold(classifier: Classifier, text: str | None) -> float | None:
    """The threshold that --threshold asks for. RecipeError where it has no effect or cannot be chosen."""
    if text is None:
        return None
    if classifier.multi_label:
        raise RecipeError(
            "a threshold leaves the one class of a picture open, and this network predicts several labels"
        )
    held_out = None
    if isinstance(classifier, Predictor):
        held_out = held_out_predictions(classifier.file, classifier.run, classifier.classes)
    threshold, _ = choose_threshold(text, held_out)
    return threshold
