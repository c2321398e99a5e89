"""Writes report.html into the folder of a run: one file that needs no network and no script."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from glocal.command_line import command, quoted
from glocal.errors import RunError
from glocal.evaluation.calibration.errors import equal_width_bins, expected_error
from glocal.evaluation.predictions import Predictions
from glocal.files import write_whole
from glocal.html_page import template
from glocal.reporting.numbers import percent
from glocal.reporting.runs.figures import accuracy_svg, loss_svg, reliability_svg
from glocal.reporting.runs.files import RunFiles
from glocal.reporting.runs.mistakes import Explain, Pixels, mistakes

CLASSES = 30  # in the table that is open at once; the others are behind a click
MATRIX = 25  # classes of a confusion matrix that can be read as a table
PAIRS = 30
ENVIRONMENT = ("platform", "processor", "python", "threads", "processes", "git")


def write_run_page(
    folder: str | PathLike[str],
    *,
    pixels: Pixels | None = None,
    explain: Explain | None = None,
    about_maps: Sequence[str] = (),
) -> Path:
    """Writes FOLDER/report.html and returns its path. Parts that the run has not reached are replaced by a sentence.

    pixels: reads a picture by its path in the run, for the most confident mistakes; without it they are named and not shown.
    explain: a heat map for each of them; about_maps: what they are and whether they can be trusted, in sentences.
    RunError for a folder that is no run's, or that holds a file that is not whole.
    """
    run = RunFiles.find(folder)
    text = _page(run, pixels=pixels, explain=explain, about_maps=about_maps)
    path = run.folder.path / "report.html"
    write_whole(path, text.encode("utf-8", errors="replace"))
    return path


def _page(run: RunFiles, *, pixels: Pixels | None, explain: Explain | None, about_maps: Sequence[str]) -> str:
    import jinja2
    from markupsafe import Markup

    page = template(Path(__file__).with_name("page.html.j2"), percent=percent)
    found, rows = run.predictions, run.metrics
    try:
        values = _values(run)
        bins = equal_width_bins(found.confidence, found.truth == found.predicted) if found else ()
        return page.render(
            **values,
            loss=Markup(loss_svg([row["train_loss"] for row in rows], [row["val_loss"] for row in rows])),
            accuracy=Markup(accuracy_svg([row["val_top1"] for row in rows], values["n"])),
            reliability=Markup(reliability_svg(bins)),
            ece=expected_error(bins) if bins else None,
            matrix=_matrix(found) if found and len(found.classes) <= MATRIX else None,
            pairs=_pairs(found) if found and len(found.classes) > MATRIX else [],
            mistakes=mistakes(found, pixels=pixels, explain=explain) if found else [],
            about_maps=about_maps,
            with_maps=command("report", run.folder.path),
            wrong=int((found.truth != found.predicted).sum()) if found else None,
        )
    except (jinja2.UndefinedError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{run.folder.path}: a file of the run is not as it was written: {error!r}") from None


def _values(run: RunFiles) -> dict[str, Any]:
    """What the page says in words and tables."""
    about, sizes, path = run.about, run.split_sizes, run.folder.path
    manifest = run.manifest
    return {
        "name": path.resolve().name,
        "source": manifest.source,
        "network": run.folder.architecture().name,
        "command": about.get("command"),
        "scores": run.scores,
        "n": sizes["val"],
        "epoch": int(run.weights["notes"]["epoch"]) + 1 if run.weights else None,
        "temperature": float(run.weights.get("temperature", 1.0)) if run.weights else 1.0,
        "epochs": len(run.metrics),
        "last": run.metrics[-1] if run.metrics else None,
        "sizes": sizes,
        "classes": len(manifest.classes),
        "split_rule": manifest.split_rule,
        "per_class": run.per_class,
        "open_classes": CLASSES,
        "faults": run.faults,
        "alerts": run.alerts,
        "tests": run.tests,
        "settings": run.changed_settings,
        "surroundings": {name: about[name] for name in ENVIRONMENT if about.get(name) is not None},
        "versions": about.get("versions") or {},
        "next": _next_commands(path, sizes, finished=run.predictions is not None or bool(run.weights)),
    }


def _next_commands(path: Path, sizes: dict[str, int], *, finished: bool) -> list[tuple[str, str]]:
    """What to do with the run, as commands to copy."""
    if not finished:
        return [("continue it", command("train", options=[("--resume", path)]))]
    test = [("evaluate it once on the test split", command("val", path, options=[("--split", "test")]))]
    return [
        ("evaluate it, every class and calibration", command("val", path)),
        *(test if "test" in sizes else []),
        ("predict pictures", f"{command('predict', path)} PICTURE"),
        ("serve it over HTTP", command("serve", path)),
        (
            "train it again, with another seed",
            command("train", options=[("--config", path / "run.yaml"), ("--seed", "1")]),
        ),
        ("all curves", f"tensorboard --logdir {quoted(str(path))}"),
    ]


def _matrix(found: Predictions) -> list[tuple[str, int, list[tuple[int, float]]]]:
    """For each class its name, its pictures, and how many of them were predicted as each class, also as a share."""
    counts = found.confusion()
    return [
        (name, int(row.sum()), [(int(cell), float(cell / max(1, row.sum()))) for cell in row])
        for name, row in zip(found.classes, counts, strict=True)
    ]


def _pairs(found: Predictions) -> list[tuple[str, str, int, int]]:
    """The most frequent confusions: the true class, the predicted one, how many pictures, and of how many."""
    counts = found.confusion()
    pictures = counts.sum(1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:PAIRS]
    cells = [divmod(int(i), len(found.classes)) for i in order]
    return [(found.classes[i], found.classes[j], int(counts[i, j]), int(pictures[i])) for i, j in cells if counts[i, j]]
