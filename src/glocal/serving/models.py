"""What a server needs of a model, and what it can show of it beside predictions."""

from collections.abc import Callable
from copy import deepcopy
from importlib import util
from typing import Protocol

import numpy as np

from glocal.data.batches.preprocess import Preprocess
from glocal.evaluation.pictures import Labelled
from glocal.evaluation.predict import Predictor

Explain = Callable[[np.ndarray], bytes]
"""A picture, uint8 (h, w, 3), to a PNG that shows what the network looked at."""


class Classifier(Labelled, Protocol):
    """A model that can be served. A loaded run (`Predictor`) is one."""

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
