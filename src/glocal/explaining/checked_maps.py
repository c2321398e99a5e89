"""Maps with their checks, on pictures as they are decoded: of one method, and of the pictures that a run predicted wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glocal.data.batches.preprocess import Preprocess
from glocal.evaluation.predict import Predictor
from glocal.explaining.checks import ALIKE, Checks, Sample, run_checks
from glocal.explaining.methods import METHODS, Explainer, choose_methods, import_captum
from glocal.explaining.overlays import explainer_of, network_input, overlay
from glocal.explaining.pastes import make_pastes

CHECKED = 6  # pictures that the checks use at most
PASTES = 16
_FEW = 4  # pastes for a method of many passes
_SIDE = 160  # pixels of the longer side of a map on a run's page


def check_method(
    explainer: Explainer,
    preprocess: Preprocess,
    method: str,
    pictures: Sequence[np.ndarray],
    targets: torch.Tensor,
    *,
    pastes: int = PASTES,
    seed: int = 0,
) -> Checks:
    """The checks of a method on the first pictures, uint8 (h, w, 1 or 3), each for its target class, and on pastes of them."""
    used, targets = pictures[:CHECKED], targets[:CHECKED]
    sample = Sample(torch.cat([network_input(picture, preprocess) for picture in used]), targets)
    n = pastes if METHODS[method].passes <= 3 else min(_FEW, pastes)
    pasted = make_pastes(used, n, size=preprocess.size, seed=seed)
    known = Sample(
        torch.cat([network_input(paste.canvas, preprocess) for paste in pasted]),
        targets[[paste.index for paste in pasted]],
        [paste.box for paste in pasted],
    )
    return run_checks(explainer, method, sample, known, seed=seed)


@dataclass(frozen=True, eq=False)
class RunMaps:
    """The heat maps of a run's pictures, for the class that its best weights predict."""

    explainer: Explainer
    preprocess: Preprocess
    method: str

    @classmethod
    def load(cls, run: Path) -> "RunMaps":
        """WeightError where the run has no weights, MissingPackage where captum is not there. The network computes on the CPU."""
        import_captum()
        predictor = Predictor.load(run, device="cpu")
        explainer = explainer_of(predictor.model.network, predictor.preprocess)
        (method,) = choose_methods(explainer.subject, explainer.place, "auto")
        return cls(explainer, predictor.preprocess, method)

    def draw(self, picture: np.ndarray) -> bytes:
        """The bytes of a small PNG: a picture, uint8 (h, w, 3), under its map."""
        return overlay(self.explainer, picture, preprocess=self.preprocess, method=self.method, longest=_SIDE)

    def describe(self, pictures: Sequence[np.ndarray]) -> list[str]:
        """Sentences: what the maps are, and whether they pass their checks on this network and these pictures, uint8
        (h, w, 3); one or more of them."""
        about = METHODS[self.method]
        where = f", read at {self.explainer.place.path}" if self.method == "gradcam" else ""
        with torch.no_grad():
            inputs = torch.cat([network_input(picture, self.preprocess) for picture in pictures[:CHECKED]])
            predicted = self.explainer.subject.network(inputs).argmax(1)
        checks = check_method(self.explainer, self.preprocess, self.method, pictures, predicted)
        n = min(CHECKED, len(pictures))
        pasted = checks.pointing
        assert pasted is not None
        passed = (
            f"passed, on {n} of these pictures: with randomised weights the map is another one (rank correlation "
            f"{checks.correlation:.2f}, {ALIKE} is the limit), and its highest point is on the object in {pasted.hits} of "
            f"{pasted.n} pastes."
        )
        found = " ".join(checks.warnings) or passed
        return [f"Heat maps: {about.title} for the predicted class{where}; {about.meaning}.", f"Their checks: {found}"]
