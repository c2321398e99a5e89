"""The verbs evaluate and predict: what is done with trained weights."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glocal.data import Data, check, decode, pictures_below
from glocal.data.preprocess import Preprocess
from glocal.errors import DataError
from glocal.training.device import pick_device
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder, read_yaml
from glocal.training.scores import Scores, score
from glocal.weights import Model, load_model


def evaluate(
    weights: str | Path,
    source: str | Path | None = None,
    *,
    split: str = "val",
    device: str = "auto",
    batch_size: int = 256,
    workers: int | None = None,
    skip_bad_files: bool = False,
) -> Scores:
    """Scores of a run's best weights, or of a file of weights, on a split of the run's data or of another source.

    Classes are matched by name. The test split is opened only by split="test"; each opening is noted in the run's
    tests.csv. Raises DataError for a split that is not there or a class that the network does not know.
    """
    file, run = _weights_of(weights)
    network, classes, written, multi_label = load_model(file)
    data = _data_of(run, source, skip_bad_files=skip_bad_files)
    chosen = {"train": data.train, "val": data.val, "test": data.test}.get(split)
    if chosen is None:
        there = ", ".join(name for name in ("train", "val", "test") if getattr(data, name) is not None)
        raise DataError(f"{data.source} has no split {split!r}; it has {there}")
    if unknown := [c for c in data.classes if c not in classes]:
        raise DataError(f"{data.source} has classes that {file} does not know: {', '.join(unknown)}")
    if data.multi_label != multi_label:
        kinds = ("one class a picture", "any number of classes a picture")
        raise DataError(f"{data.source} has {kinds[data.multi_label]}, and {file} was trained for {kinds[multi_label]}")
    machine = Machine.start(device, workers=workers)
    found = score(
        network.to(machine.device),
        replace(chosen, labels=_relabelled(chosen.labels, [classes.index(c) for c in data.classes], len(classes))),
        classes=classes,
        preprocess=Preprocess.from_json(written),
        machine=machine,
        batch_size=batch_size,
    )
    trained = {row.digest for row in run.manifest().rows["train"]} if run and split != "train" else set()
    found = replace(found, split_rule=data.split_rule, trained=sum(row.digest in trained for row in chosen.rows))
    if split == "test" and run and machine.main:
        opened = run.count_test({"weights": file.name, "source": data.source, "top1": found.top1, "n": found.n})
        return replace(found, opened=opened)
    return found


def _relabelled(labels: np.ndarray, place: list[int], k: int) -> np.ndarray:
    """Labels of the data's classes as those of the network's k classes; `place`: where each of the data's is among them."""
    if labels.ndim == 1:
        return np.array(place)[labels]
    hot = np.zeros((len(labels), k), dtype=labels.dtype)
    hot[:, place] = labels
    return hot


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
    about = read_yaml(run.settings, "data")["data"]
    return check(about["source"], skip_bad_files=about["skip_bad_files"], manifest=run.manifest()).opened()


@dataclass(frozen=True)
class Prediction:
    """The answers for one picture, most probable first, or the reason why there are none.

    A network of one class a picture gives shares that add up to one over its classes; one of several gives each class a
    probability of its own.
    """

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

    top: answers a picture; a network of several classes a picture gives those above one half instead, and at least one.
    A picture that cannot be read gets an error that says why, and the others are still answered.
    """
    model = load_model(_weights_of(weights)[0])
    place = pick_device(device)
    model.network.to(place).eval()
    files, found = [], []
    for path in map(Path, paths):
        below = pictures_below(path) if path.is_dir() else [path]
        if not below:
            found.append(Prediction(str(path), error=f"{path}: no pictures below it"))
        files += below
    for start in range(0, len(files), batch_size):
        found += _predict_batch(model, files[start : start + batch_size], top=top, place=place)
    return found


@torch.inference_mode()
def _predict_batch(model: Model, files: list[Path], *, top: int, place: torch.device) -> list[Prediction]:
    preprocess = Preprocess.from_json(model.preprocess)
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
        logits = model.network(preprocess.normalise(x)).float()
        p_BK = logits.sigmoid() if model.multi_label else logits.softmax(1)
        best = p_BK.topk(len(model.classes) if model.multi_label else min(top, len(model.classes)))
        for file, p, i in zip(pictures, best.values.tolist(), best.indices.tolist(), strict=True):
            n = max(1, sum(share > 0.5 for share in p)) if model.multi_label else len(p)
            answers[file] = tuple((model.classes[c], share) for c, share in zip(i[:n], p[:n], strict=True))
    return [Prediction(str(f), answers.get(f, ()), errors.get(f)) for f in files]
