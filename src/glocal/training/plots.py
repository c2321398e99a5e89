"""Figures of a run, drawn from what lies in its folder: curves, confusion, and the pictures it got most wrong.

matplotlib draws on canvases of its own; neither pyplot nor any setting of a caller is touched.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import numpy as np

from glocal.data import Split
from glocal.errors import DataError
from glocal.intervals import wilson
from glocal.training.answers import Answers
from glocal.training.folder import RunFolder
from glocal.weights.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind.
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#777777"
# Where a class is written in a script that matplotlib's own font lacks, the first of these that is installed helps out.
FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Noto Sans",
    "Arial",
)
MOST_CLASSES = 100  # of a matrix that can be read
PAIRS, WRONG = 30, 16


def draw(run: RunFolder, answers: Answers | None, *, val: Split | None, val_size: int) -> None:
    """All figures for which there is something to draw; wrong.png where the pictures are at hand."""
    draw_curves(run, val_size=val_size)
    if answers is not None:
        draw_confusion(run, answers)
        if val is not None:
            draw_wrong(run, answers, val)


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
        told = f"best: {top1s[best]:.2f} %, epoch {epochs[best]:.0f}"
        top1.plot(epochs[best], top1s[best], "o", color=VERMILLION, label=told)
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


def draw_confusion(run: RunFolder, answers: Answers) -> None:
    """plots/confusion.png: what was said of each class, in per cent of its pictures; of more than 100 classes the pairs."""
    if len(answers.classes) > MOST_CLASSES:
        _draw_pairs(run, answers)
    else:
        _draw_matrix(run, answers)


def _draw_matrix(run: RunFolder, answers: Answers) -> None:
    from matplotlib.colors import PowerNorm

    counts, k = answers.confusion(), len(answers.classes)
    pictures = counts.sum(1)
    share = 100 * np.divide(counts, pictures[:, None], out=np.full((k, k), np.nan), where=pictures[:, None] > 0)
    said = [_short(name) for name in answers.classes]
    truth = [f"{name} ({n:,})" for name, n in zip(said, pictures, strict=True)]
    size = 9 if k <= 40 else 7
    side = k * max(0.55 if k <= 20 else 0.3 if k <= 40 else 0.16, 2.4 / k)
    left, below = _inches(truth, size) + 0.5, _inches(said, size) + 0.5
    width, height = left + side + 1.1, below + side + 0.4
    with _figure(run, "confusion", width=width, height=height) as figure:
        axes = figure.add_axes((left / width, below / height, side / width, side / height))
        axes.set_facecolor("#dddddd")  # seen where a class has no pictures
        # The square root of the share: mistakes of a few per cent are what one looks for.
        image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 100), aspect="auto")
        axes.set_xticks(range(k), said, rotation=90, fontsize=size)
        axes.set_yticks(range(k), truth, fontsize=size)
        axes.set_xlabel("said")
        axes.set_ylabel("truth (pictures)")
        axes.set_title(_right(answers), fontsize=10, loc="left")
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


def _draw_pairs(run: RunFolder, answers: Answers) -> None:
    from matplotlib.ticker import MaxNLocator

    counts, names = answers.confusion(), [_short(name) for name in answers.classes]
    pictures = counts.sum(1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, counts.shape), strict=True) if counts[i, j]]
    told = [f"{names[i]}, said {names[j]}" for i, j in pairs]
    left, side = _inches(told, 8), 0.24 * max(len(pairs), 4)
    width, height = left + 5.6, side + 1.0
    with _figure(run, "confusion", width=width, height=height) as figure:
        axes = figure.add_axes((left / width, 0.55 / height, 5 / width, side / height))
        bars = axes.barh(range(len(pairs)), [counts[pair] for pair in pairs], color=BLUE)
        axes.bar_label(bars, [f"of {pictures[i]:,}" for i, _ in pairs], padding=3, fontsize=8)
        axes.set_yticks(range(len(pairs)), told, fontsize=8)
        axes.set_ylim(len(pairs) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("pictures of the first class for which the second was said")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(f"the {len(pairs)} most frequent confusions; {_right(answers)}", fontsize=10, loc="left")


def _inches(texts: Sequence[str], size: float) -> float:
    """About the width of the longest of some texts; measuring it takes longer than drawing it."""
    letters = (sum(1.0 if east_asian_width(c) in "WF" else 0.57 for c in text) for text in texts)
    return max(letters, default=0.0) * size / 72 + 0.15


def draw_wrong(run: RunFolder, answers: Answers, split: Split) -> None:
    """plots/wrong.png: the pictures of `split` that were answered wrongly with the most confidence."""
    chosen, place = answers.most_wrong(WRONG), {path: i for i, path in enumerate(split.paths)}
    if not chosen:
        return
    lines = -(-len(chosen) // 4)
    height = 3.05 * lines + 0.4
    with _figure(run, "wrong", width=10, height=height) as figure:
        figure.suptitle(
            f"{run.path.name}: most confidently wrong on validation; the truth, and what was said", fontsize=11
        )
        grid = figure.subplots(lines, 4, squeeze=False)
        figure.subplots_adjust(
            left=0.01, right=0.99, top=1 - 0.85 / height, bottom=0.2 / height, wspace=0.06, hspace=0.32
        )
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, i in zip(grid.flat, chosen, strict=False):
            truth, said = (_short(answers.classes[c]) for c in (answers.truth[i], answers.said[i]))
            axes.set_title(f"{truth}\nsaid {said}, {answers.confidence[i]:.1%}", fontsize=9, loc="left")
            path = answers.paths[i] if len(answers.paths[i]) < 42 else f"…{answers.paths[i][-40:]}"
            axes.text(0, -0.02, path, fontsize=6.5, color=GREY, va="top", transform=axes.transAxes)
            _show(axes, split, place[answers.paths[i]])


def _show(axes: "Axes", split: Split, i: int) -> None:
    try:
        picture = split.picture(i)
    except DataError as error:  # gone since it was judged
        axes.text(0.5, 0.5, str(error), ha="center", va="center", fontsize=6, wrap=True)
        return
    every = -(-max(picture.shape[:2]) // 1200)  # no finer than the figure shows
    pixels = picture[::every, ::every, 0] if picture.shape[2] < 3 else picture[::every, ::every, :3]
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if max(pixels.shape[:2]) < 100 else None)


def _right(answers: Answers) -> str:
    right, n = int((answers.truth == answers.said).sum()), len(answers.truth)
    return f"{right:,} of {n:,} pictures right ({right / n:.2%})"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:13]}…{name[-10:]}"


@contextmanager
def _figure(run: RunFolder, name: str, *, width: float, height: float) -> "Iterator[Figure]":
    """An empty figure, inches wide and high, that is written to plots/NAME.png when it is drawn."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams["font.family"] = ["DejaVu Sans", *(font for font in FONTS if font in installed)]
        mpl.rcParams["text.parse_math"] = False  # a class may have two dollars in its name
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(width, height), dpi=110)
        yield figure
        png = BytesIO()
        figure.savefig(png, format="png")
    with whole_file(run.path / "plots" / f"{name}.png") as file:
        file.write(png.getbuffer())
