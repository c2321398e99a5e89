"""What `glocal val` does with an exported file: the same scores as of a run, computed by the file's runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glocal.data.batches.loader import Batches
from glocal.data.options import DataOptions
from glocal.deploying.exported import ExportedModel, load_exported
from glocal.evaluation.evaluate import scores_of
from glocal.evaluation.pictures import source_pictures
from glocal.evaluation.scores import Resize, Scores

_LEAST = 1e-30  # a probability that float32 has rounded to 0 still has a logarithm


def evaluate_exported(
    path: str | Path,
    source: str | Path,
    *,
    split: str | None = None,
    batch_size: int = 256,
    workers: int | None = None,
    options: DataOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores of an exported file on pictures with labels, as `evaluate` gives them of a run. Pillow resizes the pictures, so that
    pictures of all sizes share a batch."""
    exported = load_exported(path)
    pictures = source_pictures(source, split, model=exported, options=options or DataOptions(), progress=progress)
    batches = Batches(
        pictures.split,
        batch_size=batch_size,
        seed=0,
        epoch=0,
        train=False,
        transform=Resize(exported),
        workers=workers,
        drop_last=False,
    )
    found = []
    for i, (x, _) in enumerate(batches):
        found.append(logits(exported, x.numpy()))
        if progress:
            progress(i + 1, len(batches))
    return scores_of(exported, pictures, torch.cat(found), run=None)


def logits(exported: ExportedModel, batch: np.ndarray) -> Tensor:
    """Logits without the temperature, (n, classes), up to a constant for each picture: what softmax or sigmoid was applied to."""
    p_BK = torch.from_numpy(exported.probabilities(batch)).double().clamp(_LEAST, 1 - 1e-12)
    logits_BK = p_BK.logit() if exported.multi_label else p_BK.log()
    return (logits_BK * exported.temperature).float()
