"""Figures of a run, drawn from the files of its folder: curves, confusion, and its most confident mistakes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.canvas import BLUE, GREY, VERMILLION, canvas, rendered
from glocal.data import Split
from glocal.errors import DataError
from glocal.evaluation.predictions import Predictions
from glocal.files import write_whole
from glocal.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 100  # most classes of a matrix that can be read
PAIRS, MISTAKES = 30, 16


def draw(run: RunFolder, predictions: Predictions | None, *, val: Split) -> None:
    """All figures for which there is something to draw."""
    draw_curves(run, val_size=len(val))
    if predictions is not None:
        draw_confusion(run, predictions)
        draw_wrong(run, predictions, val)


def draw_curves(run: RunFolder, *, val_size: int) -> None:
    """plots/curves.png: losses, top-1 with its 95 % band, learning rate and speed over the epochs."""
    rows = run.metrics()
    if not rows:
        return
    from matplotlib.ticker import MaxNLocator

    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    epochs, top1s = column["epoch"] + 1, 100 * column["val_top1"]
    marker = "." if len(rows) <= 30 else ""  # of one epoch a line shows nothing
    with _figure(run, "curves", width=10, height=6.4) as figure:
        loss, top1, rate, speed = figure.subplots(2, 2, sharex=True).flat
        figure.subplots_adjust(left=0.075, right=0.985, top=0.93, bottom=0.075, wspace=0.17, hspace=0.12)
        figure.suptitle(f"{run.path.name}: {len(rows)} epochs, {val_size:,} pictures to validate", fontsize=11)
        loss.plot(epochs, column["train_loss"], color=BLUE, label="train, as augmented", marker=marker)
        loss.plot(epochs, column["val_loss"], color=VERMILLION, ls="--", label="validation", marker=marker)
        loss.set_ylabel("loss")
        low, high = wilson(column["val_top1"], val_size)
        top1.fill_between(epochs, 100 * low, 100 * high, color=BLUE, alpha=0.2, lw=0, label="95 % interval")
        top1.plot(epochs, top1s, color=BLUE, label="validation", marker=marker)
        best = int(top1s.argmax())
        label = f"best: {top1s[best]:.2f} %, epoch {epochs[best]:.0f}"
        top1.plot(epochs[best], top1s[best], "o", color=VERMILLION, label=label)
        top1.set_ylabel("top-1, %")
        rate.plot(epochs, column["lr"], color=BLUE, marker=marker)
        rate.set_ylabel("learning rate at the end of the epoch")
        rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        speed.plot(epochs, column["images_per_s"], color=BLUE, marker=marker)
        speed.set_ylabel("training speed, images/s")
        for axes in (loss, top1, rate, speed):
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in (loss, top1):
            axes.legend(edgecolor="none", fontsize=9)
        for axes in (rate, speed):
            axes.set_ylim(0)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_confusion(run: RunFolder, predictions: Predictions) -> None:
    """plots/confusion.png: the confusion matrix, in per cent of each class; of more than 100 classes the most confused pairs."""
    if len(predictions.classes) > MOST_CLASSES:
        _draw_pairs(run, predictions)
    else:
        _draw_matrix(run, predictions)


def _draw_matrix(run: RunFolder, predictions: Predictions) -> None:
    from matplotlib.colors import PowerNorm

    counts, k = predictions.confusion(), len(predictions.classes)
    pictures = counts.sum(1)
    share = 100 * np.divide(counts, pictures[:, None], out=np.full((k, k), np.nan), where=pictures[:, None] > 0)
    names = [_short(name) for name in predictions.classes]
    truth = [f"{name} ({n:,})" for name, n in zip(names, pictures, strict=True)]
    size = 9 if k <= 40 else 7
    side = k * max(0.55 if k <= 20 else 0.3 if k <= 40 else 0.16, 2.4 / k)
    left, below = _inches(truth, size) + 0.5, _inches(names, size) + 0.5
    width, height = left + side + 1.1, below + side + 0.4
    with _figure(run, "confusion", width=width, height=height) as figure:
        axes = figure.add_axes((left / width, below / height, side / width, side / height))
        axes.set_facecolor("#dddddd")  # seen where a class has no pictures
        # By the square root of the share, so that mistakes of a few per cent can be seen.
        image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 100), aspect="auto")
        axes.set_xticks(range(k), names, rotation=90, fontsize=size)
        axes.set_yticks(range(k), truth, fontsize=size)
        axes.set_xlabel("predicted")
        axes.set_ylabel("truth (pictures)")
        axes.set_title(_right(predictions), fontsize=10, loc="left")
        beside = figure.add_axes(((left + side + 0.15) / width, below / height, 0.15 / width, side / height))
        bar = figure.colorbar(image, cax=beside, ticks=[0, 1, 5, 10, 25, 50, 100])
        bar.set_label("share of the class's pictures, %", fontsize=9)
        if k <= 20:
            for (i, j), value in np.ndenumerate(share):
                if counts[i, j]:
                    text = f"{int(value + 0.5)}" if value >= 1 else "<1"
                    axes.text(
                        j, i, text, ha="center", va="center", fontsize=8, color="white" if value > 35 else "black"
                    )


def _draw_pairs(run: RunFolder, predictions: Predictions) -> None:
    from matplotlib.ticker import MaxNLocator

    counts, names = predictions.confusion(), [_short(name) for name in predictions.classes]
    pictures = counts.sum(1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, counts.shape), strict=True) if counts[i, j]]
    labels = [f"{names[i]}, predicted as {names[j]}" for i, j in pairs]
    left, side = _inches(labels, 8), 0.24 * max(len(pairs), 4)
    width, height = left + 5.6, side + 1.0
    with _figure(run, "confusion", width=width, height=height) as figure:
        axes = figure.add_axes((left / width, 0.55 / height, 5 / width, side / height))
        bars = axes.barh(range(len(pairs)), [counts[pair] for pair in pairs], color=BLUE)
        axes.bar_label(bars, [f"of {pictures[i]:,}" for i, _ in pairs], padding=3, fontsize=8)
        axes.set_yticks(range(len(pairs)), labels, fontsize=8)
        axes.set_ylim(len(pairs) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("pictures of the first class that were predicted as the second")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(f"the {len(pairs)} most frequent confusions; {_right(predictions)}", fontsize=10, loc="left")


def _inches(texts: Sequence[str], size: float) -> float:
    """About the width of the longest text. It is estimated, because measuring takes longer than drawing."""
    letters = (sum(1.0 if east_asian_width(c) in "WF" else 0.57 for c in text) for text in texts)
    return max(letters, default=0.0) * size / 72 + 0.15


def draw_wrong(run: RunFolder, predictions: Predictions, split: Split) -> None:
    """plots/wrong.png: the pictures of `split` that were predicted wrongly with the most confidence."""
    chosen, index_of = predictions.most_wrong(MISTAKES), {path: i for i, path in enumerate(split.paths)}
    if not chosen:
        return
    lines = -(-len(chosen) // 4)
    height = 3.05 * lines + 0.4
    with _figure(run, "wrong", width=10, height=height) as figure:
        title = "most confident mistakes on validation pictures: the true class, and the predicted one"
        figure.suptitle(f"{run.path.name}: {title}", fontsize=11)
        grid = figure.subplots(lines, 4, squeeze=False)
        figure.subplots_adjust(
            left=0.01, right=0.99, top=1 - 0.85 / height, bottom=0.2 / height, wspace=0.06, hspace=0.32
        )
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, i in zip(grid.flat, chosen, strict=False):
            truth, predicted = (
                _short(predictions.classes[c]) for c in (predictions.truth[i], predictions.predicted[i])
            )
            axes.set_title(
                f"{truth}\npredicted as {predicted}, {predictions.confidence[i]:.1%}", fontsize=9, loc="left"
            )
            path = predictions.paths[i] if len(predictions.paths[i]) < 42 else f"…{predictions.paths[i][-40:]}"
            axes.text(0, -0.02, path, fontsize=6.5, color=GREY, va="top", transform=axes.transAxes)
            _show(axes, split, index_of[predictions.paths[i]])


def _show(axes: "Axes", split: Split, i: int) -> None:
    """Draws a picture, or why it cannot be read."""
    try:
        picture = split.picture(i)
    except DataError as error:  # gone since it was validated
        axes.text(0.5, 0.5, str(error), ha="center", va="center", fontsize=6, wrap=True)
        return
    every = -(-max(picture.shape[:2]) // 1200)  # no more pixels than the figure shows
    pixels = picture[::every, ::every, 0] if picture.shape[2] < 3 else picture[::every, ::every, :3]
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if max(pixels.shape[:2]) < 100 else None)


def _right(predictions: Predictions) -> str:
    right, n = int((predictions.truth == predictions.predicted).sum()), len(predictions.truth)
    return f"{right:,} of {n:,} pictures right ({right / n:.2%})"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:13]}…{name[-10:]}"


@contextmanager
def _figure(run: RunFolder, name: str, *, width: float, height: float) -> "Iterator[Figure]":
    """An empty figure, with its size in inches, that is written to plots/NAME.png when the block ends."""
    with canvas(width, height) as figure:
        yield figure
        write_whole(run.path / "plots" / f"{name}.png", rendered(figure))
