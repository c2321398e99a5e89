"""Explains predictions: maps, checks of the methods on this network, and the files that show them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data import decode
from glocal.data.batches.preprocess import Preprocess
from glocal.errors import RecipeError
from glocal.evaluation.picture_paths import picture_paths
from glocal.evaluation.predict import Predictor
from glocal.explaining.checked_maps import check_method
from glocal.explaining.checks import Checks
from glocal.explaining.methods import Explainer, choose_methods
from glocal.explaining.overlays import explainer_of, network_input
from glocal.explaining.page import write_page
from glocal.explaining.picture_maps import heat, on_picture, png
from glocal.explaining.results import Explained, Explanation
from glocal.explaining.settings import ExplainSettings
from glocal.files import whole_file, write_whole
from glocal.settings import merge
from glocal.weights import Model

_STEM = 60  # letters of a picture's name in the names of the files about it


def explain(
    weights: str | Path,
    pictures: str | Path | Iterable[str | Path],
    *,
    method: str = "auto",
    target: str | None = None,
    checks: bool = True,
    pastes: int = 16,
    seed: int = 0,
    output: str | Path | None = None,
) -> Explanation:
    """Maps of what a network's predictions rest on, without a layer to name; see docs/explain.md.

    weights: a run's folder, whose best weights are taken, or a file of weights. pictures: as for `predict`.
    method: "auto", "all" or one of `METHODS`. target: name of the class to explain; the predicted one by default.
    checks: whether each method is checked on this network, with so many pastes in the pointing game.
    output: folder to write; by default `explain` in the run's folder, or beside the file.

    RecipeError for a method that the network has no map for or an unknown class, DataError for a picture that cannot be read,
    MissingPackage where captum is not there. The network computes on the CPU.
    """
    values = {"method": method, "target": target, "pastes": pastes, "seed": seed, "output": output}
    settings = merge(ExplainSettings(), {**values, "no_checks": not checks})
    predictor = Predictor.load(weights, device="cpu")
    model, preprocess = predictor.model, Preprocess.from_json(predictor.model.preprocess)
    explainer = explainer_of(model.network, preprocess)
    methods = choose_methods(explainer.subject, explainer.place, settings.method)
    names = [*picture_paths([pictures] if isinstance(pictures, str | Path) else pictures)]
    if not names:
        raise RecipeError("there is no picture to explain; name one: glocal explain RUN PICTURE")
    decoded = [decode(name) for name in names]
    found = tuple(
        _explained(explainer, model, name, picture, methods=methods, target=settings.target)
        for name, picture in zip(names, decoded, strict=True)
    )
    checked = _checked(explainer, model, decoded, found, settings=settings) if checks else {}
    beside = predictor.run.path if predictor.run is not None else predictor.file.parent
    folder = RunFolder.claim(settings.output or beside / "explain").path
    explanation = Explanation(explainer.subject.name, explainer.place.path, found, checked, folder)
    _write(explanation)
    return explanation


def _explained(
    explainer: Explainer, model: Model, name: str, picture: np.ndarray, *, methods: Sequence[str], target: str | None
) -> Explained:
    preprocess = Preprocess.from_json(model.preprocess)
    x_BCHW = network_input(picture, preprocess)
    with torch.no_grad():
        logits = model.network(x_BCHW).float() / model.temperature
    shares = (logits.sigmoid() if model.multi_label else logits.softmax(1))[0]
    best = int(shares.argmax())
    if target is not None and target not in model.classes:
        raise RecipeError(f"--target {target!r} is no class of the network; known: {', '.join(model.classes)}")
    wanted = best if target is None else model.classes.index(target)
    maps = {
        each: on_picture(explainer.maps(each, x_BCHW, torch.tensor([wanted]))[0].numpy(), picture.shape[:2], preprocess)
        for each in methods
    }
    return Explained(name, picture, model.classes[best], float(shares[best]), model.classes[wanted], maps)


def _checked(
    explainer: Explainer,
    model: Model,
    pictures: Sequence[np.ndarray],
    found: Sequence[Explained],
    *,
    settings: ExplainSettings,
) -> dict[str, Checks]:
    """The checks of every method that was computed, on the first pictures and on pastes of them."""
    targets = torch.tensor([model.classes.index(each.target) for each in found])
    preprocess, options = Preprocess.from_json(model.preprocess), {"pastes": settings.pastes, "seed": settings.seed}
    return {
        method: check_method(explainer, preprocess, method, pictures, targets, **options) for method in found[0].maps
    }


def _write(explanation: Explanation) -> None:
    """The overlays as PNG, maps.npz, explain.json and explain.html."""
    arrays, overlays = {}, []
    for i, each in enumerate(explanation.pictures):
        rows = {}
        for method, values in each.maps.items():
            arrays[f"{i}/{method}"] = values
            rows[method] = png(heat(each.picture, values))
            name = f"{i:03}-{Path(each.path).stem[:_STEM]}-{method}.png"
            write_whole(explanation.folder / name, rows[method])
        overlays.append(rows)
    with whole_file(explanation.folder / "maps.npz") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    write_whole(explanation.folder / "explain.json", json.dumps(explanation.to_json(), indent=1, default=str).encode())
    write_page(explanation, overlays)
