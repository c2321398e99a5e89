"""Two finished runs, compared picture by picture on the validation pictures that both have."""

from pathlib import Path

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.statistics.compare import MARGIN, compare
from glocal.comparing.statistics.verdicts import Verdict
from glocal.errors import ComparisonError
from glocal.evaluation.predictions import Predictions


def compare_runs(run: str | Path, baseline: str | Path, *, margin: float = MARGIN) -> Verdict:
    """The verdict on two runs, from the predictions of their best epochs. Seeds were not varied, and the verdict says so.

    ComparisonError where the runs were validated on other pictures, or a run has no predictions yet; RunError for a folder
    that is no run.
    """
    first, second = RunFolder.find(run), RunFolder.find(baseline)
    right, other = _right(first), _right(second)
    if right.keys() != other.keys():
        common = len(right.keys() & other.keys())
        raise ComparisonError(
            f"{first.path} was validated on {len(right):,} pictures and {second.path} on {len(other):,}, of which {common:,} are "
            "the same; runs can be compared on the same pictures only: train both with the same data, --seed and --val-fraction"
        )
    order = sorted(right)
    arrays = (np.array([[each[key] for key in order]]) for each in (right, other))
    return compare(*arrays, arm=first.path.name, baseline=second.path.name, margin=margin)


def _right(run: RunFolder) -> dict[str, bool]:
    """Whether each validation picture, by the checksum of its bytes, was classified correctly."""
    path, manifest = run.path / "predictions.csv", run.manifest()
    if not path.is_file():
        raise ComparisonError(
            f"{run.path} has no predictions.csv: no epoch has ended, or its pictures have several labels"
        )
    found = Predictions.read(path, manifest.classes)
    digests = {row.path: row.digest for row in manifest.rows["val"]}
    hits = (found.truth == found.predicted).tolist()
    return {f"{digests[name]} {name}": hit for name, hit in zip(found.paths, hits, strict=True)}
