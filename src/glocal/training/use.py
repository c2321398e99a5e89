"""The verbs evaluate and predict: what is done with trained weights."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from glocal.data import Data, check, decode, pictures_below
from glocal.data.preprocess import Preprocess
from glocal.errors import DataError
from glocal.net import Network
from glocal.training.device import pick_device
from glocal.training.folder import RunFolder
from glocal.training.scores import Scores, score
from glocal.weights import load_model


def evaluate(
    weights: str | Path,
    source: str | Path | None = None,
    *,
    split: str = "val",
    device: str = "auto",
    batch_size: int = 256,
    workers: int = 0,
    skip_bad_files: bool = False,
) -> Scores:
    """Scores of a run's best weights, or of a file of weights, on a split of the run's data or of another source.

    Classes are matched by name. The test split is opened only by split="test"; each opening is noted in the run's
    tests.csv. Raises DataError for a split that is not there or a class that the network does not know.
    """
    file, run = _weights_of(weights)
    network, classes, written = load_model(file)
    data = _data_of(run, source, skip_bad_files=skip_bad_files)
    chosen = {"train": data.train, "val": data.val, "test": data.test}.get(split)
    if chosen is None:
        there = ", ".join(name for name in ("train", "val", "test") if getattr(data, name) is not None)
        raise DataError(f"{data.source} has no split {split!r}; it has {there}")
    if unknown := [c for c in data.classes if c not in classes]:
        raise DataError(f"{data.source} has classes that {file} does not know: {', '.join(unknown)}")
    place = pick_device(device)
    found = score(
        network.to(place),
        replace(chosen, labels=np.array([classes.index(c) for c in data.classes])[chosen.labels]),
        classes=classes,
        preprocess=Preprocess.from_json(written),
        device=place,
        batch_size=batch_size,
        workers=workers,
    )
    found = replace(found, split_rule=data.split_rule)
    if split == "test" and run:
        opened = run.count_test({"weights": file.name, "source": data.source, "top1": found.top1, "n": found.n})
        return replace(found, opened=opened)
    return found


def _weights_of(weights: str | Path) -> tuple[Path, RunFolder | None]:
    """The file of weights meant by a run's folder or a file, and the run's folder where there is one."""
    path = Path(weights)
    if path.is_dir():
        run = RunFolder.find(path)
        return run.weights("best"), run
    run = RunFolder(path.resolve().parent.parent)
    return path, run if run.settings.is_file() else None


def _data_of(run: RunFolder | None, source: str | Path | None, *, skip_bad_files: bool) -> Data:
    if source is not None:
        return check(source, skip_bad_files=skip_bad_files).opened()
    if run is None:
        raise DataError("these weights lie in no run's folder; name the pictures to evaluate on")
    about = yaml.safe_load(run.settings.read_text())["data"]
    return check(about["source"], skip_bad_files=about["skip_bad_files"], manifest=run.manifest()).opened()


@dataclass(frozen=True)
class Prediction:
    """The answers for one picture, most probable first, or the reason why there are none."""

    path: str
    answers: tuple[tuple[str, float], ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def predict(
    weights: str | Path, paths: Sequence[str | Path], *, top: int = 5, device: str = "auto", batch_size: int = 64
) -> list[Prediction]:
    """Answers for pictures and for all pictures below folders, in the order given.

    A picture that cannot be read gets an error that says why, and the others are still answered.
    """
    network, classes, written = load_model(_weights_of(weights)[0])
    preprocess, place = Preprocess.from_json(written), pick_device(device)
    network = network.to(place).eval()
    files = [file for path in paths for file in (pictures_below(Path(path)) if Path(path).is_dir() else [Path(path)])]
    found: list[Prediction] = []
    for start in range(0, len(files), batch_size):
        found += _predict_batch(network, files[start : start + batch_size], classes, preprocess, top=top, place=place)
    return found


@torch.inference_mode()
def _predict_batch(
    network: Network,
    files: list[Path],
    classes: tuple[str, ...],
    preprocess: Preprocess,
    *,
    top: int,
    place: torch.device,
) -> list[Prediction]:
    pictures: dict[Path, np.ndarray] = {}
    errors: dict[Path, str] = {}
    for file in files:
        try:
            pictures[file] = preprocess.resize(decode(file))
        except DataError as error:
            errors[file] = str(error)
    answers = {}
    if pictures:
        x = torch.from_numpy(np.stack(list(pictures.values()))).to(place)
        best = network(preprocess.normalise(x)).float().softmax(1).topk(min(top, len(classes)))
        for file, p, i in zip(pictures, best.values.tolist(), best.indices.tolist(), strict=True):
            answers[file] = tuple((classes[c], share) for c, share in zip(i, p, strict=True))
    return [Prediction(str(f), answers.get(f, ()), errors.get(f)) for f in files]
